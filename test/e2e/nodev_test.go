package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestProductionBinaryHasNoEmbeddedEngines builds what the production image holds: it has every command, dev prints how to
// get the build that has it, and no imitation of a server is linked.
func TestProductionBinaryHasNoEmbeddedEngines(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "flashsale")
	build := exec.Command("go", "build", "-tags", "nodev", "-o", binary, "./cmd/flashsale")
	build.Dir, build.Env = harness.Root(t), append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	dev := harness.Run(t, "", binary, nil, "dev", "--demo")
	assert.Equal(t, 1, dev.Code)
	assert.Contains(t, dev.Stderr, "make dev")
	full := harness.Run(t, "", harness.Binary(t), nil)
	assert.Equal(t, full.Stdout, harness.Run(t, "", binary, nil).Stdout, "the same commands")

	modules, err := exec.Command("go", "version", "-m", binary).CombinedOutput()
	require.NoError(t, err, "%s", modules)
	list := exec.Command("go", "list", "-deps", "-tags", "nodev", "./cmd/flashsale")
	list.Dir = harness.Root(t)
	packages, err := list.CombinedOutput()
	require.NoError(t, err, "%s", packages)
	for _, engine := range []string{"miniredis", "kfake", "sqlite", "gopher-lua"} {
		assert.NotContains(t, string(modules), engine)
		assert.NotContains(t, string(packages), engine)
	}
	assert.True(t, strings.Contains(string(modules), "rueidis"), "the list is one of modules")
}
