package reserve

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// Keeper and relay of one process, as settle runs them: what a dead gateway left is settled without anybody's help.
func TestRelayRunsOnTheKeepersView(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.stock("phone", 10, 1)
	w.abandon(b, []string{"anna", "bert"})
	w.kafka.comeBack()
	relay := NewRelay(RelayOptions{
		Redis: w.redis, Publisher: w.kafka, Leases: w.db, Holder: "settle", Watched: w.keep().Watched,
		Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = relay.Run(ctx) }) // Run returns nil
	eventually(t, func() bool { return w.db.settled(b) == 2 && w.reading(b).JournalOrders == 0 }, "the journal is relayed")
	cancel()
	running.Wait()
}

// Records beyond the bound are left to the relay: the answer is held, and nothing is kept in memory.
func TestTooManyUnackedBytesAreLeftToTheRelay(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.stock("phone", 10, 1)
	require.True(t, w.engine.unacked.reserve(maxUnackedBytes))
	before := len(w.kafka.attempted())
	require.Equal(t, sale.OutcomeHeld, w.buy(b, "anna").Outcome)
	require.Len(t, w.kafka.attempted(), before)
	w.engine.unacked.release(maxUnackedBytes)
	w.rebuild(w.db.row(b))
	require.Equal(t, int64(1), w.db.settled(b))
}

// A batch drops the purchases that waited too long for it and goes on with the others.
func TestFlowDropsStalePurchases(t *testing.T) {
	f := &batchWorker{bucketQueue: &bucketQueue{}}
	now := time.Now()
	fill := func(ages ...time.Duration) {
		f.batch = nil
		for _, age := range ages {
			f.batch = append(f.batch, &request{arrivedAt: now.Add(-age), done: make(chan struct{}, 1)})
		}
		f.oldest = f.batch[0].arrivedAt
	}
	fill(2*queueWait, 2*queueWait, 0)
	stale := append([]*request(nil), f.batch[:2]...)
	require.True(t, f.dropStale())
	require.Len(t, f.batch, 1)
	require.Equal(t, now, f.oldest)
	for _, r := range stale {
		<-r.done
		require.Equal(t, sale.OutcomeUnavailable, r.answer.Outcome)
	}
	fill(2 * queueWait)
	require.False(t, f.dropStale())
}

// With the database away a rebuild stops with its error and opens nothing; the next one brings the bucket back.
func TestRebuildWithoutTheDatabase(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	row := w.closeRow(b)
	away := errors.New("the database is away")
	rebuilder := NewRebuilder(w.redis, w.kafka, w.db)
	w.db.onBeginLoads = func() { w.db.away = away }
	require.ErrorIs(t, rebuilder.Rebuild(context.Background(), []sale.BucketRow{row}, nil), away)
	require.ErrorIs(t, rebuilder.Rebuild(context.Background(), []sale.BucketRow{row}, nil), away)
	require.Equal(t, sale.OutcomeFenced, w.buy(b, "anna").Outcome)
	w.db.onBeginLoads = nil
	w.db.setAway(nil)
	w.rebuild(w.db.row(b))
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
}

// With Redis away every reader says so, in bounded time, and nothing is mistaken for an empty answer.
func TestReadersWithoutRedis(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, dial(t, Options{Namespace: namespace(t), Addrs: []string{server.Addr}}), nil)
	b := w.stock("phone", 10, 1)
	require.NoError(t, w.redis.Ping(context.Background()))
	server.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	row := w.db.row(b)
	readers := map[string]func() error{
		"ping":     func() error { return w.redis.Ping(ctx) },
		"readings": func() error { _, err := w.redis.Readings(ctx, []sale.Bucket{b}); return err },
		"holdings": func() error { _, err := w.engine.Holdings(ctx, b, "anna"); return err },
		"owners":   func() error { return w.engine.Owners(ctx, b, func(string) error { return nil }) },
		"list":     func() error { _, err := w.redis.HasList(ctx, "sale", 1, 0); return err },
		"window":   func() error { return w.redis.ApplyWindow(ctx, []sale.Bucket{b}, sale.WindowOf(&w.sale)) },
		"probe":    func() error { _, err := w.redis.Probe(ctx, []sale.BucketRow{row}); return err },
		"script":   func() error { _, err := w.redis.lacksScript(ctx); return err },
		"install":  func() error { return w.redis.installFenced(ctx, b, nil) },
		"counts":   func() error { _, err := w.redis.journalCounts(ctx, []sale.Bucket{b}); return err },
		"journal": func() error {
			_, err := w.redis.journalFrom(ctx, w.redis.keys(b), journalBeginning, 1)
			return err
		},
	}
	for name, read := range readers {
		require.Error(t, read(), name)
	}
	require.NoError(t, ctx.Err())
}

// Scanning the owners ends with the first error of whoever listens.
func TestOwnersStops(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	require.Equal(t, 3, outcomes(w.buyAll(b, buyers("buyer", 3)))["queued"])
	enough, heard := errors.New("enough"), 0
	require.ErrorIs(t, w.engine.Owners(context.Background(), b, func(string) error { heard++; return enough }), enough)
	require.Equal(t, 1, heard)
}
