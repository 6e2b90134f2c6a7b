package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

func TestStatements(t *testing.T) {
	require.Equal(t, "IN (?,?,?)", repeated("IN (", "?", ",", 3, ")"))
	require.Equal(t, "?", placeholders(1))
	require.Equal(t, "()", repeated("(", "?", ",", 0, ")"))
	require.Equal(t, "((sale_id = ? AND bucket = ?) OR (sale_id = ? AND bucket = ?))", inKeys(2))
}

// The longest row times the rows of a statement stays below the smallest packet limit in use, 16 MiB, by far.
func TestStatementsFitAPacket(t *testing.T) {
	const fixed = 330 // numbers, times and punctuation of an order
	require.Less(t, maxRows*(fixed+3*sale.MaxIDBytes+2*sale.MaxKeyBytes), 1<<20)
}

func TestBucketsAreSortedOnce(t *testing.T) {
	a, b, c := sale.Bucket{Sale: "a", Number: 9}, sale.Bucket{Sale: "b", Number: 2}, sale.Bucket{Sale: "b", Number: 10}
	given := []sale.Bucket{c, a, b, a, c}
	require.Equal(t, []sale.Bucket{a, b, c}, sorted(given))
	require.Equal(t, []sale.Bucket{c, a, b, a, c}, given, "the caller's slice stays as it is")
	require.Equal(t, []any{1, "a", 9}, keyArgs([]any{1}, []sale.Bucket{a}))
}

// Many values become few conditions that together have each value once.
func TestConditionsAreBounded(t *testing.T) {
	var all []rowsWanted
	for group := range 3*maxTerms + 1 {
		all = append(all, rowsWanted{[]any{"s", group}, []any{"v"}})
	}
	long := rowsWanted{key: []any{"s", -1}}
	for i := range 2*maxIDs + 1 {
		long.values = append(long.values, i)
	}
	all = append(all, long)
	seen, conditions := 0, 0
	require.NoError(t, eachWhere("(a = ? AND b = ? AND c IN (", all, func(where string, args []any) error {
		conditions++
		terms := strings.Count(where, "a = ?")
		values := strings.Count(where, "?") - 2*terms
		require.LessOrEqual(t, terms, maxTerms)
		require.LessOrEqual(t, values, maxIDs)
		require.Len(t, args, 2*terms+values)
		seen += values
		return nil
	}))
	require.Equal(t, 3*maxTerms+1+2*maxIDs+1, seen)
	require.LessOrEqual(t, conditions, 7)
	require.NoError(t, eachWhere("(", nil, func(string, []any) error { return errors.New("never") }))
}

func TestTextIsALiteral(t *testing.T) {
	for text, literal := range map[string]string{
		"": "''", "buyer-1": "'buyer-1'", "it's ''?": "'it''s ''''?'", `back\slash`: "CAST(x'6261636b5c736c617368' AS CHAR)",
		"\x00": "CAST(x'00' AS CHAR)", "é": "CAST(x'c3a9' AS CHAR)",
	} {
		require.Equal(t, literal, string(appendText(nil, text)))
	}
}

// For any text in a literal, the database reads exactly that text.
func TestLiteralsAreReadAsTheyWere(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rapid.Check(t, func(r *rapid.T) {
			texts := rapid.SliceOfN(rapid.OneOf(
				rapid.StringMatching(`[ -~]{0,20}`),
				rapid.StringMatching("['\"?%;`-]{0,9}"), rapid.StringMatching(`[é\\' ]{0,5}`),
			), 3, 3).Draw(r, "texts")
			query := []byte("SELECT ")
			for _, text := range texts {
				query = append(appendText(query, text), ',')
			}
			var read [3]string
			err := s.db.QueryRow(string(query)+"1").Scan(&read[0], &read[1], &read[2], new(int))
			require.NoError(r, err)
			require.Equal(r, texts, read[:])
		})
	})
}
