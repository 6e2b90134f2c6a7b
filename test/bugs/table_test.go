package bugs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// fewest is the least number of bugs in the table: none may be lost.
const fewest = 75

var asked = regexp.MustCompile(`faults\.Bug\("([^"]*)"\)`)

// TestTableIsWhole: every bug has a unique name, a description and a check; its Go replacements ask for this bug and for no
// other.
func TestTableIsWhole(t *testing.T) {
	names := Names()
	require.GreaterOrEqual(t, len(names), fewest)
	slices.Sort(names)
	require.Equal(t, slices.Compact(slices.Clone(names)), names, "names of bugs")
	for _, b := range Bugs() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)+$`, b.Name)
		assert.NotEmpty(t, b.What, b.Name)
		assert.NotEmpty(t, b.Checks, b.Name)
		assert.NotEmpty(t, b.Seeds, b.Name)
		for _, r := range b.Seeds {
			hits := asked.FindAllStringSubmatch(r.New, -1)
			if path.Ext(r.File) == ".lua" {
				assert.Empty(t, hits, "%s: a script cannot ask", b.Name)
				continue
			}
			assert.NotEmpty(t, hits, "%s: the change of %s is made without asking for the bug", b.Name, r.File)
			for _, hit := range hits {
				assert.Equal(t, b.Name, hit[1])
			}
		}
	}
}

// TestTableFits: every replacement has its one place in the tree, and the files can be read with all of them. The bugs that
// do not fit are named, with file and text.
func TestTableFits(t *testing.T) {
	changed, err := seed(harness.Root(t), Bugs())
	require.NoError(t, err)
	for file, text := range changed {
		tree, err := os.ReadFile(filepath.Join(harness.Root(t), file))
		if file == scriptsChanges {
			require.ErrorIs(t, err, fs.ErrNotExist, "the file is the overlay's alone")
			continue
		}
		require.NoError(t, err)
		assert.NotEqual(t, string(tree), text, file)
	}
}

// TestTableIsUnknownToTheProduct: no file of the product asks for a bug, names one, or reads the variable that chooses one.
func TestTableIsUnknownToTheProduct(t *testing.T) {
	words := append(Names(), "faults.Bug", "FLASHSALE_BUG")
	product, err := productFiles(os.DirFS(harness.Root(t)))
	require.NoError(t, err)
	require.Greater(t, len(product), 100)
	for _, file := range product {
		text, err := os.ReadFile(filepath.Join(harness.Root(t), file))
		require.NoError(t, err)
		for _, word := range words {
			assert.False(t, strings.Contains(string(text), word), "%s knows %q", file, word)
		}
	}
}

func TestProductFiles(t *testing.T) {
	root := tree(t, "main.go", "", "a/a.go", "", "a/a_test.go", "", "a/x.lua", "",
		"test/b/b.go", "", "docs/c.md", "", "a/testdata/d.go", "")
	found, err := productFiles(os.DirFS(root))
	require.NoError(t, err)
	require.Equal(t, []string{"a/a.go", "a/x.lua", "main.go"}, found)
}
