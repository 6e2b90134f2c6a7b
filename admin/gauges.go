package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
)

// GaugeBooks is what the gauges read in the database, and the lease that lets one process export them.
type GaugeBooks interface {
	Sales(ctx context.Context) ([]sale.Sale, error)
	SaleCounters(ctx context.Context, id string) ([]sale.StockCounters, error)
	lease.Leases
}

// GaugeStock is what the gauges read in Redis.
type GaugeStock interface {
	StockReadings(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error)
}

// GaugeOptions are the settings of the gauges. Zero values take their defaults.
type GaugeOptions struct {
	Pauser Pauser           // pauses a sale whose equation is off; nil: no sale is paused
	Every  time.Duration    // 1 s between two rounds; longer when a round is slow or reads many shelves
	Limit  time.Duration    // 5 s: the longest time of a round
	Keep   time.Duration    // 24 h: how long after its end a sale is still exported; bounds the number of series
	Now    func() time.Time // Redis's clock where there is one; default time.Now
	Logger *slog.Logger
}

const (
	restPerRound = 4 // leaves time for other work in a process with very many sales
	// restShelves are read per second of rest: the cost does not grow with the shelves, that is the SKUs of a sale times its
	// buckets. Redis reads a shelf in 0.15 µs, so 25,000 a second take less than 0.4 % of a core.
	restShelves = 25_000
	longestRest = 8 * time.Second
)

var (
	stockUnitsDesc = prometheus.NewDesc("flashsale_stock_units",
		"Units of a SKU by place.", []string{"sale", "sku", "state"}, nil)
	errorUnitsDesc = prometheus.NewDesc("flashsale_conservation_error_units",
		"Units by which the stock equation of a SKU is off; 0 when it holds.", []string{"sale", "sku"}, nil)
	epochDesc = prometheus.NewDesc("flashsale_epoch",
		"Epoch of a bucket in the database.", []string{"sale", "bucket"}, nil)
	frozenDesc = prometheus.NewDesc("flashsale_holds_frozen",
		"1 while unpaid orders of the sale do not expire because its holds are frozen, otherwise 0.", []string{"sale"}, nil)
	oldestDesc = prometheus.NewDesc("flashsale_journal_oldest_age_seconds",
		"Age of the oldest journal entry, 0 when all journals are empty.", nil, nil)
)

// Gauges is the role that exports the stock equation as metrics, in the one process that has its lease. Other processes
// export no stock gauge, so a sum over processes counts every unit once.
type Gauges struct {
	books GaugeBooks
	stock GaugeStock
	opts  GaugeOptions
	watch watch // used by Run alone, as are the members below

	sums    map[[2]string]exported // last coherent sum of each SKU
	hot     map[[2]string]bool     // the SKUs whose rates were shown last
	shelves int                    // read in the last round

	mu    sync.Mutex
	owned bool // this process has the lease
	anew  bool // the lease was acquired or lost since the last round
	shown []prometheus.Metric
	held  float64 // seconds: age of the oldest journal entry in the last round
	fresh bool    // held was read, by this process
}

// OldestJournal returns the age of the oldest journal entry in seconds, 0 when all journals are empty, by the last round.
// known is false while another process measures, and after a round that failed.
func (g *Gauges) OldestJournal() (seconds float64, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held, g.fresh
}

// NewGauges registers the gauges. They stay empty until Run has acquired the lease.
func NewGauges(books GaugeBooks, stock GaugeStock, registerer prometheus.Registerer, opts GaugeOptions) (*Gauges, error) {
	opts.Every = cmp.Or(opts.Every, time.Second)
	opts.Limit = cmp.Or(opts.Limit, 5*time.Second)
	opts.Keep = cmp.Or(opts.Keep, 24*time.Hour)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	g := &Gauges{
		books: books, stock: stock, opts: opts, sums: map[[2]string]exported{}, hot: map[[2]string]bool{},
		watch: watch{pauser: opts.Pauser, now: time.Now, log: opts.Logger},
	}
	if err := registerer.Register(g); err != nil {
		return nil, fmt.Errorf("register the stock gauges: %w", err)
	}
	return g, nil
}

// Describe names the metrics.
func (g *Gauges) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		stockUnitsDesc, errorUnitsDesc, epochDesc, frozenDesc, oldestDesc, stateDesc, hotDesc,
	} {
		out <- desc
	}
}

// Collect sends the metrics of the last round.
func (g *Gauges) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	shown := g.shown
	g.mu.Unlock()
	for _, metric := range shown {
		out <- metric
	}
}

// Run measures at most once every GaugeOptions.Every while this process has the lease, until the context ends.
func (g *Gauges) Run(ctx context.Context) {
	of := lease.Lease{
		Leases: g.books, Name: lease.Gauges, Owner: "gauges-" + rand.Text(), Owned: g.own, Log: g.opts.Logger,
	}
	of.Serve(ctx, role.Loop{
		Name: "gauges", Unit: g.round, Rest: g.rest, Limit: g.opts.Limit, Failing: "stock gauges not read", Log: g.opts.Logger,
	})
}

