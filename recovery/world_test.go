package recovery

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/reserve"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// world is an engine on a real Redis, with a Kafka and a database that tests can break.
type world struct {
	*fakes.World
	engine *reserve.Engine
	ended  bool // the test has ended the engine itself
}

// newWorld starts an engine on the package's Redis; set may change its options.
func newWorld(t testing.TB, set func(*reserve.EngineOptions)) *world {
	return newWorldOn(t, fakes.SharedRedis(t), set)
}

// newWorldOn starts an engine on another Redis.
func newWorldOn(t testing.TB, on scripts.Options, set func(*reserve.EngineOptions)) *world {
	w := &world{World: fakes.NewWorld(t, on)}
	w.Load = func(ctx context.Context, rows []sale.BucketRow) error {
		return NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(ctx, rows, nil)
	}
	ids := reserve.NewOrderIDs(w.DB, "test", slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { ids.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	fakes.Eventually(t, ids.Ready, "a node is leased")
	o := reserve.EngineOptions{
		Redis: w.Redis, Producer: w.Kafka, IDs: ids, Breaker: closedCircuits{}, Report: w.DB, Buckets: w.DB,
		Registerer: prometheus.NewRegistry(),
	}
	if set != nil {
		set(&o)
	}
	w.engine = reserve.NewEngine(o)
	w.Reserve = w.engine.Reserve
	t.Cleanup(w.end)
	return w
}

func impatient(o *reserve.EngineOptions) { o.AckTimeout = time.Millisecond }

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

// closedCircuits is a circuit breaker that never opens.
type closedCircuits struct{}

func (closedCircuits) Enter(string) (exit func(error), ok bool) { return func(error) {}, true }

func (w *world) sellsSoon(b sale.Bucket, buyer string) {
	w.T.Helper()
	fakes.Eventually(w.T, func() bool { return w.Buy(b, buyer).Outcome == sale.OutcomeQueued }, "the bucket sells again")
}
