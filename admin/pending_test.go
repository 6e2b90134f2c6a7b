package admin

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// idAt is an order id made at a given time.
func idAt(moment time.Time) sale.OrderID {
	return sale.OrderID((moment.UnixMilli()-sale.IDEpoch)<<22 | 5<<12 | 7)
}

// fakeWay is the journals and the orders topic: the orders on their way to the database.
type fakeWay struct {
	held, queued map[sale.OrderID]sale.PendingOrder
	asked        []string // where an order was searched, in order
	buckets      []sale.Bucket
	partitions   []int32
	fault        error
}

func (f *fakeWay) Journaled(_ context.Context, buckets []sale.Bucket, id sale.OrderID) (sale.PendingOrder, bool, error) {
	f.asked, f.buckets = append(f.asked, "journal"), buckets
	found, ok := f.held[id]
	return found, ok && slices.Contains(buckets, found.Bucket), f.fault
}

func (f *fakeWay) Queued(_ context.Context, partitions []int32, id sale.OrderID) (sale.PendingOrder, bool, error) {
	f.asked, f.partitions = append(f.asked, "kafka"), partitions
	found, ok := f.queued[id]
	return found, ok, f.fault
}

// underWay puts an order of buyer bob on its way.
func (b *bench) underWay(id sale.OrderID, status sale.OrderStatus) {
	order := sale.PendingOrder{
		Bucket: first, RecordOrder: sale.RecordOrder{OrderID: id, Buyer: "bob", Key: "k", Lines: phones(2)},
		CreatedMS: id.Time().UnixMilli(), Status: status,
	}
	if status == sale.StatusHeld {
		b.way.held[id] = order
		b.stock.set(func() { b.stock.readings[first].OldestJournal = order.CreatedMS })
		return
	}
	b.way.queued[id] = order
}

var elevenOClock = time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC)

// A fresh order is found before the database has its row, with the status of the buyer's own look-up, and its payment
// is remembered.
func TestOrderOnItsWayIsFound(t *testing.T) {
	for _, status := range []sale.OrderStatus{sale.StatusHeld, sale.StatusQueued} {
		t.Run(string(status), func(t *testing.T) {
			b := newBench(t)
			b.bring("s", phoneSale, "preload", "open")
			id := idAt(elevenOClock)
			b.underWay(id, status)
			for _, token := range []string{adminToken, shopToken} {
				got := b.ask("GET", "/admin/v1/orders/"+id.String(), "", "Authorization", "Bearer "+token).is(200)
				require.EqualValues(t, status, got["status"])
				require.Equal(t, id.String(), got["order_id"])
				require.Equal(t, "s", got["sale"])
				require.Equal(t, "phone", got["sku"])
				require.EqualValues(t, 2, got["quantity"])
				require.EqualValues(t, 10, got["total_cents"])
				require.Equal(t, "bob", got["buyer_id"])
				require.NotEmpty(t, got["pay_by"])
				require.Positive(t, got["unit_price_cents"])
			}
			b.cancel(id.String()).problem(409, "not_confirmed")

			refused := b.pay(id.String(), "pay:1")
			require.Equal(t, true, refused.problem(409, "not_confirmed")["remembered"])
			require.Contains(t, []string{"1", "2", "3"}, refused.Header.Get("Retry-After"))
			require.Equal(t, true, b.pay(id.String(), "pay:1").problem(409, "not_confirmed")["remembered"])
			second := b.pay(id.String(), "pay:2").problem(409, "not_confirmed")
			require.Equal(t, false, second["remembered"])
			require.Contains(t, second["detail"], "another payment of the order is remembered")
			require.Equal(t, map[sale.OrderID]string{id: "pay:1"}, b.store.Snapshot().Payments)
			b.order(id, sale.StatusConfirmed)
			b.pay(id.String(), "pay:1").is(200)
		})
	}
}

// An order that is not on its way is not found, and its payment is not remembered.
func TestOrderThatIsNotOnItsWay(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.bring("draft", phoneSale)
	b.sell(first, 2, 1, 0)
	starts, ends := time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC), time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	unknown := func(id string, asked ...string) {
		t.Helper()
		for _, ask := range []func() *reply{
			func() *reply { return b.pay(id, "pay:1") }, func() *reply { return b.cancel(id) },
			func() *reply { return b.ask("GET", "/admin/v1/orders/"+id, "") },
		} {
			b.way.asked = nil
			ask().problem(404, "order_not_found")
			require.Equal(t, asked, b.way.asked)
		}
	}
	unknown(idAt(elevenOClock).String(), "kafka")
	require.Equal(t, []int32{b.store.Snapshot().Buckets[first].Partition}, b.way.partitions)
	unknown(idAt(starts).String(), "kafka")
	unknown(idAt(ends).String(), "kafka")
	unknown(idAt(starts.Add(-2*time.Minute)).String(), "kafka")
	unknown(idAt(ends.Add(24*time.Hour)).String(), "kafka")
	unknown("1", "kafka")
	require.Empty(t, b.store.Snapshot().Payments)

	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketLoading })
	unknown(idAt(elevenOClock).String(), "journal", "kafka")
	require.Equal(t, []sale.Bucket{first}, b.way.buckets, "a rebuild has not emptied its journal yet")
}

