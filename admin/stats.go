package admin

import (
	"context"
	"net/http"
	"time"

	"flashsale/sale"
)

// statsAnswer counts every unit of a sale by place, at one moment.
type statsAnswer struct {
	Sale   string     `json:"sale"`
	State  sale.State `json:"state"`
	Reason string     `json:"reason"` // why the engine paused the sale, empty otherwise
	At     sale.Time  `json:"at"`

	HoldsFrozenSince *sale.Time `json:"holds_frozen_since"` // unpaid orders do not expire; nil: they do

	Total statsTotal  `json:"total"` // of all SKUs
	Items []statsItem `json:"items"`
}

type statsTotal struct {
	sale.Stock
	Conserved bool `json:"conserved"` // the stock equation holds for every SKU
}

type statsItem struct {
	SKU string `json:"sku"`
	sale.Stock
	Conserved bool          `json:"conserved"` // the numbers shown satisfy the stock equation
	Buckets   []statsBucket `json:"buckets"`
}

type statsBucket struct {
	Bucket int              `json:"bucket"`
	State  sale.BucketState `json:"state"`
	Epoch  int64            `json:"epoch"`
	sale.Stock
}

// stats answers once, or every second as events until the client disconnects.
func (a *API) stats(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	if wantsEvents(c.r) {
		return a.stream(c, subject{"sale/" + id, a.readSale(id)}, statsFeed{})
	}
	stats, err := a.readStats(c.r.Context(), id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, stats)
}

func (a *API) readStats(ctx context.Context, id string) (*statsAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.ReadLimit)
	defer cancel()
	s, err := a.deps.Sales.Sale(ctx, id)
	if err != nil {
		return nil, err
	}
	positions, err := readPositions(ctx, a.deps.Preloads, a.deps.Stock, id)
	if err != nil {
		return nil, err
	}
	now := a.opts.Now()
	if now.IsZero() {
		return nil, sale.ProblemOf(sale.OutcomeUnavailable, "Redis's clock has not been read yet")
	}
	return statsOf(&s, bySKU(&s, positions), now), nil
}

// statsOf counts the units of all SKUs of a sale.
func statsOf(s *sale.Sale, groups []skuPositions, now time.Time) *statsAnswer {
	answer := &statsAnswer{
		Sale: s.ID, State: s.State, Reason: s.Reason, At: sale.Time{Time: now}, Items: []statsItem{},
		HoldsFrozenSince: s.HoldsFrozenSince,
	}
	answer.Total.Stock, answer.Total.Conserved = totalOf(groups)
	for _, group := range groups {
		total := group.total()
		item := statsItem{SKU: group.sku, Stock: total, Conserved: total.Holds(), Buckets: []statsBucket{}}
		for _, p := range group.places {
			item.Buckets = append(item.Buckets,
				statsBucket{Bucket: p.bucket.Number, State: p.bucket.State, Epoch: p.bucket.Epoch, Stock: p.units.Stock})
		}
		answer.Items = append(answer.Items, item)
	}
	return answer
}

// statsFeed is the events of the stats, of the readings that live screens of the sale share.
type statsFeed struct{}

func (statsFeed) refuses(value any) error { return value.(*saleReading).statsErr }

func (statsFeed) first(*stream, any) error { return nil }

func (statsFeed) next(out *stream, value any) error {
	r := value.(*saleReading)
	if !r.hasStats() {
		return nil // the event problem follows
	}
	body, err := r.statsBody()
	if err != nil {
		return err
	}
	return out.send("stats", body)
}

// hasStats reports whether both stores could be read.
func (r *saleReading) hasStats() bool { return r.statsErr == nil }

// statsBody returns the encoded stats, which all watchers share.
func (r *saleReading) statsBody() (body []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stats == nil {
		r.stats, err = sale.JSON(statsOf(&r.sale, r.groups, r.at))
	}
	return r.stats, err
}
