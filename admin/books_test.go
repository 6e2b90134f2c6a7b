package admin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// sell moves phones of a bucket: Redis takes them, and those settled have rows.
func (b *bench) sell(bucket sale.Bucket, taken, settled, released int64) {
	b.stock.changeShelf(bucket, func(s *sale.ShelfReading) {
		s.Taken, s.Available = s.Taken+taken, s.Available-taken+released
	})
	b.store.changeShelf(bucket, func(row *sale.ShelfCounters) {
		row.Settled, row.SettledEpoch, row.Released = row.Settled+settled, row.SettledEpoch+settled, row.Released+released
	})
}

func TestStatsCountEveryUnit(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 2, 1, 0)
	b.sell(sale.Bucket{Sale: "s", Number: 3}, 2, 2, 1)
	got := b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)
	require.Equal(t, "s", got["sale"])
	require.Equal(t, "open", got["state"])
	require.Equal(t, "", got["reason"])
	require.Equal(t, "2026-11-11T10:00:00.123Z", got["at"])
	require.Equal(t, map[string]any{
		"loaded": 17.0, "available": 14.0, "in_flight": 1.0, "settled": 3.0, "released": 1.0, "conserved": true,
	}, got["total"])
	items := got["items"].([]any)
	first := items[0].(map[string]any)
	require.Len(t, first["buckets"], 4)
	require.Equal(t, map[string]any{
		"bucket": 3.0, "state": "open", "epoch": 1.0,
		"loaded": 2.0, "available": 1.0, "in_flight": 0.0, "settled": 2.0, "released": 1.0,
	}, first["buckets"].([]any)[3])
	delete(first, "buckets")
	require.Equal(t, map[string]any{
		"sku": "phone", "loaded": 10.0, "available": 7.0, "in_flight": 1.0, "settled": 3.0, "released": 1.0, "conserved": true,
	}, first)
	require.Equal(t, "case", items[1].(map[string]any)["sku"])
}

func TestStatsOfADraftAreZero(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	require.JSONEq(t, `{"sale":"s","state":"draft","reason":"","at":"2026-11-11T10:00:00.123Z","holds_frozen_since":null,
		"total":{
		"loaded":0,"available":0,"in_flight":0,"settled":0,"released":0,"conserved":true},"items":[{"sku":"phone","loaded":0,
		"available":0,"in_flight":0,"settled":0,"released":0,"conserved":true,"buckets":[]}]}`,
		string(b.ask("GET", "/admin/v1/sales/s/stats", "").Body))
}

func TestStatsShowWhatIsNotConserved(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.lose(1)
	got := b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)
	require.Equal(t, false, got["total"].(map[string]any)["conserved"])
	require.Equal(t, false, got["items"].([]any)[0].(map[string]any)["conserved"])
	b.stock.set(func() { b.stock.away = true })
	b.ask("GET", "/admin/v1/sales/s/stats", "").problem(503, "unavailable")
}

func TestStatsTellWhyTheEnginePaused(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeSale("s", func(s *memory.Sale) { s.Reason = "clock" })
	require.Equal(t, "clock", b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)["reason"])
}

func TestStatsStreamFollowsTheSale(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	response := b.stream("GET", "/admin/v1/sales/s/stats")
	defer response.Body.Close()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	first := events(t, response.Body, 2)
	require.Equal(t, "stats", first[0].name)
	require.JSONEq(t, string(b.ask("GET", "/admin/v1/sales/s/stats", "").Body), first[0].data)

	b.stock.set(func() { b.stock.away = true })
	require.Eventually(t, func() bool { return events(t, response.Body, 1)[0].name == "problem" }, 5*time.Second,
		time.Millisecond)
	b.stock.set(func() { b.stock.away = false })
	require.Eventually(t, func() bool { return events(t, response.Body, 1)[0].name == "stats" }, 5*time.Second, time.Millisecond,
		"a stream outlives a store that is away for a while")
}

func TestStatsStreamStartsWithAnAnswer(t *testing.T) {
	b := newBench(t)
	b.ask("GET", "/admin/v1/sales/none/stats", "", "Accept", "text/event-stream").problem(404, "sale_not_found")
	b.bring("s", phoneSale)
	head := b.ask("HEAD", "/admin/v1/sales/s/stats", "", "Accept", "text/event-stream")
	require.Equal(t, 200, head.Status)
	require.Equal(t, "text/event-stream", head.Header.Get("Content-Type"))
}

func TestStatsStreamEndsWithItsClientAndTheProcess(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	response := b.stream("GET", "/admin/v1/sales/s/stats")
	events(t, response.Body, 1)
	require.Len(t, b.api.streams, 1)
	require.NoError(t, response.Body.Close())
	require.Eventually(t, func() bool { return len(b.api.streams) == 0 }, 5*time.Second, time.Millisecond)

	response = b.stream("GET", "/admin/v1/sales/s/stats")
	defer response.Body.Close()
	b.api.StopStreams()
	b.api.StopStreams()
	events(t, response.Body, -1) // returns because the stream ends
}

