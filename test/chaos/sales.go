package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"flashsale/test/check"
)

// item and saleUnderTest are what the operator defines.
type item struct {
	SKU        string `json:"sku"`
	Stock      int64  `json:"stock"`
	PriceCents int64  `json:"price_cents"`
	Buckets    int    `json:"buckets"`
}

type saleUnderTest struct {
	id           string
	limit        int
	ttlS         int
	items        []item
	starts, ends time.Time
	buyUntil     time.Time // the crowd buys until then
	demand       bool      // at the end the crowd asks for it until nothing is left
}

// shortTTL is the least payment time that a sale may have.
const shortTTL = 30

// salesOf returns the sales of one round: one in which buyers pay and cancel, one that ends, and whose unpaid orders
// expire, while the faults go on. Buyers press before the first begins and after the second has ended. The stock lasts
// about as long as the faults, and is small enough for a SKU's history to be decided.
func salesOf(round int, from time.Time, lasts time.Duration) []*saleUnderTest {
	from = from.Truncate(time.Millisecond)
	return []*saleUnderTest{
		{id: fmt.Sprintf("r%d-kept", round), limit: 2, ttlS: 900, demand: true,
			starts: from.Add(lasts / 20), ends: from.Add(2 * time.Hour),
			buyUntil: from.Add(2 * time.Hour), items: []item{{"one", 250, 100, 1}, {"two", 150, 100, 1}, {"four", 350, 100, 4}}},
		{id: fmt.Sprintf("r%d-short", round), limit: 1, ttlS: shortTTL, starts: from, ends: from.Add(lasts * 2 / 5),
			buyUntil: from.Add(lasts / 2), items: []item{{"one", 100, 100, 1}, {"three", 90, 100, 3}}},
	}
}

// forCheck returns the sale for the checkers.
func (s *saleUnderTest) forCheck() check.Sale {
	c := check.Sale{StartsMS: s.starts.UnixMilli(), EndsMS: s.ends.UnixMilli(), Limit: s.limit,
		Loaded: map[string]int64{}, Demand: map[string]bool{}}
	for _, i := range s.items {
		c.Loaded[i.SKU] = i.Stock
		c.Demand[i.SKU] = s.demand
	}
	return c
}

// open creates, preloads and opens the sale.
func (w *world) open(s *saleUnderTest) {
	const layout = "2006-01-02T15:04:05.000Z"
	w.must(http.MethodPut, "sales/"+s.id, map[string]any{
		"name": s.id, "starts_at": s.starts.UTC().Format(layout), "ends_at": s.ends.UTC().Format(layout),
		"per_buyer_limit": s.limit, "payment_ttl_s": s.ttlS, "items": s.items,
	})
	w.must(http.MethodPost, "sales/"+s.id+"/preload", nil)
	w.must(http.MethodPost, "sales/"+s.id+"/open", nil)
}

// must repeats an operator's request until it succeeds: between rounds everything is healed, but may still recover.
func (w *world) must(method, path string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	deadline := time.Now().Add(3 * time.Minute)
	for {
		status, answer, err := w.Operate(method, "/admin/v1/"+path, string(text))
		if err == nil && status < 300 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s %s: %d %v %s", method, path, status, err, answer)
		}
		<-time.After(200 * time.Millisecond)
	}
}
