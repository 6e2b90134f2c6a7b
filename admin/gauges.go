package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// GaugeBooks is what the gauges read in the database, and the lease that makes one process show them.
type GaugeBooks interface {
	Sales(ctx context.Context) ([]sale.Sale, error)
	SaleCounters(ctx context.Context, id string) ([]sale.BucketCounters, error)
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
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
	gaugeLease    = "gauges"
	gaugeLeaseTTL = 15 * time.Second
	restPerRound  = 4               // keeps a process with very many sales from doing nothing else
	restBuckets   = 2000            // for which a second of rest is due: the cost of looking does not grow with the buckets
	longestRest   = 8 * time.Second // with GaugeOptions.Limit within the lease
)

var (
	stockUnitsDesc = prometheus.NewDesc("flashsale_stock_units", "Units of a SKU by where they are.", []string{"sale", "sku", "state"}, nil)
	errorUnitsDesc = prometheus.NewDesc("flashsale_conservation_error_units", "Units by which the stock equation of a SKU does not hold; 0 is right.", []string{"sale", "sku"}, nil)
	epochDesc      = prometheus.NewDesc("flashsale_epoch", "Epoch of a bucket in the database.", []string{"sale", "sku", "bucket"}, nil)
	oldestDesc     = prometheus.NewDesc("flashsale_journal_oldest_age_seconds", "Age of the oldest journal entry, 0 when all journals are empty.", nil, nil)
)

// Gauges is the role that shows the stock equation as metrics, in whichever process holds its lease. The others show
// nothing, so that a sum over processes counts every unit once.
type Gauges struct {
	books  GaugeBooks
	stock  GaugeStock
	opts   GaugeOptions
	holder string
	shown  atomic.Pointer[[]prometheus.Metric]
	watch  watch // as the members below, used by Run alone

	sums    map[[2]string]sale.Stock // last coherent sum of each SKU
	buckets int                      // read in the last round
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
		books: books, stock: stock, opts: opts, holder: "gauges-" + rand.Text(), sums: map[[2]string]sale.Stock{},
		watch: watch{pauser: opts.Pauser, now: time.Now, log: opts.Logger},
	}
	g.shown.Store(&[]prometheus.Metric{})
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
	for _, metric := range *g.shown.Load() {
		out <- metric
	}
}

// Run shows a round every GaugeOptions.Every until the context ends, then clears and releases the lease.
func (g *Gauges) Run(ctx context.Context) {
	for {
		began := time.Now()
		g.round(ctx)
		select {
		case <-ctx.Done():
			g.leave(ctx)
			return
		case <-time.After(g.rest(time.Since(began))):
		}
	}
}

// rest is the pause after a round that took so long.
func (g *Gauges) rest(took time.Duration) time.Duration {
	due := time.Duration(g.buckets) * time.Second / restBuckets
	return max(g.opts.Every, restPerRound*took, min(due, longestRest))
}

func (g *Gauges) leave(ctx context.Context) {
	g.shown.Store(&[]prometheus.Metric{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := g.books.ReleaseLease(ctx, gaugeLease, g.holder); err != nil {
		g.opts.Logger.Warn("lease not released", "lease", gaugeLease, "error", err)
	}
}

// round shows fresh numbers; without the lease, or when they cannot be read, it shows none: a stale gauge looks alive.
func (g *Gauges) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.opts.Limit)
	defer cancel()
	metrics := []prometheus.Metric{}
	mine, err := g.books.AcquireLease(ctx, gaugeLease, g.holder, gaugeLeaseTTL)
	if mine && err == nil {
		metrics, err = g.measure(ctx)
	}
	if err != nil {
		g.opts.Logger.Warn("stock gauges not read", "error", err)
		metrics = []prometheus.Metric{}
	}
	if err != nil || !mine {
		g.watch.forget()
	}
	g.shown.Store(&metrics)
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
			metrics = append(metrics, prometheus.MustNewConstMetric(epochDesc, prometheus.GaugeValue, float64(p.Epoch), p.Sale, p.SKU, strconv.Itoa(p.Number)))
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
	return append(metrics, prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age(now, oldest))), nil
}

// addStock shows each SKU's units. While a bucket is being rebuilt the SKU keeps its last numbers that belonged together.
func (g *Gauges) addStock(metrics []prometheus.Metric, s *sale.Sale, groups []skuPositions, fresh map[[2]string]sale.Stock) []prometheus.Metric {
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
		}{{"loaded", sum.Loaded}, {"available", sum.Available}, {"in_flight", sum.InFlight}, {"settled", sum.Settled}, {"released", sum.Released}} {
			metrics = append(metrics, prometheus.MustNewConstMetric(stockUnitsDesc, prometheus.GaugeValue, float64(unit.count), s.ID, group.sku, unit.state))
		}
		metrics = append(metrics, prometheus.MustNewConstMetric(errorUnitsDesc, prometheus.GaugeValue, float64(sum.Difference()), s.ID, group.sku))
	}
	return metrics
}

func age(now time.Time, createdMS int64) float64 {
	if createdMS == 0 {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(createdMS)).Seconds())
}