func TestAuditStatesTheEquation(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 2, 1, 0)
	require.JSONEq(t, `{"holds":true,"items":[
		{"sale":"s","sku":"phone","loaded":10,"available":8,"in_flight":1,"settled":1,"released":0,"difference":0},
		{"sale":"s","sku":"case","loaded":7,"available":7,"in_flight":0,"settled":0,"released":0,"difference":0}]}`,
		string(b.ask("GET", "/admin/v1/sales/s/audit", "").Body))
	b.lose(2)
	got := b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)
	require.Equal(t, false, got["holds"])
	require.EqualValues(t, 2, got["items"].([]any)[0].(map[string]any)["difference"])
}

// TestAuditCatchesSeededFaults tests the checker: a broken engine would cause each of these faults.
func TestAuditCatchesSeededFaults(t *testing.T) {
	change := func(b *bench, reading func(*sale.ShelfReading), row func(*sale.ShelfCounters)) {
		b.stock.changeShelf(first, reading)
		b.store.changeShelf(first, row)
	}
	noReading, noRow := func(*sale.ShelfReading) {}, func(*sale.ShelfCounters) {}
	for name, fault := range map[string]func(*bench){
		"a unit vanished from Redis":       func(b *bench) { change(b, func(r *sale.ShelfReading) { r.Available-- }, noRow) },
		"a unit appeared without a source": func(b *bench) { change(b, func(r *sale.ShelfReading) { r.Available++ }, noRow) },
		"an order was lost after Redis":    func(b *bench) { change(b, func(r *sale.ShelfReading) { r.Taken-- }, noRow) },
		"an order was settled twice": func(b *bench) {
			change(b, noReading, func(r *sale.ShelfCounters) { r.Settled++ })
		},
		"a unit was returned without a release": func(b *bench) {
			change(b, noReading, func(r *sale.ShelfCounters) { r.Released++ })
		},
		"more settled than taken": func(b *bench) {
			change(b, noReading, func(r *sale.ShelfCounters) { r.SettledEpoch += 5; r.Settled += 5 })
		},
		"stock raised in the books alone": func(b *bench) { change(b, noReading, func(r *sale.ShelfCounters) { r.Loaded++ }) },
		"a unit is credited to another SKU": func(b *bench) {
			change(b, func(r *sale.ShelfReading) { r.Available-- }, noRow)
			b.stock.set(func() { b.stock.shelf(first, "case").Available++ })
		},
		"Redis sells a SKU of nobody": func(b *bench) { b.stock.set(func() { b.stock.shelf(first, "bag").Available++ }) },
		"two faults hide in the sum of in": func(b *bench) {
			change(b, func(r *sale.ShelfReading) { r.Available -= 20; r.Taken += 20 }, noRow)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.bring("s", bucketedSale, "preload", "open")
			b.sell(first, 3, 2, 0)
			require.Equal(t, true, b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)["holds"])
			fault(b)
			require.Equal(t, false, b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)["holds"])
		})
	}
}

func TestAuditSaysWhenItCouldNotRead(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State, r.Epoch = sale.BucketLoading, 2 })
	detail := b.ask("GET", "/admin/v1/sales/s/audit", "").problem(503, "unavailable")["detail"]
	require.Contains(t, detail, "bucket s:0 ")
	stats := b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)["items"].([]any)[0].(map[string]any)
	require.Equal(t, false, stats["conserved"], "stats show what is known")
	require.EqualValues(t, 0, stats["available"])
	b.stock.set(func() { b.stock.away = true })
	b.ask("GET", "/admin/v1/sales/s/audit", "").problem(503, "unavailable")
}

func TestAuditWaitsForARebuild(t *testing.T) {
	b := newBench(t, func(o *Options) { o.AuditWait = 5 * time.Second })
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketClosed })
	answer := make(chan *reply, 1)
	go func() { answer <- b.ask("GET", "/admin/v1/sales/s/audit", "") }()
	require.NoError(t, b.stock.openBucket(t.Context(), sale.BucketRow{Bucket: first, Epoch: 1}))
	require.Equal(t, true, (<-answer).is(200)["holds"])
}

func TestReadPositionsRefusesAShortReading(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	_, err := readPositions(context.Background(), b.store, shortReading{}, "s")
	require.ErrorContains(t, err, "0 readings of 1 buckets")
}

type shortReading struct{}

func (shortReading) StockReadings(context.Context, []sale.Bucket, []string) ([]sale.StockReading, error) {
	return nil, nil
}
