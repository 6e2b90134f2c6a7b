package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"flashsale/sale"
	"flashsale/test/check"
)

// item and saleUnderTest are what the operator defines.
type item struct {
	SKU        string `json:"sku"`
	Stock      int64  `json:"stock"` // all that the operator has given so far
	PriceCents int64  `json:"price_cents"`
	Limit      *int   `json:"per_buyer_limit,omitempty"`

	later bool // not in the definition yet: it is added while the sale sells
}

type saleUnderTest struct {
	id           string
	limit        int
	saleLimit    int // 0 = none
	ttlS         int
	buckets      int
	items        []item
	starts, ends time.Time
	buyUntil     time.Time           // the crowd buys until then
	demand       bool                // at the end the crowd asks for it until nothing is left
	enough       map[string]bool     // SKUs that the crowd does not ask for until nothing is left
	changes      []check.StockChange // of the stock while it sold
}

// shortTTL is the least payment time that a sale may have.
const shortTTL = 30

// own is a limit of one item.
func own(limit int) *int { return &limit }

// salesOf returns the sales of one round: one in which buyers pay and cancel, one that ends, and whose unpaid orders
// expire, while the faults go on. Buyers press before the first begins and after the second has ended. The stock lasts
// about as long as the faults, and is small enough for a SKU's history to be decided. The sales change between one bucket and
// several by the round.
func salesOf(round int, from time.Time, lasts time.Duration) []*saleUnderTest {
	from = from.Truncate(time.Millisecond)
	kept, short := 4, 1
	if round%2 == 0 {
		kept, short = 1, 3
	}
	return []*saleUnderTest{
		{id: fmt.Sprintf("r%d-kept", round), limit: 2, saleLimit: 5, ttlS: 900, buckets: kept, demand: true,
			starts: from.Add(lasts / 20), ends: from.Add(2 * time.Hour), buyUntil: from.Add(2 * time.Hour),
			items: []item{{SKU: "one", Stock: 250, PriceCents: 100}, {SKU: "two", Stock: 150, PriceCents: 250, Limit: own(1)},
				{SKU: "four", Stock: 350, PriceCents: 100, Limit: own(3)}, {SKU: "late", PriceCents: 300, later: true}}},
		{id: fmt.Sprintf("r%d-short", round), limit: 1, ttlS: shortTTL, buckets: short, starts: from,
			ends: from.Add(lasts * 2 / 5), buyUntil: from.Add(lasts / 2),
			items: []item{{SKU: "one", Stock: 100, PriceCents: 100}, {SKU: "three", Stock: 90, PriceCents: 100}}},
	}
}

// forCheck returns the sale for the checkers.
func (s *saleUnderTest) forCheck() check.Sale {
	c := check.Sale{StartsMS: s.starts.UnixMilli(), EndsMS: s.ends.UnixMilli(), Limit: s.limit, SaleLimit: s.saleLimit,
		Limits: map[string]int{}, Loaded: map[string]int64{}, Demand: map[string]bool{}}
	for _, i := range s.items {
		if i.later {
			continue
		}
		c.Loaded[i.SKU] = i.Stock
		c.Demand[i.SKU] = s.demand && !s.enough[i.SKU]
		if i.Limit != nil {
			c.Limits[i.SKU] = *i.Limit
		}
	}
	return c
}

// definition is the body that defines the sale with the items that it has by now. more are further members.
func (s *saleUnderTest) definition(more map[string]any) map[string]any {
	var items []item
	for _, i := range s.items {
		if !i.later {
			items = append(items, i)
		}
	}
	body := map[string]any{"name": s.id, "starts_at": s.starts.UTC().Format(sale.TimeLayout),
		"ends_at": s.ends.UTC().Format(sale.TimeLayout), "per_buyer_limit": s.limit, "per_buyer_sale_limit": s.saleLimit,
		"payment_ttl_s": s.ttlS, "buckets": s.buckets, "items": items}
	for name, value := range more {
		body[name] = value
	}
	return body
}

// open creates, preloads and opens the sale.
func (w *world) open(s *saleUnderTest) {
	w.must(http.MethodPut, "sales/"+s.id, s.definition(nil))
	w.must(http.MethodPost, "sales/"+s.id+"/preload", nil)
	w.must(http.MethodPost, "sales/"+s.id+"/open", nil)
}

// mustWithin bounds the repetitions of an operator's request.
const mustWithin = 3 * time.Minute

// must repeats an operator's request until it succeeds: between rounds everything is healed, but may still recover.
func (w *world) must(method, path string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	deadline := time.Now().Add(mustWithin)
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
