package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func keyed(o sale.RecordOrder, key string) sale.RecordOrder {
	o.Key = key
	return o
}

var ann = Owner{"eleven", "ann"}

// After Redis lost writes, two calls may take two orders for one key: one of them becomes an order.
func TestKeyMakesOneOrder(t *testing.T) {
	for name, second := range map[string]int64{"fork": 1, "later write": 2} {
		var made ids
		first, again := keyed(made.one("ann", 1), "k1"), keyed(made.one("ann", 1), "k1")
		p := settled(stateOf(true, 3, 10), batch(0, 1, 1, first), batch(0, 1, second, again))
		require.Len(t, p.Confirmed, 1, name)
		require.Equal(t, again.OrderID, p.Refused[0].OrderID, name)
		require.Equal(t, sale.ReasonOverLimit, p.Refused[0].Reason, name)
		require.Equal(t, 1, p.state.BoughtBy(ann).Units["phone"], "a refused order counts not")
		require.Contains(t, p.Closing, bucketNo(0), name)
		hasty := settled(stateOf(false, 3, 10), batch(0, 1, 1, first), batch(0, 1, second, again))
		require.True(t, hasty.LookCloser)
	}
}

func TestKeyOfAnOrderInTheBooks(t *testing.T) {
	for _, closely := range []bool{true, false} {
		var made ids
		state := stateOf(closely, 1, 10)
		state.BoughtBy(ann).Keys["k1"] = true // cancelled: it counts not, its key does
		p := settled(state, batch(0, 1, 1, keyed(made.one("ann", 1), "k1")))
		require.Len(t, p.Refused, 1)
		require.Equal(t, ClosedByOrder, p.Closing[bucketNo(0)])
		require.Equal(t, !closely, p.LookCloser)

		p = settled(state, batch(0, 1, 2, keyed(made.one("ann", 1), "k2"), keyed(made.one("bob", 1), "k1"), made.one("cat", 1)))
		require.Len(t, p.Confirmed, 3, "other keys, other buyers, no key")
	}
}

// A key belongs to a buyer in a sale, whatever the SKUs.
func TestKeyCountsForEverySKU(t *testing.T) {
	var made ids
	state := shelve(stateOf(true, 3, 10), "case", 2, 3, 10)
	p := settled(state, batch(0, 1, 1, keyed(made.one("ann", 1), "k1"), keyed(made.order("ann", line("case", 1)), "k1")))
	require.Len(t, p.Confirmed, 1)
	require.Equal(t, sale.ReasonOverLimit, p.Refused[0].Reason)
}

func TestRefusedOrderLeavesItsKey(t *testing.T) {
	var made ids
	state := stateOf(true, 3, 10)
	late, again := keyed(made.one("ann", 1), "k1"), keyed(made.one("ann", 1), "k1")
	p := settled(state, batch(0, 0, 1, late), batch(0, 1, 1, again))
	require.Equal(t, sale.ReasonFenced, p.Refused[0].Reason)
	require.Equal(t, again.OrderID, p.Confirmed[0].OrderID)
	require.Empty(t, p.Closing)

	p = settled(state, batch(0, 0, 2, keyed(made.one("ann", 1), "k1")))
	require.Equal(t, sale.ReasonFenced, p.Refused[0].Reason, "a late order is fenced with any key")
	require.Empty(t, p.Closing)
}
