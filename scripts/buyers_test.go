package scripts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestEntries(t *testing.T) {
	pairs := buyersOf([]sale.RecordOrder{
		{OrderID: 39, Quantity: 2, Buyer: "b", Key: "k, 1"},
		{OrderID: 3, Quantity: 1, Buyer: "a"},
		{OrderID: 8, Quantity: 1, Buyer: "b"},
	}, []sale.RecordOrder{{OrderID: 10, Quantity: 3, Buyer: "b", Key: "k"}, {OrderID: 9, Quantity: 1, Buyer: "c"}})
	require.Equal(t, []string{"a", "3,1,,0,0", "b", `8,1,,0,0"a,-3,k,0,0"13,2,k, 1,0,0`, "c", "9,-1,,0,0"}, pairs)
	entries, err := parseEntries(pairs[3])
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{
		{orderID: 8, quantity: 1}, {orderID: 10, quantity: 3, released: true, key: "k"}, {orderID: 39, quantity: 2, key: "k, 1"},
	}, entries)
	entries, err = parseEntries("7,1,,12,-z")
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{{orderID: 7, quantity: 1, sequence: 38, sinceMS: -35}}, entries)
	for _, bad := range []string{"", "1,2,3,4", "!,1,,1,1", "0,1,,1,1", "1,x,,1,1", "1,1,,!,1", "1,1,,1,!"} {
		_, err := parseEntries(bad)
		require.Error(t, err, bad)
	}
	require.Empty(t, buyersOf(nil, nil))
}
