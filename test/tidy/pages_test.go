package tidy

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPagesNameWhatExists(t *testing.T) {
	tests := testsByFolder(houseSources(t))
	everywhere(t, func(tree fs.FS) (found []finding, err error) {
		names, err := files(tree)
		for _, name := range names {
			if path.Ext(name) == ".md" {
				found = append(found, pageFindings(tree, tests, name, page(t, name))...)
			}
		}
		return found, err
	})
}

func TestRoomImportsAreDocumented(t *testing.T) {
	nothing(t, roomImportFindings("docs/architecture.md", page(t, "docs/architecture.md")))
}

func TestPathsOutsideTheTreeAreFound(t *testing.T) {
	tree := treeOf(t, "a/b.go", "", "a/c/d.lua", "", "deploy/x", "", "bin/y", "", "docs/p.md", "", "README.md", "")
	good := "`a/b.go`, `a/c`, `a/c/d.lua`, `/a/x.go` and `other/lib`, `docs/NNNN-x.md`, [x](p.md#y), [z](https://a.example/q), " +
		"[r](../README.md), `GET /a/b`"
	assert.Empty(t, text(pageFindings(tree, nil, "docs/p.md", good)))
	for line, fault := range map[string]string{
		"`a/x.go`":    "p.md:1: names a/x.go, which is not in the tree",
		"`a/nowhere`": "p.md:1: names a/nowhere, which is not in the tree",
		"`b/x.lua`":   "p.md:1: names b/x.lua, which is not in the tree",
		"[x](q.md)":   "p.md:1: links to docs/q.md, which is not in the tree",
	} {
		assert.Equal(t, "docs/"+fault, text(pageFindings(tree, nil, "docs/p.md", line)), line)
	}
}

func TestTestsThatAreNotThereAreFound(t *testing.T) {
	tests := testsByFolder(parse(t, "a/a.go", "package a\nfunc TestNot() {}\n",
		"a/a_test.go", "package a\nfunc TestOne() {}\nfunc BenchmarkTwo() {}\nfunc (x y) TestMethod() {}\n"))
	require.Equal(t, map[string][]string{"a": {"TestOne", "BenchmarkTwo"}}, tests)
	good := "`TestOne`, `TestOne` in `a`, `BenchmarkTwo`\n`go test ./a -run xxx -bench 'Two\\|Tw'` `go test ./a/... -v`\n" +
		"go test ./a -run One -v\n"
	assert.Empty(t, text(pageFindings(treeOf(t), tests, "p.md", good)))
	for line, fault := range map[string]string{
		"`TestThree`":                            "names TestThree, which is no test of the tree",
		"`TestOne` in `b`":                       "names TestOne, which is not in b",
		"`TestNot` in `a`":                       "names TestNot, which is not in a",
		"`go test ./a -run Two`":                 "-run Two matches nothing in a",
		"`go test ./a -run xxx -bench 'Two|On'`": "-bench On matches nothing in a",
		"`go test ./b -run One`":                 "-run One matches nothing in b",
	} {
		assert.Equal(t, "p.md:1: "+fault, text(pageFindings(treeOf(t), tests, "p.md", line)), line)
	}
}

func TestImportsOfRowsAreCompared(t *testing.T) {
	rows := "| room | imports of ours | x |\n| --- | --- | --- |\n| `sale` | | y |\n| `cmd` | `cli` | |\n| `nowhere` | `x` | |\n"
	assert.Empty(t, text(roomImportFindings("p", rows)))
	assert.Equal(t, "p: cmd imports [app] by its row and [cli] by its direction",
		text(roomImportFindings("p", strings.Replace(rows, "`cli`", "`app`", 1))))
	assert.Contains(t, text(roomImportFindings("p", "")), "has no table")
	assert.Contains(t, text(roomImportFindings("p", "| room | y |\n| --- | --- |\n| `sale` | |\n")), "has no column")
}
