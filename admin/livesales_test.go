package admin

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestLiveSales(t *testing.T) {
	b := newBench(t)
	b.bring("a", phoneSale)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 3, 2, 1)
	b.bring("z", phoneSale, "preload", "open", "close")
	b.bring("old", phoneSale, "preload", "open", "close")
	b.ask("DELETE", "/admin/v1/sales/old", "").is(200)
	answer := b.ask("GET", "/admin/v1/live", "")
	document(t).fits(t, "LiveSales", answer.Body)
	got := answer.is(200)
	sales := got["sales"].([]any)
	require.Len(t, sales, 3, "no archived one")
	require.Equal(t, map[string]any{
		"id": "s", "name": sales[1].(map[string]any)["name"], "state": "open", "reason": "",
		"starts_at": "2026-11-11T10:00:00.000Z", "ends_at": "2026-11-11T12:00:00.000Z", "holds_frozen_since": nil,
		"loaded": 17.0, "sold": 1.0, "unpaid": 1.0, "available": 15.0,
		"presses_per_s": 200.0, "refused_per_s": 160.0, "orders_per_s": 40.0,
	}, sales[1])
	require.Nil(t, sales[0].(map[string]any)["available"], "a draft has nothing in Redis")
	require.InDelta(t, 0, sales[0].(map[string]any)["loaded"], 0)
	require.Nil(t, sales[2].(map[string]any)["available"], "a closed sale sells nothing")
	require.Len(t, got["processes"], 2)
	require.Len(t, got["stores"], 3)
}

func TestLiveSalesStream(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	response := b.stream("GET", "/admin/v1/live")
	defer response.Body.Close()
	stream := follow(t, response)
	for range 2 {
		e := stream.next()
		require.Equal(t, "sales", e.name)
		document(t).fits(t, "LiveSales", []byte(e.data))
	}
	b.stock.set(func() { b.stock.away = true })
	var last event
	stream.until(func(e event) bool {
		if e.name == "sales" {
			last = e
		}
		return e.name == "problem"
	}, "the problem")
	require.Contains(t, last.data, `"loaded":10,"sold":0,"unpaid":0,"available":null`)
	b.store.set(func() { b.store.away = true })
	stream.until(func(e event) bool { return e.name == "problem" && strings.Contains(e.data, "the database") },
		"the database is away")
	stream.until(func(e event) bool { return e.name == "sales" && strings.Contains(e.data, `"id":"s"`) }, "the sales stay")
	b.store.set(func() { b.store.away = false })
	b.stock.set(func() { b.stock.away = false })
	stream.until(func(e event) bool { return strings.Contains(e.data, `"available":10`) }, "both stores are back")
}

// A bucket that is rebuilt, or that Redis has in another epoch, makes the units of its sale unknown, and of no other.
func TestAvailableUnitsOfSales(t *testing.T) {
	row := func(id string, number int, epoch int64, state sale.BucketState) sale.BucketSum {
		of := sale.Bucket{Sale: id, Number: number}
		return sale.BucketSum{BucketRow: sale.BucketRow{Bucket: of, Epoch: epoch, State: state}}
	}
	seen := func(epoch, units int64) sale.StockReading {
		shelves := []sale.ShelfReading{{Available: units}, {Available: 1}}
		return sale.StockReading{Reading: sale.Reading{Epoch: epoch}, Shelves: shelves}
	}
	require.Equal(t, map[string]int64{"a": 13, "c": 1}, availableIn(
		[]sale.BucketSum{
			row("a", 0, 1, sale.BucketOpen), row("a", 1, 2, sale.BucketOpen), row("b", 0, 1, sale.BucketOpen),
			row("b", 1, 1, sale.BucketClosed), row("c", 0, 4, sale.BucketOpen), row("d", 0, 2, sale.BucketOpen),
		},
		[]sale.StockReading{seen(1, 5), seen(2, 6), seen(1, 7), seen(1, 8), seen(4, 0), seen(1, 9)},
	))
}

// Sales that are too large together to read each two seconds have no units in Redis shown; the small ones have.
func TestAvailableUnitsAreBounded(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	wide := sale.Summary{Sale: sale.Sale{ID: "wide", State: sale.StateOpen}, Buckets: []sale.BucketSum{
		{BucketRow: sale.BucketRow{Bucket: sale.Bucket{Sale: "wide"}}, SKUs: restShelves},
	}}
	all, err := b.store.SaleSummaries(t.Context())
	require.NoError(t, err)
	units, shelves, err := b.api.availableOf(context.Background(), append(all, wide))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"s": 10}, units)
	require.Equal(t, 1, shelves)
}
