package store

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var quoted = regexp.MustCompile("`([a-z_]+)`")

// pageColumns returns the columns that the operators' page names of a table: the first cells of the table whose head begins
// with the table's name.
func pageColumns(t *testing.T, table string) (columns []string) {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, rows, found := strings.Cut(string(page), "\n| `"+table+"`")
	require.True(t, found, "no table of the columns of %s", table)
	rows, _, _ = strings.Cut(rows, "\n\n")
	for _, row := range strings.Split(rows, "\n")[2:] {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, hit := range quoted.FindAllStringSubmatch(first, -1) {
			columns = append(columns, hit[1])
		}
	}
	return columns
}

// TestThePageHasTheColumns: of the tables that shops may read, the operators' page names every column and no other.
func TestThePageHasTheColumns(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for _, table := range []string{"orders", "order_lines", "stock", "buckets"} {
			rows, err := s.db.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
			require.NoError(t, err)
			defer rows.Close()
			columns, err := rows.Columns()
			require.NoError(t, err)
			require.NoError(t, rows.Err())
			require.ElementsMatch(t, columns, pageColumns(t, table), "docs/operations.md, table %s", table)
		}
	})
}
