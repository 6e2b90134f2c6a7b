package admin

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/memory"
)

// gaugeBench runs single rounds on the store and stock of a bench.
func gaugeBench(t *testing.T, b *bench) *Gauges {
	t.Helper()
	g, err := NewGauges(b.store, b.stock, prometheus.NewRegistry(), GaugeOptions{
		Now:    func() time.Time { return time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC) },
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	g.own(true)
	return g
}

// roundOf runs one round, in which a store may be away.
func roundOf(t *testing.T, g *Gauges) {
	t.Helper()
	if err := g.round(t.Context()); err != nil {
		require.ErrorIs(t, err, errAway)
	}
}

func TestGaugesShowWhereEveryUnitIs(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.bring("draft", phoneSale)
	b.sell(first, 4, 3, 1)
	b.stock.set(func() {
		b.stock.readings[first].OldestJournal = time.Date(2026, 11, 11, 10, 59, 58, 500e6, time.UTC).UnixMilli()
	})
	g := gaugeBench(t, b)
	require.Zero(t, testutil.CollectAndCount(g), "nothing before the first round")
	_, known := g.OldestJournal()
	require.False(t, known)
	roundOf(t, g)
	oldest, known := g.OldestJournal()
	require.True(t, known)
	require.InDelta(t, 1.5, oldest, 1e-9)
	require.NoError(t, testutil.CollectAndCompare(g, strings.NewReader(`
# HELP flashsale_conservation_error_units Units by which the stock equation of a SKU is off; 0 when it holds.
# TYPE flashsale_conservation_error_units gauge
flashsale_conservation_error_units{sale="s",sku="phone"} 0
# HELP flashsale_epoch Epoch of a bucket in the database.
# TYPE flashsale_epoch gauge
flashsale_epoch{bucket="0",sale="s"} 1
# HELP flashsale_holds_frozen 1 while unpaid orders of the sale do not expire because its holds are frozen, otherwise 0.
# TYPE flashsale_holds_frozen gauge
flashsale_holds_frozen{sale="s"} 0
# HELP flashsale_hot_sku_rate Units taken a second, about of the last 10 seconds, of the 10 SKUs of which most are taken.
# TYPE flashsale_hot_sku_rate gauge
flashsale_hot_sku_rate{sale="s",sku="phone"} 0
# HELP flashsale_journal_oldest_age_seconds Age of the oldest journal entry, 0 when all journals are empty.
# TYPE flashsale_journal_oldest_age_seconds gauge
flashsale_journal_oldest_age_seconds 1.5
# HELP flashsale_sale_state 1 for the state that a sale is in, 0 for the others; of the 100 sales that matter most now.
# TYPE flashsale_sale_state gauge
flashsale_sale_state{sale="draft",state="closed"} 0
flashsale_sale_state{sale="draft",state="draft"} 1
flashsale_sale_state{sale="draft",state="open"} 0
flashsale_sale_state{sale="draft",state="paused"} 0
flashsale_sale_state{sale="draft",state="preloaded"} 0
flashsale_sale_state{sale="s",state="closed"} 0
flashsale_sale_state{sale="s",state="draft"} 0
flashsale_sale_state{sale="s",state="open"} 1
flashsale_sale_state{sale="s",state="paused"} 0
flashsale_sale_state{sale="s",state="preloaded"} 0
# HELP flashsale_stock_units Units of a SKU by place.
# TYPE flashsale_stock_units gauge
flashsale_stock_units{sale="s",sku="phone",state="available"} 7
flashsale_stock_units{sale="s",sku="phone",state="in_flight"} 1
flashsale_stock_units{sale="s",sku="phone",state="loaded"} 10
flashsale_stock_units{sale="s",sku="phone",state="released"} 1
flashsale_stock_units{sale="s",sku="phone",state="settled"} 3
`)))
}

// A sale that is frozen is shown as long as it is, also days after its end; one that is not, as long as its stock is.
func TestGaugesShowFrozenSales(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	g := gaugeBench(t, b)
	shows := func(value string) {
		t.Helper()
		roundOf(t, g)
		require.NoError(t, testutil.CollectAndCompare(g, strings.NewReader(value), "flashsale_holds_frozen"))
	}
	const head = `# HELP flashsale_holds_frozen 1 while unpaid orders of the sale do not expire because its holds are frozen, ` +
		"otherwise 0.\n# TYPE flashsale_holds_frozen gauge\n"
	b.ask("POST", "/admin/v1/sales/s/holds/freeze", "").is(200)
	shows(head + "flashsale_holds_frozen{sale=\"s\"} 1\n")
	b.store.changeSale("s", func(s *memory.Sale) { s.EndsAt = sale.Time{Time: s.EndsAt.AddDate(-1, 0, 0)} })
	shows(head + "flashsale_holds_frozen{sale=\"s\"} 1\n")
	b.ask("POST", "/admin/v1/sales/s/holds/thaw", "").is(200)
	shows("")
}

// One process exports the gauges, also between two rounds; when it ends, another one does.
func TestGaugesOfOneProcessOnly(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	synctest.Test(t, func(t *testing.T) {
		run := func(g *Gauges) (end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); g.Run(ctx) }()
			synctest.Wait()
			return func() { cancel(); <-ended }
		}
		first, second := gaugeBench(t, b), gaugeBench(t, b)
		endFirst, endSecond := run(first), run(second)
		for range 100 {
			<-time.After(time.Second / 7)
			require.NotZero(t, testutil.CollectAndCount(first))
		}
		endFirst()
		require.Zero(t, testutil.CollectAndCount(first))
		<-time.After(lease.AskEvery)
		synctest.Wait()
		require.NotZero(t, testutil.CollectAndCount(second))
		b.store.set(func() { b.store.stolen = true })
		<-time.After(lease.TTL)
		synctest.Wait()
		require.Zero(t, testutil.CollectAndCount(second), "the lease is lost")
		endSecond()
	})
}

