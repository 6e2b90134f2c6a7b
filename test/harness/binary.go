package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// mainPackage is what go build is given to build the flashsale binary, from the module's folder.
const mainPackage = "./cmd/flashsale"

// Build says how a binary differs from the one that is shipped. The zero Build is the shipped one.
type Build struct {
	Args    []string          // further arguments of go build, such as "-tags", "faults"
	Overlay map[string]string // absolute paths of source files, to the files that the compiler reads instead
}

// Binary returns the path of the shipped flashsale binary: the one that FLASHSALE_TEST_BINARY names, else one built from
// this tree, once in a test process.
func Binary(t testing.TB) string {
	t.Helper()
	return BinaryOf(t, Build{})
}

// BinaryOf returns the path of a binary that is built from this tree, once in a test process for each Build.
// FLASHSALE_TEST_BINARY stands for the zero Build alone.
func BinaryOf(t testing.TB, how Build) string {
	t.Helper()
	if path := os.Getenv("FLASHSALE_TEST_BINARY"); path != "" && len(how.Args)+len(how.Overlay) == 0 {
		return path
	}
	key, err := json.Marshal(how)
	if err != nil {
		t.Fatalf("name a build: %v", err)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.binaries[string(key)] == "" {
		path, err := how.build(Root(t), folder(owner(), "binary"))
		if err != nil {
			t.Fatal(err)
		}
		if shared.binaries == nil {
			shared.binaries = map[string]string{}
		}
		shared.binaries[string(key)] = path
	}
	return shared.binaries[string(key)]
}

// build compiles the binary of the module in root into dir.
func (b Build) build(root, dir string) (string, error) {
	path := filepath.Join(dir, "flashsale")
	args := append([]string{"build", "-o", path}, b.Args...)
	if len(b.Overlay) > 0 {
		overlay, err := b.writeOverlay(dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, mainPackage)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // one static binary is what the contract promises
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, tail(string(output)))
	}
	return path, nil
}

// writeOverlay writes the file that go build -overlay reads, and returns its path.
func (b Build) writeOverlay(dir string) (string, error) {
	index, err := json.Marshal(map[string]any{"Replace": b.Overlay})
	if err != nil {
		return "", fmt.Errorf("encode the overlay: %w", err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, index, 0o644); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return path, nil
}
