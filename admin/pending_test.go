package admin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// idAt is an order id made at a moment.
func idAt(moment time.Time) sale.OrderID {
	return sale.OrderID((moment.UnixMilli()-sale.IDEpoch)<<22 | 5<<12 | 7)
}

// TestOrderThatTheDatabaseDoesNotKnowYet: while units of a sale are in flight, an id of that time may be one of them.
func TestOrderThatTheDatabaseDoesNotKnowYet(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	starts, ends := time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC), time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	during := idAt(starts.Add(time.Hour)).String()
	unknown := func(id string) {
		t.Helper()
		b.pay(id, "pay:1").problem(404, "order_not_found")
		b.cancel(id).problem(404, "order_not_found")
	}
	unknown(during)

	b.sell(phone, 2, 1, 0)
	for _, id := range []string{during, idAt(starts).String(), idAt(starts.Add(-time.Second)).String(), idAt(ends).String()} {
		for _, r := range []*reply{b.pay(id, "pay:1"), b.cancel(id)} {
			r.problem(409, "not_confirmed")
			require.Contains(t, []string{"1", "2", "3"}, r.Header.Get("Retry-After"))
		}
		b.ask("GET", "/admin/v1/orders/"+id, "").problem(404, "order_not_found")
	}
	unknown(idAt(starts.Add(-2 * time.Minute)).String())
	unknown(idAt(ends.Add(2 * time.Minute)).String())
	unknown("1")

	b.sell(phone, 0, 1, 0)
	unknown(during)
}

// TestRowThatComesBetweenTheLooks: the order settles after the database was asked and before it is known that nothing is
// in flight.
func TestRowThatComesBetweenTheLooks(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	id := idAt(time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC))
	asked := 0
	got, err := b.api.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		order, err := b.store.PayOrder(ctx, id, "pay:1")
		if asked++; asked == 1 {
			b.order(id, sale.StatusConfirmed)
		}
		return order, err
	})(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, sale.StatusPaid, got.Status)
	require.Equal(t, 2, asked)
}

func TestOrderOfASaleInDoubtIsToBeAskedAgain(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.bring("draft", phoneSale)
	id := idAt(time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC)).String()
	b.store.set(func() { b.store.books["s"][0].State = sale.BucketLoading })
	b.pay(id, "pay:1").problem(409, "not_confirmed")
	b.stock.set(func() { b.stock.away = true })
	b.pay(id, "pay:1").problem(503, "unavailable")
	b.cancel(id).problem(503, "unavailable")
	b.pay("1", "pay:1").problem(404, "order_not_found")
}