// The row may be written between the look-ups.
func TestRowThatComesBetweenTheLooks(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	id := idAt(elevenOClock)
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

	other := idAt(elevenOClock.Add(time.Second))
	got, err = b.api.orRemembered("pay:2", func(context.Context, sale.OrderID) (sale.Order, error) {
		b.order(other, sale.StatusConfirmed)
		return sale.Order{}, &sale.StatusError{Status: sale.StatusQueued}
	})(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, sale.StatusPaid, got.Status, "the look after the payment was written")
}

// When no store can tell whether an order is on its way, the answer does not deny it.
func TestOrderOfStoresThatAreAway(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	id := idAt(elevenOClock).String()
	everywhere := func(code string) {
		t.Helper()
		b.pay(id, "pay:1").problem(503, code)
		b.cancel(id).problem(503, code)
		b.ask("GET", "/admin/v1/orders/"+id, "").problem(503, code)
	}
	b.way.fault = errAway
	everywhere("unavailable")
	b.way.fault = sale.ProblemOf(sale.OutcomeOverloaded, "too many")
	everywhere("overloaded")
	b.way.fault = nil
	b.stock.set(func() { b.stock.away = true })
	everywhere("unavailable")
	require.Empty(t, b.store.Snapshot().Payments)
	b.pay("1", "pay:1").problem(503, "unavailable") // also where the id's moment is far from every sale
}

// An order is found whatever the time in its id: its gateway's clock may have been minutes off, or the window has moved
// since.
func TestOrderOnItsWayIsFoundOutsideTheWindow(t *testing.T) {
	for name, id := range map[string]sale.OrderID{
		"a clock behind":        idAt(elevenOClock.Add(-2 * time.Hour)),
		"an end that was moved": idAt(elevenOClock.Add(3 * time.Hour)),
		"a clock that is lost":  1,
	} {
		for _, status := range []sale.OrderStatus{sale.StatusHeld, sale.StatusQueued} {
			t.Run(name+" "+string(status), func(t *testing.T) {
				b := newBench(t)
				b.bring("s", phoneSale, "preload", "open")
				b.underWay(id, status)
				got := b.ask("GET", "/admin/v1/orders/"+id.String(), "").is(200)
				require.EqualValues(t, status, got["status"])
				require.Equal(t, true, b.pay(id.String(), "pay:1").problem(409, "not_confirmed")["remembered"])
				b.cancel(id.String()).problem(409, "not_confirmed")
				require.Equal(t, map[sale.OrderID]string{id: "pay:1"}, b.store.Snapshot().Payments)

				b.ask("POST", "/admin/v1/sales/s/close", "").is(200)
				b.ask("GET", "/admin/v1/orders/"+id.String(), "").is(200)
			})
		}
	}
}

// The likely sale is searched first; when it has the order, no other sale is searched.
func TestLikelySaleIsAskedFirst(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.bring("other", strings.NewReplacer("2026-11-11", "2026-12-12").Replace(phoneSale), "preload", "open")
	phones := func(id string) (out []sale.Bucket) {
		stored := b.store.Snapshot()
		for _, row := range stored.SortedBuckets() {
			if row.Sale == id {
				out = append(out, row.Bucket)
			}
		}
		return out
	}
	for _, bucket := range append(phones("s"), phones("other")...) { // every journal is to be searched
		b.store.changeRow(bucket, func(r *sale.BucketCounters) { r.State = sale.BucketLoading })
	}
	id := idAt(elevenOClock)
	b.underWay(id, sale.StatusHeld)
	b.ask("GET", "/admin/v1/orders/"+id.String(), "").is(200)
	require.Equal(t, []string{"journal"}, b.way.asked)
	require.Equal(t, phones("s"), b.way.buckets)

	b.way.asked = nil
	b.pay(idAt(elevenOClock.Add(time.Second)).String(), "pay:1").problem(404, "order_not_found")
	require.Equal(t, []string{"journal", "kafka", "journal", "kafka"}, b.way.asked)
	require.Equal(t, phones("other"), b.way.buckets)
}

// An order of an unknown sale is not denied.
func TestOrderOfAnUnknownSaleIsNotDenied(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	id := idAt(elevenOClock)
	b.underWay(id, sale.StatusQueued)
	order := b.way.queued[id]
	order.Sale = "gone"
	b.way.queued[id] = order
	b.pay(id.String(), "pay:1").problem(503, "unavailable")
	b.ask("GET", "/admin/v1/orders/"+id.String(), "").problem(503, "unavailable")
}
