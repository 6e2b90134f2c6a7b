package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Binary returns the path of the flashsale binary: the one that FLASHSALE_TEST_BINARY names, else built from this tree,
// once in a test process.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("FLASHSALE_TEST_BINARY"); path != "" {
		return path
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.binary == "" {
		path := filepath.Join(folder(owner(), "binary"), "flashsale")
		cmd := exec.Command("go", "build", "-o", path, "./cmd/flashsale")
		cmd.Dir = Root(t)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // one static binary is what the contract promises
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build the binary: %v\n%s", err, tail(string(output)))
		}
		shared.binary = path
	}
	return shared.binary
}
