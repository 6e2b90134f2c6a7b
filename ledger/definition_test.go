package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func of[T any](value T) *T { return &value }

func soldSale(state sale.State) *sale.Sale {
	start := sale.TimeMillis(noonMS)
	return &sale.Sale{
		ID: "eleven", State: state, Name: "Eleven", StartsAt: start, EndsAt: sale.Time{Time: start.Add(time.Hour)},
		Currency: "CNY", PerBuyerLimit: 1, SaleLimit: 4, PaymentTTL: 900, Eligibility: sale.EligibilityOpen, Buckets: 2,
		Items: []sale.Item{
			{SKU: "phone", Stock: 10, PriceCents: 129900, Number: 1}, {SKU: "case", Stock: 4, PerBuyerLimit: of(5), Number: 2},
		},
	}
}

func TestWhatAPreloadedSaleMayChange(t *testing.T) {
	before, after := time.UnixMilli(noonMS-1), time.UnixMilli(noonMS)
	const fixed = "currency, limits, payment time, eligibility and buckets are fixed by the preload"
	for name, c := range map[string]struct {
		change                  func(s *sale.Sale)
		preloaded, open, closed string
	}{
		"nothing":     {func(*sale.Sale) {}, "", "", ""},
		"the name":    {func(s *sale.Sale) { s.Name = "Twelve" }, "", "", ""},
		"currency":    {func(s *sale.Sale) { s.Currency = "EUR" }, fixed, fixed, fixed},
		"limit":       {func(s *sale.Sale) { s.PerBuyerLimit = 2 }, fixed, fixed, fixed},
		"sale limit":  {func(s *sale.Sale) { s.SaleLimit = 0 }, fixed, fixed, fixed},
		"ttl":         {func(s *sale.Sale) { s.PaymentTTL = 0 }, fixed, fixed, fixed},
		"eligibility": {func(s *sale.Sale) { s.Eligibility = sale.EligibilityList }, fixed, fixed, fixed},
		"buckets":     {func(s *sale.Sale) { s.Buckets = 1 }, fixed, fixed, fixed},
		"the start": {func(s *sale.Sale) { s.StartsAt = sale.TimeMillis(noonMS + 1) }, "",
			"starts_at cannot change after the start", "only the name of a closed sale can change"},
		"the end": {func(s *sale.Sale) { s.EndsAt = sale.TimeMillis(noonMS + 1) }, "", "",
			"only the name of a closed sale can change"},
		"more stock": {func(s *sale.Sale) { s.Items[0].Stock = 11 }, "", "", "only the name of a closed sale can change"},
		"less stock": {func(s *sale.Sale) { s.Items[0].Stock = 9 }, "", "", "only the name of a closed sale can change"},
		"item name":  {func(s *sale.Sale) { s.Items[1].Name = "Case" }, "", "", "only the name of a closed sale can change"},
		"a price": {func(s *sale.Sale) { s.Items[0].PriceCents = 1 }, "",
			"a price cannot change while the sale is open: items[0] costs 129900", "only the name of a closed sale can change"},
		"an item's limit": {func(s *sale.Sale) { s.Items[1].PerBuyerLimit = of(6) },
			"per_buyer_limit is fixed by the preload: items[1]", "per_buyer_limit is fixed by the preload: items[1]",
			"only the name of a closed sale can change"},
		"an item's limit goes": {func(s *sale.Sale) { s.Items[1].PerBuyerLimit = nil },
			"per_buyer_limit is fixed by the preload: items[1]", "per_buyer_limit is fixed by the preload: items[1]",
			"only the name of a closed sale can change"},
		"a new item first": {func(s *sale.Sale) { s.Items = append([]sale.Item{{SKU: "cable"}}, s.Items...) }, "", "",
			"only the name of a closed sale can change"},
		"an item less": {func(s *sale.Sale) { s.Items[0].SKU = "cable" },
			"items can be added, not removed, after the preload: phone is missing",
			"items can be added, not removed, after the preload: phone is missing", "only the name of a closed sale can change"},
	} {
		for state, want := range map[sale.State]string{
			sale.StatePreloaded: c.preloaded, sale.StateOpen: c.open, sale.StateClosed: c.closed,
		} {
			now := before
			if state != sale.StatePreloaded {
				now = after
			}
			wanted := soldSale(state)
			c.change(wanted)
			require.Equal(t, want, ForbiddenChange(soldSale(state), wanted, now), "%s of a sale that is %s", name, state)
			require.Equal(t, name == "nothing", SameDefinition(soldSale(state), wanted), name)
		}
	}
}

func TestAPriceMayChangeDuringAPause(t *testing.T) {
	wanted := soldSale(sale.StatePaused)
	wanted.Items[0].PriceCents = 1
	require.Empty(t, ForbiddenChange(soldSale(sale.StatePaused), wanted, time.UnixMilli(noonMS+1)))
}

// A definition has no numbers: they are the database's.
func TestNumbersAreNoPartOfADefinition(t *testing.T) {
	wanted := soldSale(sale.StateOpen)
	wanted.Items[0].Number = 0
	require.True(t, SameDefinition(soldSale(sale.StateOpen), wanted))
}
