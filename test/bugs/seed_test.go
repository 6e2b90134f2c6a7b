package bugs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree writes files into a folder of their own and returns it. pairs are names and texts.
func tree(t *testing.T, pairs ...string) string {
	t.Helper()
	root := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		put(t, root, pairs[i], pairs[i+1])
	}
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
}

const guarded = "package a // of an example\n\nfunc Guard(n int) bool {\n\treturn n < 3\n}\n"

func ofGuard(name string, r Replacement) Bug { return Bug{Name: name, Seeds: []Replacement{r}} }

// TestSeed: bugs at one place, the imports that they need, and the lines around them.
func TestSeed(t *testing.T) {
	root := tree(t, "a/a.go", guarded)
	changed, err := seed(root, []Bug{
		ofGuard("one", before("a/a.go", "return n < 3", `if faults.Bug("one") { return strings.Contains("", "") }`)),
		ofGuard("two", before("a/a.go", "return n < 3", `if faults.Bug("two") { n = 0 }`)),
	})
	require.NoError(t, err)
	require.Len(t, changed, 1)
	assert.Regexp(t, `^package a; import "flashsale/faults"; import "strings" // of an example\n\nfunc Guard`, changed["a/a.go"])
	assert.Contains(t, changed["a/a.go"], `	if faults.Bug("one") { return strings.Contains("", "") }
if faults.Bug("two") { n = 0 }
return n < 3
`)
	assert.Equal(t, "x\ny", after("f", "x", "y").New)
}

// TestAReplacementWithoutItsOnePlaceFails names bug, file and text of every such replacement.
func TestAReplacementWithoutItsOnePlaceFails(t *testing.T) {
	root := tree(t, "a/a.go", guarded, "scripts/x.lua", "return 1\n", "scripts/scripts.go", "package scripts\n",
		"a/c.go", "package a\n\nvar four = 4\n", "a/d_test.go", "package a\n\nvar four = 4\n")
	bugs := []Bug{
		ofGuard("gone", instead("a/a.go", "return n < 4", "return true")),
		ofGuard("many", instead("a/a.go", "n", "m")),
		ofGuard("empty", instead("a/a.go", "", "m")),
		ofGuard("moved", instead("a/b.go", "x", "y")),
		ofGuard("first", instead("a/a.go", "n < 3", "n < 5")),
		ofGuard("second", instead("a/a.go", "return n < 3", "return false")),
		ofGuard("away", instead("a/a.go", "four = 4", "four = 5")),
		ofGuard("lua", instead("scripts/x.lua", "return 2", "")),
	}
	_, err := seed(root, bugs)
	for _, fault := range []string{
		`the bug gone: a/a.go has the text to replace 0 times, not once: "return n < 4"`,
		`the bug many: a/a.go has the text to replace 6 times, not once: "n"`,
		`the bug empty: a/a.go has`,
		`the bug moved: the file with the text to replace: open `, `a/b.go: no such file or directory: "x"`,
		`the bug away: a/a.go has the text to replace 0 times, not once: "four = 4", which is once in a/c.go`,
		`the bug second: a/a.go, with the replacements before it, has the text to replace 0 times, not once: "return n < 3"`,
		`the bug lua: scripts/x.lua has the text to replace 0 times, not once: "return 2"`,
		`the hook of the bugs in scripts: scripts/scripts.go has the text to replace 0 times`,
	} {
		assert.ErrorContains(t, err, fault)
	}
	assert.NotContains(t, err.Error(), "the bug first")
	_, err = Overlay(root, t.TempDir(), bugs)
	require.ErrorContains(t, err, "seed the bugs: the bug gone")
	lab := &Lab{Root: root, Dir: t.TempDir(), Bugs: bugs}
	require.ErrorContains(t, lab.Compile([]string{"a"}), "the bug gone: a/a.go has")
}

func TestAReplacementThatIsNoGoFails(t *testing.T) {
	_, err := seed(tree(t, "a/a.go", guarded), []Bug{ofGuard("torn", instead("a/a.go", "return n < 3", "return n <"))})
	require.ErrorContains(t, err, "a/a.go with its replacements: a/a.go:5:1: expected operand")
}

// TestOverlay: each file of the module has its copy, and the tree is left as it is.
func TestOverlay(t *testing.T) {
	root, dir := tree(t, "a/a.go", guarded), t.TempDir()
	path, err := OverlayFile(root, dir, []Bug{ofGuard("one", instead("a/a.go", "n < 3", `n < 3 || faults.Bug("one")`))})
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var index struct{ Replace map[string]string }
	require.NoError(t, json.Unmarshal(text, &index))
	require.Len(t, index.Replace, 2)
	copied, err := os.ReadFile(index.Replace[filepath.Join(root, "a/a.go")])
	require.NoError(t, err)
	assert.Contains(t, string(copied), `return n < 3 || faults.Bug("one")`)
	added, err := os.ReadFile(index.Replace[filepath.Join(root, "faults/bug.go")])
	require.NoError(t, err)
	assert.Contains(t, string(added), "FLASHSALE_BUG")
	left, err := os.ReadFile(filepath.Join(root, "a/a.go"))
	require.NoError(t, err)
	assert.Equal(t, guarded, string(left))
}
