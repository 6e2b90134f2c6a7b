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

// GaugeBooks is what the gauges read in the database, and the lease that makes one process show them.
type GaugeBooks interface {
	Sales(ctx context.Context) ([]sale.Sale, error)
	SaleCounters(ctx context.Context, id string) ([]sale.BucketCounters, error)
	lease.Leases
}

// GaugeStock is what the gauges read in Redis.
type GaugeStock interface {
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
}

// GaugeOptions are the settings of the gauges. Zero values take their defaults.
type GaugeOptions struct {
	Pauser Pauser           // pauses a sale whose books do not balance; nil: they are only shown
	Every  time.Duration    // 1 s between two rounds; longer where a round takes long or reads many buckets
	Limit  time.Duration    // 5 s: the longest a round may take
	Keep   time.Duration    // 24 h: how long after its end a sale is still shown, the bound of the metric's size
	Now    func() time.Time // Redis's clock where there is one; default time.Now
	Logger *slog.Logger
}

const (
	restPerRound = 4    // keeps a process with very many sales from doing nothing else
	restBuckets  = 2000 // for which a second of rest is due: the cost of looking does not grow with the buckets
	longestRest  = 8 * time.Second
)

var (
	stockUnitsDesc = prometheus.NewDesc("flashsale_stock_units",
		"Units of a SKU by where they are.", []string{"sale", "sku", "state"}, nil)
	errorUnitsDesc = prometheus.NewDesc("flashsale_conservation_error_units",
		"Units by which the stock equation of a SKU does not hold; 0 is right.", []string{"sale", "sku"}, nil)
	epochDesc = prometheus.NewDesc("flashsale_epoch",
		"Epoch of a bucket in the database.", []string{"sale", "sku", "bucket"}, nil)
	oldestDesc = prometheus.NewDesc("flashsale_journal_oldest_age_seconds",
		"Age of the oldest journal entry, 0 when all journals are empty.", nil, nil)
)

// Gauges is the role that shows the stock equation as metrics, in whichever process has its lease. The others show
// nothing, so that a sum over processes counts every unit once.
type Gauges struct {
	books GaugeBooks
	stock GaugeStock
	opts  GaugeOptions
	watch watch // as the members below, used by Run alone

	sums    map[[2]string]sale.Stock // last coherent sum of each SKU
	buckets int                      // read in the last round

	mu    sync.Mutex
	owned bool // this process has the lease
	anew  bool // the lease was acquired or lost since the last round
	shown []prometheus.Metric
}

// NewGauges registers the gauges. They stay empty until Run has the lease.
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
		books: books, stock: stock, opts: opts, sums: map[[2]string]sale.Stock{},
		watch: watch{pauser: opts.Pauser, now: time.Now, log: opts.Logger},
	}
	if err := registerer.Register(g); err != nil {
		return nil, fmt.Errorf("register the stock gauges: %w", err)
	}
	return g, nil
}

// Describe names the metrics.
func (g *Gauges) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{stockUnitsDesc, errorUnitsDesc, epochDesc, oldestDesc} {
		out <- desc
	}
}

// Collect hands out the last round.
func (g *Gauges) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	shown := g.shown
	g.mu.Unlock()
	for _, metric := range shown {
		out <- metric
	}
}

// Run shows a round every GaugeOptions.Every, while this process has the lease, until the context ends.
func (g *Gauges) Run(ctx context.Context) {
	of := lease.Lease{
		Leases: g.books, Name: lease.Gauges, Owner: "gauges-" + rand.Text(), Owned: g.own, Log: g.opts.Logger,
	}
	of.Serve(ctx, role.Loop{
		Name: "gauges", Unit: g.round, Rest: g.rest, Limit: g.opts.Limit, Failing: "stock gauges not read", Log: g.opts.Logger,
	})
}

// rest is the pause after a round that took so long.
func (g *Gauges) rest(took time.Duration) time.Duration {
	due := time.Duration(g.buckets) * time.Second / restBuckets
	return max(g.opts.Every, restPerRound*took, min(due, longestRest))
}

// own notes whether this process has the lease; without it the gauges show nothing.
func (g *Gauges) own(owned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owned, g.anew = owned, true
	g.shown = nil
}

// show replaces what is shown, unless the lease was lost while it was measured.
func (g *Gauges) show(metrics []prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owned {
		g.shown = metrics
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

// round shows fresh numbers. When they cannot be read it shows none: a stale gauge looks alive.
func (g *Gauges) round(ctx context.Context) error {
	if g.begin() {
		g.watch.forget()
	}
	metrics, err := g.measure(ctx)
	if err != nil {
		g.watch.forget()
		metrics = nil
	}
	g.show(metrics)
	return err
}

func (g *Gauges) measure(ctx context.Context) ([]prometheus.Metric, error) {
	sales, err := g.books.Sales(ctx)
	if err != nil {
		return nil, fmt.Errorf("list sales: %w", err)
	}
	now := g.opts.Now()
	g.buckets = 0
	g.watch.begin()
	var metrics []prometheus.Metric
	oldest, fresh := int64(0), map[[2]string]sale.Stock{}
	for i := range sales {
		if sales[i].State == sale.StateDraft || now.Sub(sales[i].EndsAt.Time) > g.opts.Keep {
			continue
		}
		positions, err := readPositions(ctx, g.books, g.stock, sales[i].ID)
		if err != nil {
			return nil, err
		}
		g.buckets += len(positions)
		for _, p := range positions {
			metrics = append(metrics, gauge(epochDesc, float64(p.Epoch), p.Sale, p.SKU, strconv.Itoa(p.Number)))
			if p.Oldest != 0 && (oldest == 0 || p.Oldest < oldest) {
				oldest = p.Oldest
			}
		}
		groups := bySKU(&sales[i], positions)
		metrics = g.addStock(metrics, &sales[i], groups, fresh)
		g.watch.look(ctx, &sales[i], groups)
	}
	g.sums = fresh
	g.watch.end()
	return append(metrics, gauge(oldestDesc, age(now, oldest))), nil
}

// addStock shows each SKU's units. While a bucket is being rebuilt the SKU keeps its last numbers that belonged together.
func (g *Gauges) addStock(
	metrics []prometheus.Metric, s *sale.Sale, groups []skuPositions, fresh map[[2]string]sale.Stock,
) []prometheus.Metric {
	for _, group := range groups {
		key := [2]string{s.ID, group.sku}
		sum, known := group.total(), true
		if !group.coherent() {
			sum, known = g.sums[key]
		}
		if !known {
			continue
		}
		fresh[key] = sum
		for _, unit := range []struct {
			state string
			count int64
		}{
			{"loaded", sum.Loaded}, {"available", sum.Available}, {"in_flight", sum.InFlight},
			{"settled", sum.Settled}, {"released", sum.Released},
		} {
			metrics = append(metrics, gauge(stockUnitsDesc, float64(unit.count), s.ID, group.sku, unit.state))
		}
		metrics = append(metrics, gauge(errorUnitsDesc, float64(sum.Difference()), s.ID, group.sku))
	}
	return metrics
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
