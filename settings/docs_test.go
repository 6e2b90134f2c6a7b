package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/operations.md must have one row for each setting, in the order of the list, with its default and its range.
func TestTheOperatorsPageListsEverySetting(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	var want strings.Builder
	for _, s := range All() {
		want.WriteString(docRow(s) + "\n")
	}
	assert.True(t, strings.Contains(string(page), want.String()), "the table of settings must read:\n%s", want.String())
}

func docRow(s Setting) string {
	standard := "none"
	if s.Default != "" {
		standard = "`" + s.Default + "`"
	}
	form := s.Type()
	switch {
	case form == "number":
		form = s.Range() + " " + s.Unit
	case s.Range() != "":
		form += ": " + s.Range()
	}
	text := s.Doc
	if len(s.Needed) > 0 {
		text += " Needed by " + strings.Join(s.Needed, ", ") + "."
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", s.Env(), standard, form, strings.Join(s.Used, ", "), text)
}
