package admin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// frozen brings the sale s with confirmed orders that are to be paid in a minute, and freezes it.
func (b *bench) frozen(orders ...sale.OrderID) {
	b.t.Helper()
	b.bring("s", phoneSale, "preload", "open")
	for _, id := range orders {
		b.order(id, sale.StatusConfirmed)
		b.payBy(id, tenOClock.Add(time.Minute))
	}
	b.ask("POST", "/admin/v1/sales/s/holds/freeze", "").is(200)
}

// payBy sets when an order is to be paid.
func (b *bench) payBy(id sale.OrderID, at time.Time) {
	b.store.Change(func(t *memory.Tables) {
		t.Orders[id].PayBy, t.Orders[id].CreatedAt = &sale.Time{Time: at}, sale.Time{Time: tenOClock.Add(-time.Minute)}
	})
}

// frozenAgo sets how long ago the sale s was frozen.
func (b *bench) frozenAgo(ago time.Duration) {
	b.store.changeSale("s", func(s *memory.Sale) { s.HoldsFrozenSince = &sale.Time{Time: tenOClock.Add(-ago)} })
}

func TestFreezeAndThawAnswerTheSale(t *testing.T) {
	b := newBench(t)
	b.frozen(1, 2, 3)
	since := sale.Time{Time: tenOClock}.String()
	again := b.ask("POST", "/admin/v1/sales/s/holds/freeze", "").is(200)
	require.Equal(t, since, again["holds_frozen_since"])
	require.Equal(t, b.ask("GET", "/admin/v1/sales/s", "").is(200), again)
	require.Equal(t, since, b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)["holds_frozen_since"])
	listed := b.ask("GET", "/admin/v1/sales", "").is(200)["sales"].([]any)[0].(map[string]any)
	require.Equal(t, since, listed["holds_frozen_since"])
	require.Equal(t, since, b.ask("POST", "/admin/v1/sales/s/pause", "").is(200)["holds_frozen_since"])

	b.frozenAgo(time.Hour)
	thawed := b.ask("POST", "/admin/v1/sales/s/holds/thaw", "").is(200)
	require.Contains(t, thawed, "holds_frozen_since")
	require.Nil(t, thawed["holds_frozen_since"])
	require.Nil(t, b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)["holds_frozen_since"])
	for id := range sale.OrderID(3) {
		require.Equal(t, sale.Time{Time: tenOClock.Add(time.Minute + time.Hour)}, *b.store.Snapshot().Orders[id+1].PayBy)
	}
	b.ask("POST", "/admin/v1/sales/s/holds/thaw", "").problem(409, "not_frozen")
}

func TestFreezeInEveryState(t *testing.T) {
	for state, may := range map[sale.State]bool{
		sale.StateDraft: false, sale.StatePreloaded: true, sale.StateOpen: true, sale.StatePaused: true, sale.StateClosed: true,
		sale.StateArchived: false,
	} {
		b := newBench(t)
		b.bring("s", phoneSale, "preload")
		b.store.changeSale("s", func(s *memory.Sale) { s.State = state })
		r := b.ask("POST", "/admin/v1/sales/s/holds/freeze", "")
		if may {
			require.NotNil(t, r.is(200)["holds_frozen_since"])
			continue
		}
		require.EqualValues(t, state, r.problem(409, "wrong_state")["state"])
		require.Nil(t, b.store.sale("s").HoldsFrozenSince)
		b.ask("POST", "/admin/v1/sales/s/holds/thaw", "").problem(409, "not_frozen")
	}
}

func TestHoldsOfUnknownSales(t *testing.T) {
	b := newBench(t)
	for _, verb := range []string{"freeze", "thaw"} {
		for _, id := range []string{"unknown", "-no.id"} {
			b.ask("POST", "/admin/v1/sales/"+id+"/holds/"+verb, "").problem(404, "sale_not_found")
		}
		b.ask("GET", "/admin/v1/sales/s/holds/"+verb, "").problem(405, "method_not_allowed")
		b.ask("POST", "/admin/v1/sales/s/holds/"+verb, "", "Authorization", "Bearer "+shopToken).problem(403, "forbidden")
	}
	b.ask("POST", "/admin/v1/sales/s/holds/melt", "").problem(404, "not_found")
}

