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

func annsKey(key string) Key { return Key{Owner{"eleven", "phone", "ann"}, key} }

// After Redis lost writes, two calls may take two orders for one key: one of them becomes an order.
func TestKeyMakesOneOrder(t *testing.T) {
	for name, second := range map[string]int64{"fork": 1, "later write": 2} {
		var made ids
		ann, again := keyed(made.one("ann", 1), "k1"), keyed(made.one("ann", 1), "k1")
		p := settled(stateOf(true, 3, 10), batch(0, 1, 1, ann), batch(0, 1, second, again))
		require.Len(t, p.Confirmed, 1, name)
		require.Equal(t, again.OrderID, p.Refused[0].OrderID, name)
		require.Equal(t, sale.ReasonOverLimit, p.Refused[0].Reason, name)
		require.Len(t, p.Allowances, 1, "a refused order takes no slot")
		require.Contains(t, p.Closing, bucketNo(0), name)
		hasty := settled(stateOf(false, 3, 10), batch(0, 1, 1, ann), batch(0, 1, second, again))
		require.True(t, hasty.LookCloser)
	}
}

func TestKeyOfAnOrderInTheBooks(t *testing.T) {
	for _, closely := range []bool{true, false} {
		var made ids
		state := stateOf(closely, 1, 10)
		state.Keys[annsKey("k1")] = true // cancelled: its slot is free, its key is not
		p := settled(state, batch(0, 1, 1, keyed(made.one("ann", 1), "k1")))
		require.Len(t, p.Refused, 1)
		require.Equal(t, ClosedByOrder, p.Closing[bucketNo(0)])
		require.Equal(t, !closely, p.LookCloser)

		p = settled(state, batch(0, 1, 2, keyed(made.one("ann", 1), "k2"), keyed(made.one("bob", 1), "k1"), made.one("cat", 1)))
		require.Len(t, p.Confirmed, 3, "other keys, other buyers, no key")
	}
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

func TestMayHaveOrders(t *testing.T) {
	ann := Owner{"eleven", "phone", "ann"}
	closely, hasty := stateOf(true, 3, 10), stateOf(false, 3, 10)
	row := hasty.Stock[bucketNo(0)]
	require.True(t, closely.MayHaveOrders(row, ann))
	require.False(t, hasty.MayHaveOrders(row, ann))
	slots := hasty.SlotsOf(ann)
	require.False(t, hasty.MayHaveOrders(row, ann))
	slots.Set(2)
	require.True(t, hasty.MayHaveOrders(row, ann))
	row.Released = 1
	require.True(t, hasty.MayHaveOrders(row, Owner{"eleven", "phone", "bob"}), "bob may have given units back")
}
