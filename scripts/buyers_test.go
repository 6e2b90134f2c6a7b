package scripts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// units are lines by number and quantity, in pairs.
func units(pairs ...int) (lines []sale.Line) {
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, sale.Line{Number: pairs[i], Quantity: pairs[i+1]})
	}
	return lines
}

func TestEntries(t *testing.T) {
	pairs := buyersOf([]sale.RecordOrder{
		{OrderID: 39, Lines: units(36, 2, 1, 1, 10, 100), Buyer: "b", Key: "k, 1"},
		{OrderID: 3, Lines: units(1, 1), Buyer: "a"},
		{OrderID: 8, Lines: units(37, 1), Buyer: "b"},
	}, []sale.RecordOrder{
		{OrderID: 10, Lines: units(2, 3), Buyer: "b", Key: "k"}, {OrderID: 9, Lines: units(1, 1, 2, 1), Buyer: "c"},
	})
	require.Equal(t, []string{
		"a", "3,1,,0,0", "b", `8,11,,0,0"a,-2:3,k,0,0"13,1+a:100+10:2,k, 1,0,0`, "c", "9,-1+2,,0,0",
	}, pairs)
	entries, err := parseEntries(pairs[3])
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{
		{orderID: 8, lines: units(37, 1)}, {orderID: 10, lines: units(2, 3), released: true, key: "k"},
		{orderID: 39, lines: units(1, 1, 10, 100, 36, 2), key: "k, 1"},
	}, entries)
	numbers, err := appendNumbers(nil, pairs[3])
	require.NoError(t, err)
	require.Equal(t, []int{37, 2, 1, 10, 36}, numbers)
	entries, err = parseEntries("7,1,,12,-z")
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{{orderID: 7, lines: units(1, 1), sequence: 38, sinceMS: -35}}, entries)
	require.Empty(t, buyersOf(nil, nil))
}

func TestMalformedEntries(t *testing.T) {
	for _, bad := range []string{
		"", "1,2,3,4", "!,1,,1,1", "0,1,,1,1", "1,!,,1,1", "1,1,,!,1", "1,1,,1,!", "1,0,,1,1", "1,1:0,,1,1", "1,1:,,1,1",
		"1,1+,,1,1", "1,--1,,1,1", "1,,,1,1",
	} {
		_, err := parseEntries(bad)
		require.Error(t, err, bad)
	}
	for _, bad := range []string{"", "1", "1,1", "1,!,", `1,1,"2`} {
		_, err := appendNumbers(nil, bad)
		require.Error(t, err, bad)
	}
	require.Panics(t, func() { appendEntryLines(nil, units(0, 1)) }, "a line without a number")
	require.Panics(t, func() { appendEntryLines(nil, units(3, 1, 3, 1)) }, "two lines of one number")
}

// TestReleasedOrdersThatAreLoaded: of a buyer's released orders a load takes the newest of each SKU.
func TestReleasedOrdersThatAreLoaded(t *testing.T) {
	var released []sale.RecordOrder
	for id := range sale.OrderID(20) {
		lines := units(1, 1)
		switch {
		case id == 5:
			lines = units(1, 1, 2, 1) // beyond the newest of SKU 1, the newest of SKU 2
		case id < 3:
			lines = units(3, 1)
		}
		released = append(released, sale.RecordOrder{OrderID: id + 1, Lines: lines, Buyer: "b"})
	}
	entries, err := parseEntries(buyersOf([]sale.RecordOrder{{OrderID: 4, Lines: units(1, 1), Buyer: "b"}}, released)[1])
	require.NoError(t, err)
	var ids []sale.OrderID
	for _, entry := range entries {
		ids = append(ids, entry.orderID)
	}
	require.Subset(t, ids, []sale.OrderID{1, 2, 3, 6, 13, 20})
	require.Len(t, ids, 3+1+1+sale.MaxReleased)
}
