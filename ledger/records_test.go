package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestBucketsOfRecords(t *testing.T) {
	var made ids
	require.Empty(t, Buckets([]sale.Record{{Fence: "f"}}))
	require.Equal(t, []sale.Bucket{bucketNo(0), bucketNo(1), bucketNo(2)}, Buckets([]sale.Record{
		{Batch: batch(0, 1, 1, made.one("ann", 1))}, {Transfer: transfer(0, 1, 1, 2, 3)}, {Transfer: transfer(2, 1, 1, 1, 3)},
	}))
}

func TestShelvesOfRecords(t *testing.T) {
	var made ids
	require.Empty(t, Shelves([]sale.Record{{Fence: "f"}}))
	require.Equal(t, []sale.Shelf{
		shelfNo(0, "case"), shelfNo(0, "phone"), shelfNo(1, "case"), shelfNo(2, "cable"), shelfNo(2, "case"),
	}, Shelves([]sale.Record{
		{Transfer: transferOf(2, 1, 1, 2, sale.SKUUnits{SKU: "case", Units: 3})},
		{Batch: batch(0, 1, 1, made.one("ann", 1), made.order("bob", line("phone", 1), line("case", 2)), made.one("cat", 1))},
		{Batch: batch(2, 1, 1, made.order("ann", line("cable", 1)))},
	}))
}

func TestOwnersOfBatches(t *testing.T) {
	var made ids
	first := batch(1, 1, 1, made.one("cat", 1), made.one("ann", 1), made.one("cat", 1))
	other := batch(0, 1, 1, made.one("ann", 1))
	other.Sale = "a-sale"
	require.Equal(t, []Owner{{"a-sale", "ann"}, {"eleven", "ann"}, {"eleven", "cat"}},
		OwnersOf([]*sale.Batch{first, other}))
	require.Empty(t, OwnersOf(nil))
}
