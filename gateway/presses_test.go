package gateway

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Every press of a sale counts for it, with its outcome; a request whose path has no sale, or no SKU of it, counts for none.
func TestPressesOfASale(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(other *sale.Sale) { other.ID = "winter" }))
	require.Empty(t, s.gateway.Pulse().Sales, "nobody has pressed")
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Equal(t, http.StatusAccepted, s.press("bob", "").status)
	require.Equal(t, http.StatusUnauthorized, s.send("POST", "/v1/sales/autumn/items/phone/orders", "").status)
	require.Equal(t, http.StatusNotFound, s.send("POST", "/v1/sales/autumn/items/none/orders", "").status)
	require.Equal(t, http.StatusNotFound, s.send("POST", "/v1/sales/spring/items/phone/orders", "").status)
	p := s.gateway.Pulse()
	require.Equal(t, map[string]sale.Presses{"autumn": {"queued": 2, "unauthenticated": 1}}, p.Sales)
	require.Empty(t, p.Other)
	require.Equal(t, int64(5), sum(p.Latency), "every request of the purchase route, whatever its status")
	require.Zero(t, p.InFlight)
	require.GreaterOrEqual(t, p.Connections, int64(0))

	s.open(autumn(func(changed *sale.Sale) { changed.Name = "changed" }))
	require.Equal(t, http.StatusAccepted, s.press("cat", "").status)
	require.Equal(t, int64(3), s.gateway.Pulse().Sales["autumn"]["queued"], "the counts survive a change of the catalogue")
}

func sum(counts []int64) (all int64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// The sales with most presses have counts of their own; the others share one, and no press is lost.
func TestBusiestSales(t *testing.T) {
	s := newScene(t)
	var sales []sale.Sale
	for i := range 7 {
		sales = append(sales, autumn(func(one *sale.Sale) { one.ID = fmt.Sprint("sale-", i) }))
	}
	s.open(sales...)
	catalogue := s.gateway.catalogue.current.Load()
	for i := range 7 {
		for range i * 10 {
			s.gateway.metrics.purchased(catalogue.sales[fmt.Sprint("sale-", i)], sale.OutcomeSoldOut)
		}
		s.gateway.metrics.purchased(catalogue.sales[fmt.Sprint("sale-", i)], sale.OutcomeQueued)
	}
	own, other := catalogue.busiest(3)
	require.Equal(t, map[string]sale.Presses{
		"sale-6": {"sold_out": 60, "queued": 1}, "sale-5": {"sold_out": 50, "queued": 1}, "sale-4": {"sold_out": 40, "queued": 1},
	}, own)
	require.Equal(t, sale.Presses{"sold_out": 60, "queued": 4}, other)
	own, other = catalogue.busiest(7)
	require.Len(t, own, 7)
	require.Nil(t, other)
}

// BenchmarkPulse is the cost of a pulse of a gateway with many sales, of which a hundred are pressed.
func BenchmarkPulse(b *testing.B) {
	for _, count := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s := newScene(b)
			sales := make([]sale.Sale, count)
			for i := range sales {
				sales[i] = autumn(func(one *sale.Sale) { one.ID = fmt.Sprint("sale-", i) })
			}
			s.open(sales...)
			for i := range min(count, 100) {
				for _, o := range sale.Outcomes()[8:20] {
					s.gateway.metrics.purchased(s.gateway.catalogue.current.Load().sales[fmt.Sprint("sale-", i)], o)
				}
			}
			for b.Loop() {
				s.gateway.Pulse()
			}
		})
	}
}
