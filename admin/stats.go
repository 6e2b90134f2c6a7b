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
		return a.streamStats(c, id)
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
	answer := &statsAnswer{
		Sale: s.ID, State: s.State, Reason: s.Reason, At: sale.Time{Time: now}, Items: []statsItem{},
		HoldsFrozenSince: s.HoldsFrozenSince,
	}
	groups := bySKU(&s, positions)
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
	return answer, nil
}

// streamStats sends the first event at once. A later reading that fails is sent as the event problem and the stream
// continues, so that a console shows when the store is back.
func (a *API) streamStats(c *call, id string) error {
	release, err := a.takeStream()
	if err != nil {
		return err
	}
	defer release()
	ctx := c.r.Context()
	first, err := a.readStats(ctx, id)
	if err != nil {
		return err
	}
	out := newStream(c.w)
	if c.r.Method == http.MethodHead {
		out.start()
		return nil
	}
	ticker := time.NewTicker(a.opts.StatsEvery)
	defer ticker.Stop()
	for err = out.sendStats(first); err == nil; {
		select {
		case <-ctx.Done():
			return nil
		case <-a.stop:
			return nil
		case <-ticker.C:
		}
		next, failure := a.readStats(ctx, id)
		if failure != nil {
			problem, _ := problemOf(failure)
			err = out.send("problem", problem.Append(nil))
			continue
		}
		err = out.sendStats(next)
	}
	return nil // the client is gone
}

func (s *stream) sendStats(stats *statsAnswer) error {
	body, err := sale.JSON(stats)
	if err != nil {
		return err
	}
	return s.send("stats", body)
}
