package protocol

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// named finds `rule: name` and `rules: name, name` in comments.
var named = regexp.MustCompile(`[Rr]ules?: ([a-z]+(?:-[a-z]+)*(?:, [a-z]+(?:-[a-z]+)*)*)`)

// TestEveryRuleIsNamedWhereItIsBuilt: the comments of the engine name every rule of the model, and no other.
func TestEveryRuleIsNamedWhereItIsBuilt(t *testing.T) {
	found := map[string][]string{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "test" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".lua") && !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, rules := range named.FindAllStringSubmatch(commentsOf(path, string(text)), -1) {
			for _, rule := range strings.Split(rules[1], ", ") {
				found[rule] = append(found[rule], path)
			}
		}
		return err
	})
	require.NoError(t, err)
	for _, rule := range Rules() {
		assert.NotEmpty(t, found[rule.String()], "no comment of the engine says where rule %s is built", rule)
		delete(found, rule.String())
	}
	maps.DeleteFunc(found, func(word string, _ []string) bool { return !strings.Contains(word, "-") }) // plain words
	require.Empty(t, found, "rules that the model does not have")
}

// commentsOf returns what the comments of a source say, in one line.
func commentsOf(path, text string) string {
	begin := "//"
	if strings.HasSuffix(path, ".lua") {
		begin = "--"
	}
	var comments []string
	for line := range strings.Lines(text) {
		if _, comment, is := strings.Cut(line, begin); is {
			comments = append(comments, strings.TrimSpace(comment))
		}
	}
	return strings.Join(comments, " ")
}

func TestCommentsOf(t *testing.T) {
	got := commentsOf("a.go", "x := 1 // rule: one\n// and (rules: two,\n// three-four). No\ny := 2\n")
	require.Equal(t, "rule: one and (rules: two, three-four). No", got)
	require.Equal(t, [][]string{{"rule: one", "one"}, {"rules: two, three-four", "two, three-four"}}, named.FindAllStringSubmatch(got, -1))
	require.Equal(t, "rule: x", commentsOf("a.lua", "local y = 1 -- rule: x\n"))
}