// rest is the pause after a round of a given duration. While books are off, the number of shelves does not count, and the
// next round comes no later than the moment at which the sale is to be paused.
func (g *Gauges) rest(took time.Duration) time.Duration {
	shortest := max(g.opts.Every, restPerRound*took)
	if left, doubts := g.watch.untilPause(); doubts {
		return max(took, min(shortest, left))
	}
	return max(shortest, min(time.Duration(g.shelves)*time.Second/restShelves, longestRest))
}

// own records whether this process has the lease; without it the gauges are empty.
func (g *Gauges) own(owned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owned, g.anew = owned, true
	g.shown, g.fresh = nil, false
}

// show replaces the exported metrics, unless the lease was lost during the round.
func (g *Gauges) show(metrics []prometheus.Metric, held float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owned {
		g.shown, g.held, g.fresh = metrics, held, metrics != nil
	}
}

// begin begins a round and reports whether the lease was acquired or lost since the last one.
func (g *Gauges) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	anew := g.anew
	g.anew = false
	return anew
}

// round exports fresh numbers. When it cannot read them it exports none, because a stale gauge cannot be told from a
// fresh one.
func (g *Gauges) round(ctx context.Context) error {
	if g.begin() {
		g.watch.forget()
	}
	metrics, held, err := g.measure(ctx)
	if err != nil {
		g.watch.forget()
		metrics = nil
	}
	g.show(metrics, held)
	return err
}

// measure returns the metrics, and the age of the oldest journal entry in seconds.
func (g *Gauges) measure(ctx context.Context) (metrics []prometheus.Metric, held float64, err error) {
	sales, err := g.books.Sales(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("list sales: %w", err)
	}
	now := g.opts.Now()
	g.shelves = 0
	g.watch.begin()
	oldest, fresh, order := int64(0), make(map[[2]string]exported, len(g.sums)), make([][2]string, 0, len(g.sums))
	metrics = stateMetrics(sales, now, g.opts.Keep)
	for i := range sales {
		frozen := sales[i].HoldsFrozenSince != nil
		if frozen || sales[i].State != sale.StateDraft && now.Sub(sales[i].EndsAt.Time) <= g.opts.Keep {
			metrics = append(metrics, gauge(frozenDesc, oneIf(frozen), sales[i].ID))
		}
		if sales[i].State == sale.StateDraft || now.Sub(sales[i].EndsAt.Time) > g.opts.Keep {
			continue
		}
		positions, err := readPositions(ctx, g.books, g.stock, sales[i].ID)
		if err != nil {
			return nil, 0, err
		}
		for i := range positions {
			p := &positions[i]
			g.shelves += len(p.shelves)
			metrics = append(metrics, gauge(epochDesc, float64(p.Epoch), p.Sale, strconv.Itoa(p.Number)))
			if p.Oldest != 0 && (oldest == 0 || p.Oldest < oldest) {
				oldest = p.Oldest
			}
		}
		groups := bySKU(&sales[i], positions)
		metrics = g.addStock(metrics, &sales[i], groups, fresh, &order)
		g.watch.look(ctx, &sales[i], groups)
	}
	g.sums = fresh
	metrics = append(metrics, hotMetrics(order, fresh, g.hot)...)
	g.watch.end()
	held = age(now, oldest)
	return append(metrics, gauge(oldestDesc, held)), held, nil
}

// exported is a SKU's sum and its metrics, which the next round exports again while the sum is the same.
type exported struct {
	sum     sale.Stock
	metrics []prometheus.Metric
	rate    rate
}

// addStock exports each SKU's units, and appends the SKUs to order. While a bucket is being rebuilt, the SKU keeps its last
// coherent numbers.
func (g *Gauges) addStock(
	metrics []prometheus.Metric, s *sale.Sale, groups []skuPositions, fresh map[[2]string]exported, order *[][2]string,
) []prometheus.Metric {
	for i := range groups {
		key := [2]string{s.ID, groups[i].sku}
		last, known := g.sums[key]
		if groups[i].coherent() {
			sum := groups[i].total()
			if !known || sum != last.sum {
				last.sum, last.metrics = sum, stockMetrics(s.ID, groups[i].sku, sum)
			}
			last.rate = last.rate.next(sum, g.watch.now())
		} else if !known {
			continue
		}
		fresh[key] = last
		*order = append(*order, key)
		metrics = append(metrics, last.metrics...)
	}
	return metrics
}

func stockMetrics(saleID, sku string, sum sale.Stock) []prometheus.Metric {
	metrics := make([]prometheus.Metric, 0, 6)
	for _, unit := range []struct {
		state string
		count int64
	}{
		{"loaded", sum.Loaded}, {"available", sum.Available}, {"in_flight", sum.InFlight},
		{"settled", sum.Settled}, {"released", sum.Released},
	} {
		metrics = append(metrics, gauge(stockUnitsDesc, float64(unit.count), saleID, sku, unit.state))
	}
	return append(metrics, gauge(errorUnitsDesc, float64(sum.Difference()), saleID, sku))
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func age(now time.Time, createdMS int64) float64 {
	if createdMS == 0 {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(createdMS)).Seconds())
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
