package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"flashsale/sale"
)

// liveSales answers with all sales that are not archived, in short: once, or as events.
func (a *API) liveSales(c *call) error {
	subject := subject{"sales", a.readSales}
	if wantsEvents(c.r) {
		return a.stream(c, subject, salesFeed{})
	}
	return a.answerOnce(c, subject, func(value any) ([]byte, error) { return value.(*salesReading).page() })
}

// salesAnswer is what the list of sales shows.
type salesAnswer struct {
	At        sale.Time          `json:"at"`
	Sales     []saleSummary      `json:"sales"`
	Processes []sale.Process     `json:"processes"`
	Stores    []sale.StoreHealth `json:"stores"`
}

type saleSummary struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	State            sale.State  `json:"state"`
	Reason           string      `json:"reason"`
	StartsAt         sale.Time   `json:"starts_at"`
	EndsAt           sale.Time   `json:"ends_at"`
	HoldsFrozenSince *sale.Time  `json:"holds_frozen_since"`
	Loaded           int64       `json:"loaded"`
	Sold             int64       `json:"sold"` // units of orders in the database that count
	Unpaid           int64       `json:"unpaid"`
	Available        sale.Number `json:"available"` // null: not known, or not read because of its cost
	PressesPerS      sale.Number `json:"presses_per_s"`
	RefusedPerS      sale.Number `json:"refused_per_s"`
	OrdersPerS       sale.Number `json:"orders_per_s"`
}

// salesReading is one reading of all sales, encoded once.
type salesReading struct {
	answer salesAnswer
	once   sync.Once
	body   []byte
	err    error
}

func (r *salesReading) page() ([]byte, error) {
	r.once.Do(func() { r.body, r.err = sale.JSON(&r.answer) })
	return r.body, r.err
}

type salesFeed struct{}

func (salesFeed) refuses(any) error { return nil }

func (salesFeed) first(*stream, any) error { return nil }

func (salesFeed) next(out *stream, value any) error {
	page, err := value.(*salesReading).page()
	if err != nil {
		return err
	}
	return out.send("sales", page)
}

// readSales reads all sales. When the database cannot be read, the sales of the last reading stay, with what else is known.
func (a *API) readSales(ctx context.Context, before any) reading {
	now := a.opts.Now()
	if now.IsZero() {
		now = time.Now()
	}
	r := &salesReading{answer: salesAnswer{At: sale.TimeMillis(now.UnixMilli()), Sales: []saleSummary{}}}
	stores := make(chan []sale.StoreHealth, 1)
	go func() { stores <- a.stores.look(ctx) }()
	summaries, err := a.deps.Live.SaleSummaries(ctx)
	shelves := 0
	if err == nil {
		r.answer.Sales, shelves, err = a.summarize(ctx, summaries)
	} else if last, _ := before.(*salesReading); last != nil {
		r.answer.Sales = last.answer.Sales
	} else {
		return reading{err: err, rest: 2 * a.opts.StatsEvery}
	}
	r.answer.Stores, r.answer.Processes = <-stores, a.deps.Pulses.Processes()
	return reading{value: r, err: err, rest: max(2*a.opts.StatsEvery, a.liveRest(shelves))}
}

// summarize adds to each sale its rates, and the units in Redis of those that sell. The error says why these are not known.
func (a *API) summarize(ctx context.Context, all []sale.Summary) (shown []saleSummary, shelves int, err error) {
	available, shelves, err := a.availableOf(ctx, all)
	shown = make([]saleSummary, len(all))
	for i := range all {
		s, rates := &all[i].Sale, a.deps.Pulses.Rates(all[i].ID)
		shown[i] = saleSummary{
			ID: s.ID, Name: s.Name, State: s.State, Reason: s.Reason, StartsAt: s.StartsAt, EndsAt: s.EndsAt,
			HoldsFrozenSince: s.HoldsFrozenSince, Available: sale.Unknown(),
			PressesPerS: rates.PressesPerS, RefusedPerS: rates.RefusedTotal(), OrdersPerS: rates.OrdersPerS,
		}
		for k := range all[i].Buckets {
			b := &all[i].Buckets[k]
			shown[i].Loaded, shown[i].Sold = shown[i].Loaded+b.Loaded, shown[i].Sold+b.Settled-b.Released
			shelves += b.SKUs
		}
		shown[i].Unpaid = max(0, shown[i].Sold-all[i].Paid)
		if units, known := available[s.ID]; known {
			shown[i].Available = sale.Number(units)
		}
	}
	return shown, shelves, err
}

// availableOf reads the units for sale of the sales that are preloaded, open or paused, as long as they have restShelves shelves
// together. A sale with a bucket that is being rebuilt is left out.
func (a *API) availableOf(ctx context.Context, all []sale.Summary) (units map[string]int64, shelves int, err error) {
	var rows []sale.BucketSum
	var buckets []sale.Bucket
	for i := range all {
		s, of := &all[i], 0
		for k := range s.Buckets {
			of += s.Buckets[k].SKUs
		}
		sells := s.State == sale.StatePreloaded || s.State == sale.StateOpen || s.State == sale.StatePaused
		if !sells || shelves+of > restShelves {
			continue
		}
		shelves += of
		for k := range s.Buckets {
			rows, buckets = append(rows, s.Buckets[k]), append(buckets, s.Buckets[k].Bucket)
		}
	}
	if len(buckets) == 0 {
		return nil, shelves, nil
	}
	within, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	seen, err := a.deps.Stock.StockReadings(within, buckets, nil)
	if err == nil && len(seen) != len(buckets) {
		err = errors.New("too few readings")
	}
	if err != nil {
		return nil, shelves, fmt.Errorf("read the stock of %d buckets in Redis: %w", len(buckets), err)
	}
	return availableIn(rows, seen), shelves, nil
}

// availableIn sums the units in Redis by sale, of the sales whose buckets are all open and of the database's epoch.
func availableIn(rows []sale.BucketSum, seen []sale.StockReading) map[string]int64 {
	units, torn := map[string]int64{}, map[string]bool{}
	for i := range rows {
		if rows[i].State != sale.BucketOpen || rows[i].Epoch != seen[i].Epoch {
			torn[rows[i].Sale] = true
		}
		units[rows[i].Sale] += 0
		for k := range seen[i].Shelves {
			units[rows[i].Sale] += seen[i].Shelves[k].Available
		}
	}
	for id := range torn {
		delete(units, id)
	}
	return units
}
