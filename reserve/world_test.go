package reserve

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/recovery"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// world is an engine on a real Redis, with a Kafka and a database that tests can break.
type world struct {
	*fakes.World
	breaker *fakeBreaker
	engine  *Engine
	applies bool // the outbox is applied
	ended   bool // the test has ended the engine itself
}

// newWorld starts an engine on the package's Redis; set may change its options.
func newWorld(t testing.TB, set func(*EngineOptions)) *world {
	return newWorldOn(t, fakes.SharedRedis(t), set)
}

// newWorldOn starts an engine on another Redis.
func newWorldOn(t testing.TB, on scripts.Options, set func(*EngineOptions)) *world {
	w := &world{World: fakes.NewWorld(t, on), breaker: &fakeBreaker{open: map[string]bool{}}}
	w.Load = func(ctx context.Context, rows []sale.BucketRow) error {
		return recovery.NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(ctx, rows, nil)
	}
	ids := NewOrderIDs(w.DB, "test", slog.New(slog.DiscardHandler))
	require.NoError(t, ids.keep(context.Background()))
	o := EngineOptions{
		Redis: w.Redis, Producer: w.Kafka, IDs: ids, Breaker: w.breaker, Report: w.DB, Buckets: w.DB,
		Registerer: prometheus.NewRegistry(),
	}
	if set != nil {
		set(&o)
	}
	w.engine = NewEngine(o)
	w.Reserve = w.engine.Reserve
	t.Cleanup(w.end)
	return w
}

func impatient(o *EngineOptions) { o.AckTimeout = time.Millisecond }

// end makes Kafka available again and drains the engine.
func (w *world) end() {
	w.Kafka.ComeBack()
	if w.ended {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(w.T, w.engine.Drain(ctx))
}

// fakeBreaker has closed circuits, except those of open.
type fakeBreaker struct {
	mu     sync.Mutex
	open   map[string]bool
	failed map[string]int
	told   map[string]int // results, good or bad
}

func (b *fakeBreaker) Enter(resource string) (func(error), bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return func(err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.told == nil {
			b.told = map[string]int{}
		}
		b.told[resource]++
		if err != nil {
			if b.failed == nil {
				b.failed = map[string]int{}
			}
			b.failed[resource]++
		}
	}, !b.open[resource]
}

// results returns how many results a circuit has got.
func (b *fakeBreaker) results(resource string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told[resource]
}

func (b *fakeBreaker) failures(resource string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed[resource]
}

// applyOutbox applies the outbox to Redis until the test ends.
func (w *world) applyOutbox() {
	applier := recovery.NewOutboxApplier(recovery.OutboxApplierOptions{
		Redis: w.Redis, Outbox: w.DB, Report: w.DB, Leases: w.DB, Owner: "test", Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { applier.Run(ctx) })
	w.T.Cleanup(func() { cancel(); running.Wait() })
	w.applies = true
}

// release ends an order in the database and waits until Redis has applied that.
func (w *world) release(b sale.Bucket, buyer, key string, a sale.Answer) {
	w.T.Helper()
	if !w.applies {
		w.applyOutbox()
	}
	order := fakes.OrderOf(a, buyer)
	order.Key = key
	w.DB.Release(b, order)
	fakes.Eventually(w.T, func() bool { return len(w.DB.WaitingRows()) == 0 }, "Redis has the release")
}
