package brake

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

var errAway = errors.New("connection refused")

// ordersPerRecord of the plant.
const ordersPerRecord = 10

// plant is an engine in virtual time: buyers press, Kafka takes records from one journal, rows settle, events are published.
// It follows the brake that the database in memory has.
type plant struct {
	*memory.Database
	mu   sync.Mutex
	at   time.Time
	away map[string]bool // what cannot be read

	demand, kafka, settling, publishing float64 // orders a second
	journal, queued, settled, events    float64 // orders
	mostJournal, mostQueued             float64
	sets                                int
}

func newPlant() *plant {
	return &plant{
		Database: memory.New(memory.Options{}), at: time.Now(), away: map[string]bool{},
		kafka: 1e6, settling: 1e6, publishing: 1e6,
	}
}

// run brings the plant to the present, in steps of a tenth of a second.
func (p *plant) run() {
	for ; time.Since(p.at) >= 100*time.Millisecond; p.at = p.at.Add(100 * time.Millisecond) {
		inflow := p.demand
		b, err := p.Database.Brake(context.Background())
		if err == nil && b != nil {
			inflow = min(inflow, float64(b.PerSecond))
		}
		p.journal += inflow / 10
		taken := min(p.journal, p.kafka/10)
		p.journal, p.queued = p.journal-taken, p.queued+taken
		rows := min(p.queued, p.settling/10)
		p.queued, p.settled = p.queued-rows, p.settled+rows
		p.events = max(0, p.events+rows-p.publishing/10)
		p.mostJournal, p.mostQueued = max(p.mostJournal, p.journal), max(p.mostQueued, p.queued)
	}
}

func (p *plant) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run()
	do()
}

// read brings the plant to the present and reads a part of it, unless that is away.
func read[T any](p *plant, part string, of func() T) (found T, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run(); p.away[part] {
		return found, errAway
	}
	return of(), nil
}

func (p *plant) Headway(context.Context) ([]sale.Headway, error) {
	return read(p, "database", func() []sale.Headway {
		return []sale.Headway{{Next: int64(p.settled) / ordersPerRecord, Orders: int64(p.settled)}}
	})
}

func (p *plant) EventOrders(context.Context) (int64, error) {
	return read(p, "database", func() int64 { return int64(p.events) })
}

func (p *plant) Ends(context.Context) (map[int32]int64, error) {
	return read(p, "kafka", func() map[int32]int64 {
		return map[int32]int64{0: int64(p.settled+p.queued) / ordersPerRecord}
	})
}

func (p *plant) Fullest(context.Context) (int64, error) {
	return read(p, "redis", func() int64 { return int64(p.journal) })
}

func (p *plant) SetBrake(ctx context.Context, next *sale.Brake, lasting time.Duration) error {
	if _, err := read(p, "database", func() bool { p.sets++; return true }); err != nil {
		return err
	}
	return p.Database.SetBrake(ctx, next, lasting)
}

func (p *plant) Close() error { return nil }

// braked returns the brake that gateways see now.
func (p *plant) braked(t *testing.T) *sale.Brake {
	t.Helper()
	p.change(func() {})
	b, err := p.Database.Brake(t.Context())
	require.NoError(t, err)
	return b
}

// writes returns how often a governor has written.
func (p *plant) writes() (sets int) {
	p.change(func() { sets = p.sets })
	return sets
}

// keep runs a governor until end is called.
func (p *plant) keep(t *testing.T, owner string, bounds Bounds) (g *Governor, log *bytes.Buffer, end func()) {
	t.Helper()
	log = &bytes.Buffer{}
	g, err := NewGovernor(GovernorOptions{
		Bounds: bounds, Books: p, Ends: p, Journals: p, Leases: p.Database, Owner: owner, Registerer: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); g.Run(ctx) }()
	return g, log, func() { cancel(); <-ended }
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestTheGovernorSlowsPurchasesUntilRowsCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		require.NoError(t, p.NoteGateway(t.Context(), "one", 1))
		g, log, end := p.keep(t, "me", Bounds{Rows: 10_000})
		pass(10 * time.Second)
		p.change(func() { p.demand, p.settling = 4000, 1000 })
		require.Nil(t, p.braked(t))
		pass(8 * time.Second)
		b := p.braked(t)
		require.NotNil(t, b)
		require.Equal(t, sale.BrakeRows, b.Reason)
		require.InDelta(t, 700, b.PerSecond, 150)
		require.InDelta(t, b.PerSecond, testutil.ToFloat64(g.shown), 0)
		pass(2 * time.Minute)
		p.change(func() { require.Less(t, p.mostQueued, 17_000.0) })
		p.change(func() { p.demand = 100 })
		pass(30 * time.Second)
		require.Nil(t, p.braked(t))
		require.Zero(t, testutil.ToFloat64(g.shown))
		end()
		require.Zero(t, testutil.CollectAndCount(g.shown), "without the lease nothing is shown")
		text := log.String()
		require.GreaterOrEqual(t, strings.Count(text, "purchases are slowed, because"), 1)
		require.Equal(t, strings.Count(text, "purchases are slowed, because"), strings.Count(text, "not slowed any more"))
		require.Contains(t, text, "reason=rows")
	})
}

func TestTheGovernorSlowsPurchasesForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		_, _, end := p.keep(t, "me", Bounds{Events: 5_000})
		p.change(func() { p.demand, p.settling, p.publishing = 2000, 2000, 500 })
		pass(20 * time.Second)
		b := p.braked(t)
		require.NotNil(t, b)
		require.Equal(t, sale.BrakeEvents, b.Reason)
		require.InDelta(t, 400, b.PerSecond, 100)
		p.change(func() { p.publishing = 1e6 })
		pass(10 * time.Second)
		require.Nil(t, p.braked(t))
		end()
	})
}

// While Kafka is away the journal grows, and the brake leaves each gateway a purchase a second: the journal is never full.
func TestTheGovernorSlowsPurchasesForAJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		for _, gateway := range []string{"one", "two"} {
			require.NoError(t, p.NoteGateway(t.Context(), gateway, 1))
		}
		_, log, end := p.keep(t, "me", Bounds{Rows: 1000, Journal: 500})
		pass(2 * time.Second)
		p.change(func() { p.demand, p.kafka, p.away["kafka"] = 200, 0, true })
		pass(12 * time.Second)
		b := p.braked(t)
		require.Equal(t, &sale.Brake{Since: b.Since, Reason: sale.BrakeJournal, PerSecond: 2, PerGateway: 1, Left: b.Left}, b)
		pass(12 * time.Second)
		p.change(func() { require.Less(t, p.mostJournal, 1000.0) })
		require.Contains(t, log.String(), "what waits could not be measured")
		p.change(func() { p.kafka, p.away["kafka"] = 1e6, false })
		pass(10 * time.Second)
		require.Nil(t, p.braked(t))
		end()
	})
}

// A brake is written when it begins, changes or is due, and not each second.
func TestTheGovernorWritesSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		p.change(func() { p.queued = 1e6 })
		_, _, end := p.keep(t, "me", Bounds{Rows: 1000})
		p.change(func() { p.demand, p.settling = 4000, 0 })
		pass(10 * time.Second)
		require.NotNil(t, p.braked(t))
		before := p.writes()
		pass(time.Minute)
		require.InDelta(t, time.Minute/renewAfter, p.writes()-before, 2)
		end()
		calm := newPlant()
		_, _, end = calm.keep(t, "me", Bounds{Rows: 1000})
		pass(time.Minute)
		require.Equal(t, 1, calm.writes(), "the first write ends what an earlier process may have left")
		end()
	})
}

// When the governor dies another process goes on with its brake; when there is none, the brake runs out.
func TestABrakeOutlivesItsGovernorOnlyForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		_, _, end := p.keep(t, "one", Bounds{Rows: 1000})
		p.change(func() { p.demand, p.settling = 4000, 10 })
		pass(20 * time.Second)
		since := p.braked(t).Since
		_, _, endOther := p.keep(t, "two", Bounds{Rows: 1000})
		pass(time.Second)
		end()
		pass(time.Minute)
		b := p.braked(t)
		require.NotNil(t, b)
		require.Equal(t, since, b.Since, "it is the same brake")
		endOther()
		pass(lasting - renewAfter - time.Second)
		require.NotNil(t, p.braked(t))
		pass(renewAfter + 2*time.Second)
		require.Nil(t, p.braked(t))
	})
}

// A process that is told not to slow purchases leaves the brake of another one alone, and ends it once it has run out.
func TestWithoutBoundsAGovernorOnlyEndsWhatRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		rows := &sale.Brake{Reason: sale.BrakeRows, PerSecond: 5, PerGateway: 5}
		require.NoError(t, p.Database.SetBrake(t.Context(), rows, lasting))
		g, log, end := p.keep(t, "me", Bounds{})
		pass(lasting - time.Second)
		require.NotNil(t, p.braked(t))
		require.Zero(t, p.writes())
		pass(2 * renewAfter)
		require.Equal(t, 1, p.writes())
		require.Zero(t, p.Database.Snapshot().Brake.PerSecond, "the row is off")
		pass(time.Hour)
		require.Equal(t, 1, p.writes(), "it has ended")
		require.Equal(t, 1, testutil.CollectAndCount(g.shown), "screens show that there is no brake")
		require.Empty(t, log.String())
		end()
	})
}

// While the database is away nothing is decided; then the governor goes on.
func TestTheGovernorWaitsForItsDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant()
		g, log, end := p.keep(t, "me", Bounds{Rows: 1000})
		p.change(func() { p.demand, p.settling = 4000, 100 })
		pass(10 * time.Second)
		require.NotNil(t, p.braked(t))
		p.Database.Fail(errAway)
		pass(30 * time.Second)
		require.Contains(t, log.String(), "what waits could not be measured")
		require.Zero(t, testutil.CollectAndCount(g.shown), "the lease is lost")
		p.Database.Fail(nil)
		pass(10 * time.Second)
		b := p.braked(t)
		require.NotNil(t, b)
		require.Less(t, time.Since(b.Since.Time), 10*time.Second, "the first one has run out")
		end()
	})
}
