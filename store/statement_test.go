package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestStatements(t *testing.T) {
	require.Equal(t, "IN (?,?,?)", repeated("IN (", "?", ",", 3, ")"))
	require.Equal(t, "?", placeholders(1))
	require.Equal(t, "()", repeated("(", "?", ",", 0, ")"))
	require.Equal(t, "((sale_id = ? AND sku = ? AND bucket = ?) OR (sale_id = ? AND sku = ? AND bucket = ?))", inKeys(2))
}

// The longest row times the rows of a statement stays below the smallest packet limit in use, 16 MiB, by far.
func TestStatementsFitAPacket(t *testing.T) {
	const fixed = 300 // numbers, times and punctuation of an order
	require.Less(t, maxRows*(fixed+3*sale.MaxIDBytes+2*sale.MaxKeyBytes), 1<<20)
}

func TestBucketsAreSortedOnce(t *testing.T) {
	a, b, c := sale.Bucket{Sale: "a", SKU: "z", Number: 9}, sale.Bucket{Sale: "b", SKU: "a", Number: 2}, sale.Bucket{Sale: "b", SKU: "a", Number: 10}
	given := []sale.Bucket{c, a, b, a, c}
	require.Equal(t, []sale.Bucket{a, b, c}, sorted(given))
	require.Equal(t, []sale.Bucket{c, a, b, a, c}, given, "the caller's slice stays as it is")
	require.Equal(t, []any{1, "a", "z", 9}, keyArgs([]any{1}, []sale.Bucket{a}))
}
