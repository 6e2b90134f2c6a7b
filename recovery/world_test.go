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

// world is an engine on a real Redis, with a Kafka and a database that tests can break.
type world struct {
	t      testing.TB
	redis  *scripts.Redis
	server *harness.RedisServer // for commands past the client
	kafka  *fakes.Kafka
	db     *fakes.Database
	engine *reserve.Engine
	sale   sale.Sale
	ended  bool // the test has ended the engine itself
}

// newWorld starts an engine on the package's Redis; set may change its options.
func newWorld(t testing.TB, set func(*reserve.EngineOptions)) *world {
	return newWorldOn(t, scripts.Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}}, set)
}

// newWorldOn starts an engine on another Redis.
func newWorldOn(t testing.TB, on scripts.Options, set func(*reserve.EngineOptions)) *world {
	r := dial(t, on)
	w := &world{t: t, redis: r, server: &harness.RedisServer{Addr: on.Addrs[0]}, kafka: &fakes.Kafka{}, db: fakes.NewDatabase()}
	w.kafka.Settle = w.db.Settle
	now := time.Now()
	w.sale = w.db.PutSale(sale.Sale{
		ID: "sale", State: sale.StateOpen, Name: "a sale", PerBuyerLimit: 1,
		StartsAt: sale.Time{Time: now.Add(-time.Hour)}, EndsAt: sale.Time{Time: now.Add(time.Hour)},
	})
	ids := reserve.NewOrderIDs(w.db, "test", slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { ids.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	eventually(t, ids.Ready, "a node is leased")

	o := reserve.EngineOptions{
		Redis: r, Producer: w.kafka, IDs: ids, Breaker: closedCircuits{}, Report: w.db, Buckets: w.db,
		Registerer: prometheus.NewRegistry(),
	}
	if set != nil {
		set(&o)
	}
	w.engine = reserve.NewEngine(o)
	t.Cleanup(w.end)
	return w
}

// end makes Kafka available again and drains the engine.
func (w *world) end() {
	w.kafka.ComeBack()
	if w.ended {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(w.t, w.engine.Drain(ctx))
}

// stock loads a SKU with some units and a limit into one bucket and opens it.
func (w *world) stock(sku string, units int64, limit int) sale.Bucket {
	w.sale.PerBuyerLimit = limit
	w.sale = w.db.PutSale(w.sale)
	b := sale.Bucket{Sale: w.sale.ID, SKU: sku}
	w.rebuild(w.db.AddBucket(b, units, 2))
	return b
}

func (w *world) rebuild(rows ...sale.BucketRow) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(w.t, NewRebuilder(w.redis, w.kafka, w.db).Rebuild(ctx, rows, nil))
}

func (w *world) purchase(b sale.Bucket, buyer string) sale.Purchase {
	row := w.db.Row(b)
	return sale.Purchase{Bucket: b, Epoch: row.Epoch, Partition: row.Partition, Buyer: buyer, Quantity: 1}
}

func (w *world) buy(b sale.Bucket, buyer string) sale.Answer {
	return w.engine.Reserve(w.purchase(b, buyer))
}

// buyAll presses once for each buyer, all at once, and returns the answers in the same order.
func (w *world) buyAll(b sale.Bucket, buyers []string) []sale.Answer {
	answers := make([]sale.Answer, len(buyers))
	var all sync.WaitGroup
	for i, buyer := range buyers {
		all.Go(func() { answers[i] = w.buy(b, buyer) })
	}
	all.Wait()
	return answers
}

func (w *world) reading(b sale.Bucket) sale.Reading {
	w.t.Helper()
	readings, err := w.redis.Readings(context.Background(), []sale.Bucket{b})
	require.NoError(w.t, err)
	return readings[0]
}

// eventually waits for a condition, with the interval of the tests.
func eventually(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 8*time.Second, 5*time.Millisecond, message)
}

// outcomes counts answers by outcome.
func outcomes(answers []sale.Answer) map[string]int {
	counts := map[string]int{}
	for _, a := range answers {
		counts[a.Outcome.String()]++
	}
	return counts
}

// closedCircuits is a circuit breaker that never opens.
type closedCircuits struct{}

func (closedCircuits) Enter(string) (exit func(error), ok bool) { return func(error) {}, true }

// value is a buyer's value in the buyers hash.
func (w *world) value(b sale.Bucket, buyer string) string {
	w.t.Helper()
	value, is := w.server.MustDo(w.t, "HGET", w.redis.Keys(b).Buyers, buyer).(string)
	require.True(w.t, is)
	return value
}
