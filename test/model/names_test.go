package protocol

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// named finds `rule: name` and `rules: name, name` in comments.
var named = regexp.MustCompile(`[Rr]ules?: ([a-z]+(?:-[a-z]+)*(?:, [a-z]+(?:-[a-z]+)*)*)`)

// rulesPage is the page with a row for each rule.
const rulesPage = "../../docs/recovery.md"

// TestRulesHaveOneNameEverywhere: the comments of the engine, the model and the page name the same rules, and the page
// lists the scripts and rooms of those comments.
func TestRulesHaveOneNameEverywhere(t *testing.T) {
	built := placesOfRules(t)
	text, err := os.ReadFile(rulesPage)
	require.NoError(t, err)
	rows := rowsOfRules(string(text))
	for _, rule := range Rules() {
		name := rule.String()
		assert.NotEmpty(t, built[name], "no comment of the engine says where rule %s is kept", name)
		assert.Contains(t, rows, name, "%s has no row for the rule", rulesPage)
		assert.Equal(t, built[name], rows[name].places, "the last column of %s in %s", name, rulesPage)
		assert.Greater(t, len(rows[name].demand), 40, "what %s demands, in a sentence", name)
		assert.Equal(t, 1, rows[name].count, "rows of %s", name)
		delete(built, name)
		delete(rows, name)
	}
	maps.DeleteFunc(built, func(word string, _ []string) bool { return !strings.Contains(word, "-") }) // plain words
	assert.Empty(t, built, "rules that comments name and the model does not have")
	assert.Empty(t, rows, "rules that the page names and the model does not have")
}

// placesOfRules reads the comments of the engine: the scripts and rooms that name each rule, sorted.
func placesOfRules(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("../..", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "test" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".lua") && !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		for _, rules := range named.FindAllStringSubmatch(commentsOf(file, string(text)), -1) {
			for _, rule := range strings.Split(rules[1], ", ") {
				found[rule] = append(found[rule], placeOf(file))
			}
		}
		return err
	})
	require.NoError(t, err)
	for rule, places := range found {
		slices.Sort(places)
		found[rule] = slices.Compact(places)
	}
	return found
}

// placeOf returns the script itself, or the room of a Go file.
func placeOf(file string) string {
	name := strings.TrimPrefix(filepath.ToSlash(file), "../../")
	if path.Ext(name) == ".lua" {
		return name
	}
	room, _, _ := strings.Cut(name, "/")
	return room
}

// ruleRow is the page's row of a rule.
type ruleRow struct {
	demand string
	places []string // as in the last column
	count  int      // how many rows the rule has
}

var (
	rowOfRule = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([^|]+) \\| ([^|]+) \\|$")
	inQuotes  = regexp.MustCompile("`([^`]+)`")
)

// rowsOfRules reads the tables of a page whose first column is a rule.
func rowsOfRules(page string) map[string]ruleRow {
	rows := map[string]ruleRow{}
	for _, cells := range rowOfRule.FindAllStringSubmatch(page, -1) {
		row := ruleRow{demand: cells[2], count: rows[cells[1]].count + 1}
		for _, place := range inQuotes.FindAllStringSubmatch(cells[3], -1) {
			row.places = append(row.places, place[1])
		}
		rows[cells[1]] = row
	}
	return rows
}

// commentsOf returns the text of a source's comments, in one line.
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
	require.Equal(t, [][]string{{"rule: one", "one"}, {"rules: two, three-four", "two, three-four"}},
		named.FindAllStringSubmatch(got, -1))
	require.Equal(t, "rule: x", commentsOf("a.lua", "local y = 1 -- rule: x\n"))
}

func TestRowsOfRules(t *testing.T) {
	got := rowsOfRules("| rule | what |\n| --- | --- |\n| `a-b` | Does x. | `scripts/a.lua`, `ledger` |\n" +
		"text\n| `a-b` | Again. | `ledger` |\n")
	require.Equal(t, map[string]ruleRow{"a-b": {demand: "Again.", places: []string{"ledger"}, count: 2}}, got)
	require.Equal(t, []string{"scripts/a.lua", "reserve"},
		[]string{placeOf("../../scripts/a.lua"), placeOf("../../reserve/a.go")})
}
