package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// shopState is the state of soldSale: 5 and 5 phones, 2 and 2 cases.
func shopState() *State {
	return shelve(shelve(stateOf(true, 1, 5, 5), "case", 2, 5, 2, 2), "cable", 3, 1, 0, 0)
}

func restocked(state *State, takes []sale.OutboxRow, change func(s *sale.Sale)) (*Plan, []sale.Item) {
	wanted := soldSale(sale.StateOpen)
	for i := range wanted.Items {
		wanted.Items[i].Number = 0
	}
	change(wanted)
	p := NewPlan(state)
	return p, p.Restock(twoBuckets, soldSale(sale.StateOpen), wanted, takes)
}

func TestRestockRaisesTakesAndAdds(t *testing.T) {
	p, items := restocked(shopState(), nil, func(s *sale.Sale) {
		s.Items[0].Stock, s.Items[1].Stock = 13, 1
		s.Items = append([]sale.Item{{SKU: "cable", Stock: 1}}, s.Items...)
	})
	require.Equal(t, []sale.OutboxRow{
		{Bucket: bucketNo(0), Number: 1, Epoch: 1, Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{
			aLine("cable", 1, 3, 1), aLine("phone", 2, 1, 1),
		}},
		{Bucket: bucketNo(0), Number: 2, Epoch: 1, Kind: sale.OutboxTake, Lines: []sale.OutboxLine{aLine("case", 1, 2, 5)}},
		{Bucket: bucketNo(1), Number: 1, Epoch: 1, Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{
			aLine("cable", 0, 3, 1), aLine("phone", 1, 1, 1),
		}},
		{Bucket: bucketNo(1), Number: 2, Epoch: 1, Kind: sale.OutboxTake, Lines: []sale.OutboxLine{aLine("case", 2, 2, 5)}},
	}, p.Outbox)
	require.Equal(t, []sale.Item{
		{SKU: "cable", Stock: 1, Number: 3}, {SKU: "phone", Stock: 13, PriceCents: 129900, Number: 1},
		{SKU: "case", Stock: 4, PerBuyerLimit: of(5), Number: 2}, // until the takes are decided
	}, items)
}

func TestRestockOfTheSameStockDoesNothing(t *testing.T) {
	p, items := restocked(stateOf(true, 1), nil, func(*sale.Sale) {})
	require.Empty(t, p.Outbox)
	require.Equal(t, soldSale(sale.StateOpen).Items, items)
}

// Takes that Redis has still to decide count as done: the same definition again asks for nothing more.
func TestRestockCountsOpenTakes(t *testing.T) {
	first, _ := restocked(shopState(), nil, func(s *sale.Sale) { s.Items[0].Stock = 4 })
	nine := []sale.OutboxLine{aLine("phone", 9, 1, 1)}
	takes := append(first.Outbox, sale.OutboxRow{Bucket: bucketNo(0), Kind: sale.OutboxRaise, Lines: nine},
		sale.OutboxRow{Bucket: sale.Bucket{Sale: "other"}, Kind: sale.OutboxTake, Lines: nine})
	require.EqualValues(t, 4, Pending(soldSale(sale.StateOpen), takes).Items[0].Stock)
	again, items := restocked(shopState(), takes, func(s *sale.Sale) { s.Items[0].Stock = 4 })
	require.Empty(t, again.Outbox)
	require.EqualValues(t, 10, items[0].Stock)

	less, _ := restocked(shopState(), takes, func(s *sale.Sale) { s.Items[0].Stock = 2 })
	require.Len(t, less.Outbox, 2)
	require.EqualValues(t, 1, less.Outbox[0].Lines[0].Units)

	back, items := restocked(shopState(), takes, func(s *sale.Sale) { s.Items[0].Stock = 10 })
	require.Len(t, back.Outbox, 2)
	require.Equal(t, sale.OutboxRaise, back.Outbox[0].Kind)
	require.EqualValues(t, 16, items[0].Stock, "10 when the takes are decided")
}

func TestPendingIsNotBelowNothing(t *testing.T) {
	present := soldSale(sale.StateOpen)
	takes := []sale.OutboxRow{
		{Bucket: bucketNo(0), Kind: sale.OutboxTake, Lines: []sale.OutboxLine{aLine("case", 9, 2, 5), aLine("lost", 1, 9, 1)}},
	}
	require.Zero(t, Pending(present, takes).Items[1].Stock)
	require.EqualValues(t, 4, present.Items[1].Stock, "a copy")
}

func TestNumbersAreGivenOnce(t *testing.T) {
	items := Numbered(nil, []sale.Item{{SKU: "a", Number: 7}, {SKU: "b"}})
	require.Equal(t, []sale.Item{{SKU: "a", Number: 1}, {SKU: "b", Number: 2}}, items, "operators do not set them")
	items = Numbered(items, []sale.Item{{SKU: "c"}, {SKU: "b"}, {SKU: "d"}})
	require.Equal(t, []sale.Item{{SKU: "c", Number: 3}, {SKU: "b", Number: 2}, {SKU: "d", Number: 4}}, items)
}
