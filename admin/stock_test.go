package admin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// change asks for a change of the phones' stock.
func (b *bench) change(key string, add int64) *reply {
	b.t.Helper()
	return b.ask("POST", "/admin/v1/sales/s/items/phone/stock", fmt.Sprintf(`{"add":%d}`, add), "Idempotency-Key", key)
}

// stock returns the phones in the definition of the sale.
func (b *bench) stockOf(sku string) int64 {
	s := b.sale()
	item, known := s.Item(sku)
	require.True(b.t, known)
	return item.Stock
}

func TestStockIsAddedOnceForEachKey(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	first := b.change(`"k1"`, 50)
	require.Equal(t, map[string]any{"sku": "phone", "added": 50.0, "loaded": 60.0}, first.is(200))
	require.Equal(t, string(first.Body), string(b.change("k1", 50).Body), "repeated, the same; bare or quoted is one key")
	require.EqualValues(t, 60, b.stockOf("phone"))
	require.Equal(t, map[string]any{"sku": "phone", "added": 1.0, "loaded": 61.0}, b.change("k2", 1).is(200))
	require.Equal(t, true, b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)["holds"])
	require.Empty(t, b.store.acquired[2:], "no lease: preload and open had one each")

	reused := b.change("k1", 51).problem(422, "idempotency_key_reused")
	require.Equal(t, "The key belongs to another stock change", reused["title"])
	require.EqualValues(t, 61, b.stockOf("phone"))
}

func TestStockIsTakenBackAsFarAsItIsUnsold(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 2, 2, 0)
	require.Equal(t, map[string]any{"sku": "phone", "added": -5.0, "loaded": 5.0}, b.change("k1", -5).is(200))
	require.Equal(t, map[string]any{"sku": "phone", "added": -3.0, "loaded": 2.0}, b.change("k2", -100).is(200))
	require.EqualValues(t, 2, b.stockOf("phone"), "those that are sold")
	require.EqualValues(t, 7, b.stockOf("case"))
	require.Equal(t, map[string]any{"sku": "phone", "added": 0.0, "loaded": 2.0}, b.change("k3", -1).is(200))
	require.Equal(t, true, b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)["holds"])
}

// Units that no settling process has taken back yet are waited for, and then the same key asks for the result.
func TestStockThatIsStillBeingTakenBack(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StockWait = 50 * time.Millisecond })
	b.bring("s", phoneSale, "preload", "open")
	relay := b.store.relay
	b.store.set(func() { b.store.relay = nil })
	require.Contains(t, b.change("k1", -5).problem(503, "unavailable")["detail"], "with the same Idempotency-Key")
	less := strings.Replace(phoneSale, `"stock":10`, `"stock":3`, 1)
	require.Contains(t, b.ask("PUT", "/admin/v1/sales/s", less).problem(503, "unavailable")["detail"], "repeat the request")
	require.EqualValues(t, 10, b.stockOf("phone"))
	require.NoError(t, relay(t.Context()))
	b.store.set(func() { b.store.relay = relay })
	require.Equal(t, map[string]any{"sku": "phone", "added": -5.0, "loaded": 3.0}, b.change("k1", -5).is(200))
	require.EqualValues(t, 3, b.ask("PUT", "/admin/v1/sales/s", less).is(200)["items"].([]any)[0].(map[string]any)["stock"])
}

// A take may come between the polls: the answer waits for it.
func TestStockChangeWaitsForItsTakes(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StockWait = 10 * time.Second })
	b.bring("s", phoneSale, "preload", "open")
	relay := b.store.relay
	b.store.set(func() { b.store.relay = b.later(relay, 2) })
	require.Equal(t, map[string]any{"sku": "phone", "added": -5.0, "loaded": 5.0}, b.change("k1", -5).is(200))
	require.GreaterOrEqual(t, b.store.changes, 2)
}

// later is a relay that applies nothing the first times.
func (b *bench) later(relay func(context.Context) error, idle int) func(context.Context) error {
	return func(ctx context.Context) error {
		if idle--; idle >= 0 {
			return nil
		}
		return relay(ctx)
	}
}

