package gateway

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestSaleView(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.SaleLimit = 5
		s.Items = append(s.Items, sale.Item{SKU: "case", Stock: 5, PriceCents: 0})
	}))
	r := s.send("GET", "/v1/sales/autumn", "")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "public, max-age=1", r.header.Get("Cache-Control"))
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.JSONEq(t, `{"sale":"autumn","name":"Autumn \"sale\"","state":"open","starts_at":"2026-11-11T11:00:00.123Z",
		"ends_at":"2026-11-11T13:00:00.123Z","server_time":"2026-11-11T12:00:00.123Z","currency":"CNY",
		"per_buyer_sale_limit":5,"items":[
		{"sku":"phone","name":"A phone","price_cents":129900,"sold_out":false},
		{"sku":"case","name":"","price_cents":0,"sold_out":false}]}`, r.body)

	s.stock.now.Add(1)
	latchOf(s, "owner")
	members := s.send("GET", "/v1/sales/autumn", "").members(t)
	require.Equal(t, "2026-11-11T12:00:00.124Z", members["server_time"])
	require.Equal(t, []any{
		map[string]any{"sku": "phone", "name": "A phone", "price_cents": 129900.0, "sold_out": true},
		map[string]any{"sku": "case", "name": "", "price_cents": 0.0, "sold_out": false},
	}, members["items"])
}

func TestStatesOfTheSaleView(t *testing.T) {
	later, past := sale.Time{Time: noon.Add(time.Minute)}, sale.Time{Time: noon.Add(-time.Minute)}
	for i, c := range []struct {
		state  sale.State
		starts sale.Time
		ends   sale.Time
		word   string
	}{
		{sale.StatePreloaded, past, later, "upcoming"}, {sale.StateOpen, later, later, "upcoming"},
		{sale.StateOpen, past, later, "open"},
		{sale.StatePaused, past, later, "paused"}, {sale.StatePaused, later, later, "upcoming"},
		{sale.StatePaused, past, past, "ended"},
		{sale.StateOpen, past, past, "ended"}, {sale.StateClosed, past, later, "ended"},
		{sale.StateClosed, later, later, "ended"},
	} {
		s := newScene(t).open(autumn(func(s *sale.Sale) { s.State, s.StartsAt, s.EndsAt = c.state, c.starts, c.ends }))
		require.Equal(t, c.word, s.send("GET", "/v1/sales/autumn", "").members(t)["state"], "case %d", i)
	}
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.State = sale.StateDraft }))
	s.refused(s.send("GET", "/v1/sales/autumn", ""), sale.OutcomeSaleNotFound, nil)
}

// TestWatchedSaleShowsSoldOut: a gateway without purchases detects empty stock because of its viewers.
func TestWatchedSaleShowsSoldOut(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 2 }))
	second := phoneIn(1)
	s.stock.set(func(f *fakeStock) {
		f.readings[phone], f.readings[second] = level{Epoch: 1}, level{Epoch: 1, Available: 1}
	})
	look := func() {
		t.Helper()
		s.stock.now.Add(watchInterval.Milliseconds())
		s.send("GET", "/v1/sales/autumn", "")
		require.NoError(t, s.gateway.viewers.look(context.Background(), <-s.gateway.viewers.watched))
	}
	look()
	require.False(t, s.item("autumn", "phone").latch.soldOut())
	s.stock.set(func(f *fakeStock) { f.readings[second] = level{Epoch: 2} })
	look()
	require.False(t, s.item("autumn", "phone").latch.soldOut(), "a reading of another epoch does not count")
	s.stock.set(func(f *fakeStock) { f.readings[second], f.moving = level{Epoch: 1}, true })
	look()
	require.False(t, s.item("autumn", "phone").latch.soldOut(), "units are on their way from one bucket to another")
	s.stock.set(func(f *fakeStock) { f.moving = false })
	look()
	require.True(t, s.item("autumn", "phone").latch.soldOut())
	require.Contains(t, s.send("GET", "/v1/sales/autumn", "").body, `"sold_out":true`)
}

func TestViewersCostOneLookASecond(t *testing.T) {
	s := newScene(t).open(autumn())
	for range 10 {
		s.send("GET", "/v1/sales/autumn", "")
	}
	require.Len(t, s.gateway.viewers.watched, 1)
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.viewers.look(context.Background(), <-s.gateway.viewers.watched), errAway)
}

func TestViewOfTenThousandItems(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.Items = nil
		for i := range sale.MaxItems {
			s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", i), PriceCents: int64(i)})
		}
	}))
	require.Len(t, s.send("GET", "/v1/sales/autumn", "").members(t)["items"], sale.MaxItems)
}

func TestTime(t *testing.T) {
	s := newScene(t)
	r := s.send("GET", "/v1/time", "")
	require.Equal(t, http.StatusOK, r.status)
	require.JSONEq(t, `{"server_time":"2026-11-11T12:00:00.123Z"}`, r.body)
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
}

func TestProbes(t *testing.T) {
	waiting := map[string]string{"node id": "no lease yet"}
	s := newScene(t, func(_ *Options, d *Deps) { d.Checks = func() map[string]string { return waiting } })
	require.Equal(t, http.StatusOK, s.send("GET", "/livez", "").status)
	require.Equal(t, map[string]string{"node id": "no lease yet", "catalogue": "not read from the database yet"},
		s.gateway.Ready())
	r := s.send("GET", "/readyz", "")
	s.refused(r, sale.OutcomeUnavailable, nil)
	require.NotContains(t, r.body, "lease", "buyers do not see the cause")
	s.pollCatalogue()
	delete(waiting, "node id")
	require.JSONEq(t, `{"status":"ok"}`, s.send("GET", "/readyz", "").body)
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	require.Error(t, s.gateway.pollCatalogue(context.Background()))
	require.Equal(t, http.StatusOK, s.send("GET", "/readyz", "").status, "a store that goes away later changes nothing")
}
