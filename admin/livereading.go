package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"flashsale/sale"
)

// LiveBooks is what live screens read in the database besides sales and counters.
type LiveBooks interface {
	SaleHead(ctx context.Context, id string) (sale.Sale, error) // without items
	PaidUnits(ctx context.Context, saleID string) ([]sale.PaidUnits, error)
	SaleSummaries(ctx context.Context) ([]sale.Summary, error)
	// SaleTrailIDs returns the ids above one of the newest entries about a sale itself, newest first.
	SaleTrailIDs(ctx context.Context, saleID string, above int64, limit int) ([]int64, error)
	TrailEntries(ctx context.Context, ids []int64) ([]sale.TrailEntry, error) // oldest first
}

// Pulses is what this process knows of the others.
type Pulses interface {
	Rates(saleID string) sale.Rates
	History(saleID string) sale.History
	Processes() []sale.Process
}

// redisWithin bounds the part of a reading that asks both stores. After it the reading goes on with the database alone.
const redisWithin = 1500 * time.Millisecond

// saleReading is one reading of a sale, which all its watchers share. Only what mu guards changes after it is published.
type saleReading struct {
	at        time.Time // by Redis's clock; zero: not known
	sale      sale.Sale
	groups    []skuPositions // nil: the books could not be read
	statsErr  error          // why there are no stats
	rows      []liveRow
	total     liveUnits
	samples   []takenSample
	trail     trailTail
	brake     *sale.Brake
	rates     sale.Rates
	processes []sale.Process
	stores    []sale.StoreHealth

	mu    sync.Mutex // guards what follows
	lower []string   // SKU and name of each row in lower case, for searches; those of an earlier reading of the same version
	pages map[liveQuery][]byte
	stats []byte
}

// readSale reads a sale for its watchers. What cannot be read is unknown in the value and named by the error; there is no value
// when the sale itself was never read.
func (a *API) readSale(id string) func(ctx context.Context, before any) reading {
	return func(ctx context.Context, before any) reading {
		last, _ := before.(*saleReading)
		r := &saleReading{at: a.opts.Now(), total: unknownUnits(), pages: map[liveQuery][]byte{}}
		stores := make(chan []sale.StoreHealth, 1)
		go func() { stores <- a.stores.look(ctx) }()
		err := a.readBooks(ctx, id, r, last)
		r.stores = <-stores
		if r.sale.ID == "" {
			return reading{err: err, rest: a.opts.StatsEvery}
		}
		r.brake, r.trail = lastOf(last)
		err = errors.Join(err, a.readBrake(ctx, r), a.readTrail(ctx, r))
		r.rates, r.processes = a.deps.Pulses.Rates(id), a.deps.Pulses.Processes()
		return reading{value: r, err: err, rest: a.liveRest(r.shelves())}
	}
}

func lastOf(last *saleReading) (*sale.Brake, trailTail) {
	if last == nil {
		return nil, trailTail{}
	}
	return last.brake, last.trail
}

// liveShelves are read per second of rest for live screens, so that a sale with more of them does not cost more. 10,000 are read
// every 1.35 s: a change is on the screen within 1.5 s.
const liveShelves = 7_400

// liveRest is the least time from the beginning of a reading of so many shelves to that of the next. It leaves a tenth of the
// period to the reading itself, so that a change is shown within the period and a little more.
func (a *API) liveRest(shelves int) time.Duration {
	return max(a.opts.StatsEvery*9/10, min(time.Duration(shelves)*time.Second/liveShelves, longestRest))
}

// shelves counts the SKUs of all buckets that were read.
func (r *saleReading) shelves() (n int) {
	for i := range r.groups {
		n += len(r.groups[i].places)
	}
	return n
}