// Numbers of a round in which the lease was lost are not exported.
func TestGaugesOfALeaseThatWasLostAreNotShown(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	g := gaugeBench(t, b)
	g.opts.Now = func() time.Time { g.own(false); return time.Now() } // in the middle of a round
	roundOf(t, g)
	require.Zero(t, testutil.CollectAndCount(g))
}

func TestGaugesShowNothingTheyCannotRead(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	g := gaugeBench(t, b)
	roundOf(t, g)
	require.NotZero(t, testutil.CollectAndCount(g))
	for _, away := range []func(){
		func() { b.stock.set(func() { b.stock.away = true }) },
		func() { b.store.set(func() { b.store.away = true }) },
	} {
		away()
		roundOf(t, g)
		require.Zero(t, testutil.CollectAndCount(g), "a stale gauge looks alive")
	}
}

func TestGaugesKeepTheLastNumbersThroughARebuild(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	g := gaugeBench(t, b)
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketLoading })
	roundOf(t, g)
	others := 3 + len(statesOfSales())
	require.Equal(t, others, testutil.CollectAndCount(g), "epoch, freeze, journal and states only: there were no numbers yet")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketOpen })
	roundOf(t, g)
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State, r.Epoch = sale.BucketLoading, 2 })
	roundOf(t, g)
	require.Equal(t, others+7, testutil.CollectAndCount(g))
	require.NoError(t, testutil.CollectAndCompare(g, strings.NewReader(`
# HELP flashsale_conservation_error_units Units by which the stock equation of a SKU is off; 0 when it holds.
# TYPE flashsale_conservation_error_units gauge
flashsale_conservation_error_units{sale="s",sku="phone"} 0
`), "flashsale_conservation_error_units"), "a rebuild is not a fault")
}

func TestGaugesDropSalesOfThePast(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	g := gaugeBench(t, b)
	g.opts.Now = func() time.Time { return time.Date(2026, 11, 12, 12, 0, 1, 0, time.UTC) }
	roundOf(t, g)
	require.Equal(t, 1, testutil.CollectAndCount(g), "the journal's age alone")
}

func TestGaugesRunUntilTheirContextEnds(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	registry := prometheus.NewRegistry()
	during := func() time.Time { return time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC) }
	g, err := NewGauges(b.store, b.stock, registry, GaugeOptions{Every: 5 * time.Millisecond, Now: during})
	require.NoError(t, err)
	_, err = NewGauges(b.store, b.stock, registry, GaugeOptions{})
	require.Error(t, err, "one set of gauges a process")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	require.Eventually(t, func() bool {
		families, err := registry.Gather()
		return err == nil && len(families) == 7
	}, 5*time.Second, time.Millisecond)
	cancel()
	<-done
	require.Zero(t, testutil.CollectAndCount(g))
	require.NotContains(t, b.store.Snapshot().Leases, string(lease.Gauges))
}

// The more shelves a round reads, the longer the rest after it; the lease is renewed meanwhile. While books are off, the
// rounds follow each other closely.
func TestGaugesRestAfterManyShelves(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	g := gaugeBench(t, b)
	roundOf(t, g)
	require.Equal(t, 1, g.shelves)
	require.Equal(t, time.Second, g.rest(time.Millisecond))
	require.Equal(t, 4*time.Second, g.rest(time.Second))
	g.shelves = sale.MaxShelves
	require.InDelta(t, 2.6, g.rest(200*time.Millisecond).Seconds(), 0.1)
	g.shelves = 1_000_000
	require.Equal(t, longestRest, g.rest(time.Second))
	now := time.Now()
	g.watch.now = func() time.Time { return now }
	g.watch.since = map[[2]string]time.Time{{"s", "phone"}: now.Add(-time.Second), {"s", "case"}: now}
	require.Equal(t, time.Second, g.rest(200*time.Millisecond), "books are off")
	now = now.Add(1500 * time.Millisecond)
	require.Equal(t, 500*time.Millisecond, g.rest(200*time.Millisecond), "no later than the pause")
	now = now.Add(450 * time.Millisecond)
	require.Equal(t, 200*time.Millisecond, g.rest(200*time.Millisecond))
}

func TestAgeIsNeverNegative(t *testing.T) {
	now := time.UnixMilli(10_000)
	require.Zero(t, age(now, 0))
	require.Zero(t, age(now, 11_000), "clocks differ")
	require.InDelta(t, 2.5, age(now, 7_500), 1e-9)
}