func TestStockChangesThatAreRefused(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	path := "/admin/v1/sales/s/items/phone/stock"
	require.Equal(t, "draft", b.change("k", 5).problem(409, "wrong_state")["state"])
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)

	b.ask("POST", path, `{"add":5}`).field("Idempotency-Key")
	for _, key := range []string{`""`, `"`, "a\\b", `a"b`, `"a "`, strings.Repeat("k", 129)} {
		b.ask("POST", path, `{"add":5}`, "Idempotency-Key", key).field("Idempotency-Key")
	}
	twice := b.request("POST", path, strings.NewReader(`{"add":5}`), "Idempotency-Key", "a")
	twice.Header.Add("Idempotency-Key", "b")
	do(t, twice).field("Idempotency-Key")
	for _, body := range []string{`{}`, `{"add":0}`, `{"add":10000001}`, `{"add":-10000001}`, `{"add":1.5}`, `{"add":"5"}`,
		`{"add":null}`, `{"add":1,"add":2}`, `{"add":99999999999999999999}`} {
		r := b.ask("POST", path, body, "Idempotency-Key", "k")
		r.field("add")
		require.Contains(t, r.problem(400, "malformed")["detail"], "-10000000 to 10000000, not 0", body)
	}
	b.ask("POST", path, `{"add":1,"units":2}`, "Idempotency-Key", "k").field("units")
	b.ask("POST", path, `[]`, "Idempotency-Key", "k").problem(400, "malformed")
	b.change("k", 10_000_000).field("add") // beyond the most that a SKU may have

	unknown := b.ask("POST", "/admin/v1/sales/s/items/case/stock", `{"add":5}`, "Idempotency-Key", "k")
	require.Equal(t, "case", unknown.problem(404, "sku_not_found")["sku"])
	require.Contains(t, unknown.problem(404, "sku_not_found")["detail"], "has no SKU case")
	b.ask("POST", "/admin/v1/sales/none/items/phone/stock", `{"add":5}`, "Idempotency-Key", "k").problem(404, "sale_not_found")
	require.EqualValues(t, 10, b.stockOf("phone"))
	require.Empty(t, b.store.Snapshot().Changes)

	b.change("k", 5).is(200)
	b.ask("POST", "/admin/v1/sales/s/close", "").is(200)
	require.Equal(t, "closed", b.change("k2", 5).problem(409, "wrong_state")["state"])
}

// A definition with another stock, or with another item, changes Redis at once.
func TestPutSaleRestocks(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 3, 3, 0)
	head, _, _ := strings.Cut(bucketedSale, `"items"`)
	put := func(items string) map[string]any {
		t.Helper()
		body := head + `"items":[` + items + `]}`
		return b.ask("PUT", "/admin/v1/sales/s", body).is(200)
	}
	stocks := func(answer map[string]any) map[string]any {
		all := map[string]any{}
		for _, item := range answer["items"].([]any) {
			of := item.(map[string]any)
			all[of["sku"].(string)] = of["stock"]
		}
		return all
	}
	const phoneAt, caseAt = `{"sku":"phone","price_cents":1,"stock":`, `{"sku":"case","price_cents":1,"stock":`
	require.Equal(t, map[string]any{"phone": 20.0, "case": 7.0, "bag": 5.0},
		stocks(put(phoneAt+`20},{"sku":"bag","stock":5,"price_cents":9,"name":"Bag"},`+caseAt+`7}`)))
	require.EqualValues(t, 3, b.stock.shelf(first, "bag").Number, "Redis knows the new SKU")
	require.Equal(t, map[string]any{"phone": 3.0, "case": 0.0, "bag": 0.0},
		stocks(put(phoneAt+`1},{"sku":"bag","stock":0,"price_cents":9,"name":"Bag"},`+caseAt+`0}`)),
		"the stock as it became: three phones are sold")
	require.Equal(t, true, b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)["holds"])
	require.Equal(t, 1, b.stock.rebuilds, "and nothing was preloaded")

	forbidden := head + `"items":[` + caseAt + `7}]}`
	require.Contains(t, b.ask("PUT", "/admin/v1/sales/s", forbidden).problem(409, "wrong_state")["detail"], "phone is missing")
}

func TestPricesChangeWhileTheSaleIsNotOpen(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	cheaper := strings.Replace(phoneSale, "129900", "99900", 1)
	price := func(r *reply) any { return r.is(200)["items"].([]any)[0].(map[string]any)["price_cents"] }
	require.EqualValues(t, 99900, price(b.ask("PUT", "/admin/v1/sales/s", cheaper)))
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
	b.ask("PUT", "/admin/v1/sales/s", phoneSale).problem(409, "wrong_state")
	b.ask("POST", "/admin/v1/sales/s/pause", "").is(200)
	require.EqualValues(t, 129900, price(b.ask("PUT", "/admin/v1/sales/s", phoneSale)))
}

// The sale lowers a stock that is in a bucket which is being rebuilt: nobody knows yet what it has.
func TestPutSaleWaitsForARebuild(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StockWait = 50 * time.Millisecond })
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketClosed })
	b.store.set(func() { b.store.relay = nil })
	less := strings.Replace(phoneSale, `"stock":10`, `"stock":3`, 1)
	b.ask("PUT", "/admin/v1/sales/s", less).problem(503, "unavailable")
	require.NoError(t, b.stock.openBucket(t.Context(), sale.BucketRow{Bucket: first, Epoch: 1}))
	b.ask("PUT", "/admin/v1/sales/s", less).is(200)
	require.EqualValues(t, 3, b.stockOf("phone"), "the rebuild took them")
	require.EqualValues(t, 3, b.stock.shelf(first, "phone").Available)
}