// readBooks reads the sale, and then its units: the paid ones first, so that the unpaid are never negative. Without the sale
// that of the last reading stays.
func (a *API) readBooks(ctx context.Context, id string, r *saleReading, last *saleReading) error {
	s, err := a.saleOf(ctx, id, last)
	if err != nil {
		r.statsErr = err
		if last != nil && !errors.Is(err, sale.ErrNotFound) {
			r.sale, r.lower = last.sale, last.searched()
			r.rows = rowsWithoutBooks(&r.sale)
		}
		return err
	}
	r.sale = s
	if last.has(&s) {
		r.lower = last.searched()
	}
	paid, err := a.deps.Live.PaidUnits(ctx, id)
	if err != nil {
		r.statsErr, r.rows = err, rowsWithoutBooks(&r.sale)
		return err
	}
	positions, failed := a.positionsNow(ctx, id)
	if positions == nil && failed != nil {
		r.statsErr, r.rows = failed, rowsWithoutBooks(&r.sale)
		return failed
	}
	r.statsErr = failed
	if r.at.IsZero() && failed == nil {
		r.statsErr = sale.ProblemOf(sale.OutcomeUnavailable, "Redis's clock has not been read yet")
	}
	r.groups = bySKU(&r.sale, positions)
	r.count(paid)
	if last != nil {
		r.samples = last.samples
	}
	r.samples = r.measure(r.samples)
	return failed
}

// has reports whether a reading, which may be nil, has the items of a sale as it is now.
func (r *saleReading) has(s *sale.Sale) bool {
	return r != nil && r.sale.ID == s.ID && r.sale.Version == s.Version
}

// saleOf reads the sale. Its items, which may be thousands, are those of the last reading as long as its version is the same.
func (a *API) saleOf(ctx context.Context, id string, last *saleReading) (sale.Sale, error) {
	if last == nil {
		return a.deps.Sales.Sale(ctx, id)
	}
	head, err := a.deps.Live.SaleHead(ctx, id)
	if err != nil {
		return head, err
	}
	if !last.has(&head) {
		return a.deps.Sales.Sale(ctx, id)
	}
	head.Items = last.sale.Items
	return head, nil
}

// positionsNow reads the units in both stores, and those of the database alone when that fails: the error then comes with
// positions. A sale that was never loaded has none, and no error.
func (a *API) positionsNow(ctx context.Context, id string) ([]position, error) {
	within, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	positions, err := readPositions(within, a.deps.Preloads, a.deps.Stock, id)
	if err == nil {
		return positions, nil
	}
	books, failed := a.deps.Preloads.SaleCounters(ctx, id)
	if failed != nil {
		return nil, fmt.Errorf("read the books of sale %s: %w", id, failed)
	}
	positions = make([]position, len(books))
	for i := range books {
		pair := pairOf(&books[i], &sale.StockReading{})
		positions[i], _ = pair.position(nil)
	}
	return positions, err
}

// count makes the rows and their sum.
func (r *saleReading) count(paid []sale.PaidUnits) {
	bySKU := make(map[string]int64, len(paid))
	for i := range paid {
		bySKU[paid[i].SKU] = paid[i].Units
	}
	r.rows = make([]liveRow, len(r.groups))
	holds := true
	r.total = liveUnits{PerS: sale.Unknown(), SoldOutIn: sale.Unknown(), Conserved: &holds}
	for i := range r.groups {
		row := &r.rows[i]
		row.SKU = r.groups[i].sku
		if i < len(r.sale.Items) {
			row.Name, row.PriceCents = r.sale.Items[i].Name, r.sale.Items[i].PriceCents
		}
		row.liveUnits = unitsOf(&r.groups[i], bySKU[row.SKU])
		r.total.add(&row.liveUnits)
	}
}

// rowsWithoutBooks are the SKUs of a sale whose units are not known.
func rowsWithoutBooks(s *sale.Sale) []liveRow {
	rows := make([]liveRow, len(s.Items))
	for i := range s.Items {
		rows[i] = liveRow{
			SKU: s.Items[i].SKU, Name: s.Items[i].Name, PriceCents: s.Items[i].PriceCents, liveUnits: unknownUnits(),
		}
	}
	return rows
}

// searched returns what searchable has made, for the next reading: searches in this one go on meanwhile.
func (r *saleReading) searched() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lower
}

// searchable returns what ?q= searches in, for every row. The caller owns the mutex.
func (r *saleReading) searchable() []string {
	if len(r.lower) != len(r.rows) {
		r.lower = make([]string, len(r.rows))
		for i := range r.rows {
			r.lower[i] = strings.ToLower(r.rows[i].SKU + "\n" + r.rows[i].Name)
		}
	}
	return r.lower
}