// A thaw that a request has begun and not ended is ended by the next one; meanwhile the sale stays frozen.
func TestThawThatDied(t *testing.T) {
	b := newBench(t)
	b.frozen(1, 2, 3, 4, 5)
	b.frozenAgo(time.Hour)
	ctx := context.Background()
	thaw, err := b.store.BeginThaw(ctx, "s")
	require.NoError(t, err)
	_, err = b.store.ThawOrders(ctx, thaw)
	require.NoError(t, err)
	require.NotNil(t, b.ask("GET", "/admin/v1/sales/s", "").is(200)["holds_frozen_since"])
	problem := b.ask("POST", "/admin/v1/sales/s/holds/freeze", "").problem(503, "unavailable")
	require.Contains(t, problem["detail"], "a thaw of this sale is under way")
	b.ask("POST", "/admin/v1/sales/s/holds/thaw", "").is(200)
	for id := range sale.OrderID(5) {
		require.Equal(t, sale.Time{Time: tenOClock.Add(time.Minute + time.Hour)}, *b.store.Snapshot().Orders[id+1].PayBy)
	}
}

func (b *bench) extend(id, payBy string) *reply {
	b.t.Helper()
	return b.ask("PUT", "/admin/v1/orders/"+id+"/pay_by", `{"pay_by":"`+payBy+`"}`)
}

func TestExtendAnOrder(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.order(7301, sale.StatusConfirmed)
	b.payBy(7301, tenOClock.Add(time.Minute))
	first := b.ask("PUT", "/admin/v1/orders/7301/pay_by", `{"pay_by":"2026-11-11T13:00:00+01:00"}`, "Authorization",
		"Bearer "+shopToken)
	got := first.is(200)
	require.Equal(t, "2026-11-11T12:00:00.000Z", got["pay_by"])
	require.Equal(t, "confirmed", got["status"])
	require.Equal(t, "u:1", got["buyer_id"])
	require.Equal(t, string(first.Body), string(b.extend("7301", "2026-11-11T12:00:00Z").Body), "the same time again")
	last := sale.Time{Time: tenOClock.Add(sale.MaxExtension)}
	require.Equal(t, last.String(), b.extend("7301", last.String()).is(200)["pay_by"])
	b.ask("GET", "/admin/v1/orders/7301/pay_by", "").problem(405, "method_not_allowed")
}

func TestBadExtensionsAreNamed(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.order(7301, sale.StatusConfirmed)
	b.payBy(7301, tenOClock.Add(-time.Minute))
	b.order(7302, sale.StatusConfirmed) // has no end of its payment time
	for name, body := range map[string]string{
		"missing": `{}`, "null": `{"pay_by":null}`, "a number": `{"pay_by":1794391200}`, "empty": `{"pay_by":""}`,
		"a date": `{"pay_by":"2026-11-12"}`, "no zone": `{"pay_by":"2026-11-12T10:00:00"}`, "words": `{"pay_by":"tomorrow"}`,
		"doubled":  `{"pay_by":"2026-11-12T10:00:00Z","pay_by":"2026-11-12T10:00:00Z"}`,
		"the past": `{"pay_by":"2026-11-11T09:59:59Z"}`, "now": `{"pay_by":"2026-11-11T10:00:00.123Z"}`,
		"earlier": `{"pay_by":"2026-11-11T09:00:00Z"}`, "long ago": `{"pay_by":"0001-01-01T00:00:00Z"}`,
		"beyond 7 days": `{"pay_by":"2026-11-18T10:00:00.124Z"}`, "the end of time": `{"pay_by":"9999-12-31T23:59:59Z"}`,
	} {
		t.Run(name, func(t *testing.T) { b.ask("PUT", "/admin/v1/orders/7301/pay_by", body).field("pay_by") })
	}
	b.ask("PUT", "/admin/v1/orders/7302/pay_by", `{"pay_by":"2026-11-12T10:00:00Z"}`).field("pay_by")
	b.ask("PUT", "/admin/v1/orders/7301/pay_by", `{"pay_by":"2026-11-12T10:00:00Z","x":1}`).field("x")
	for _, body := range []string{"", "{", "[]", `"x"`} {
		b.ask("PUT", "/admin/v1/orders/7301/pay_by", body).problem(400, "malformed")
	}
	require.Equal(t, tenOClock.Add(-time.Minute), b.store.Snapshot().Orders[7301].PayBy.Time)
}

func TestOnlyConfirmedOrdersAreExtended(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	const later = "2026-11-12T10:00:00Z"
	for _, status := range []sale.OrderStatus{
		sale.StatusHeld, sale.StatusQueued, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired, sale.StatusRefused,
	} {
		b.order(7301, status)
		require.EqualValues(t, status, b.extend("7301", later).problem(409, "wrong_status")["order_status"])
	}
	for _, id := range []string{"7302", "0", "-1", "x", "99999999999999999999", "7301%00"} {
		b.extend(id, later).problem(404, "order_not_found")
	}
}
