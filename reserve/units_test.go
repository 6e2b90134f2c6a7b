package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
)

// Whoever is refused takes his request back while the rest of his batch is still being packed: the parcels are of the epoch
// that Redis has answered, and a record that is written anew says so.
func TestPublicationsOutliveTheRequestsThatWereRefused(t *testing.T) {
	b := sale.Bucket{Sale: "sale", SKU: "phone"}
	refused, taken := &request{done: make(chan struct{}, 1)}, &request{done: make(chan struct{}, 1)}
	taken.purchase = sale.Purchase{Bucket: b, Epoch: 7, Buyer: "anna", Quantity: 1}
	f := &batchWorker{queue: &bucketQueue{bucket: b}, batch: []*request{refused, taken}, orderIDs: []sale.OrderID{20, 21}}
	f.answerVerdicts(scripts.ReserveReply{Epoch: 7, Sequence: 5, Verdicts: "S\nA 3 1790000000123"})
	require.Equal(t, sale.OutcomeSoldOut, refused.answer.Outcome)
	require.Len(t, f.publications, 1)
	require.Equal(t, scripts.WriteID{Epoch: 7, Sequence: 3}, f.publications[0].WriteID)
	f.restore(f.publications[0])
	record, err := sale.DecodeRecord(f.publications[0].record)
	require.NoError(t, err)
	require.EqualValues(t, 7, record.Batch.Epoch)
	require.Equal(t, "70000000003-21", f.publications[0].entryID)
}

// Whoever is not told apart by the script hears that the outcome is unknown.
func TestUnreadableVerdictsAreUnknown(t *testing.T) {
	e := &Engine{EngineOptions: EngineOptions{Log: slog.New(slog.DiscardHandler)}}
	f := &batchWorker{engine: e, queue: &bucketQueue{engine: e}}
	for i := range 3 {
		f.batch = append(f.batch, &request{done: make(chan struct{}, 1)})
		f.orderIDs = append(f.orderIDs, sale.OrderID(i+1))
	}
	f.answerVerdicts(scripts.ReserveReply{Code: scripts.CodeOK, Verdicts: "X\nA 5"})
	for i, r := range f.batch {
		<-r.done
		require.Equal(t, sale.OutcomeUnknown, r.answer.Outcome)
		require.Equal(t, sale.OrderID(i+1), r.answer.OrderID)
	}
	require.Empty(t, f.publications)
}

func TestGate(t *testing.T) {
	g := newGate()
	require.True(t, g.enter())
	g.follow()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, g.drain(ended), context.Canceled)
	require.False(t, g.enter(), "closed")
	g.follow()
	for range 3 {
		g.leave()
	}
	require.NoError(t, g.drain(context.Background()))
	require.Panics(t, g.follow)
	require.Panics(t, g.leave)
}

func TestPatience(t *testing.T) {
	var p patience
	require.Equal(t, time.Second, p.limit(time.Second))
	p.timedOut()
	require.Equal(t, time.Second, p.limit(time.Second), "once is no proof")
	p.timedOut()
	require.Equal(t, shortPatience, p.limit(time.Second))
	require.Equal(t, time.Millisecond, p.limit(time.Millisecond))
	p.acked()
	require.Equal(t, time.Second, p.limit(time.Second))
}

// Records beyond the bound are not kept for Kafka: they are in the journal.
func TestUnackedBytesAreBounded(t *testing.T) {
	var u unackedBytes
	require.True(t, u.reserve(maxUnackedBytes-1))
	require.False(t, u.reserve(2))
	require.True(t, u.reserve(1))
	u.release(maxUnackedBytes)
	require.True(t, u.reserve(maxUnackedBytes))
}

// A shelf keeps purchases of different epochs and lists apart, and lets a second flow take full batches only.
func TestBucketQueueNext(t *testing.T) {
	s := queueOf(3)
	add := func(epoch, list int64) {
		r := s.lay(t, fmt.Sprint("buyer ", len(s.lines)), time.Now())
		r.purchase.Epoch, r.purchase.ListVersion = epoch, list
	}
	for _, p := range [][2]int64{{1, 0}, {1, 0}, {2, 0}, {2, 1}, {2, 1}, {2, 1}, {2, 1}} {
		add(p[0], p[1])
	}
	var sizes []int
	for {
		w := &batchWorker{engine: s.engine, queue: s}
		if !s.next(w) {
			break
		}
		sizes = append(sizes, len(w.batch))
	}
	require.Equal(t, []int{2, 1, 3, 1}, sizes)
	require.Zero(t, s.workers)
	s.workers = 2
	add(1, 0)
	w := &batchWorker{engine: s.engine, queue: s}
	require.False(t, s.next(w), "the other worker takes it")
	require.Equal(t, 1, s.workers)
	require.True(t, s.next(w))
	require.Len(t, w.batch, 1)
}

// Purchases that waited too long for their batch are answered, the younger ones go on waiting.
func TestBucketQueueExpire(t *testing.T) {
	s := queueOf(8)
	now := time.Now()
	for _, age := range []time.Duration{2 * queueWait, queueWait + 1, queueWait, 0} {
		s.lay(t, fmt.Sprint("buyer ", age), now.Add(-age))
	}
	old := s.pending[:2:2]
	old = append([]*request(nil), old...)
	s.expire(now)
	for _, r := range old {
		<-r.done
		require.Equal(t, sale.OutcomeUnavailable, r.answer.Outcome)
	}
	require.Len(t, s.pending, 2)
}

// The highest sequence belongs to an epoch.
func TestBucketQueueLearns(t *testing.T) {
	s := &bucketQueue{}
	s.learn(2, 7)
	s.learn(2, 5)
	s.learn(1, 99)
	require.Equal(t, int64(7), s.seen(2))
	require.Zero(t, s.seen(1))
	s.learn(3, 1)
	require.Equal(t, int64(1), s.seen(3))
	require.Zero(t, s.seen(2))
}

// A loss is reported once for an epoch, the newest one wins while the database is away, and none is forgotten.
func TestReporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := fakes.NewDatabase()
		r := newReporter(db, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		b := sale.Bucket{Sale: "s", SKU: "k"}
		db.SetAway(errors.New("away"))
		r.report(b, 1, "missing")
		r.report(b, 1, "missing")
		<-time.After(5 * time.Second)
		r.report(b, 2, "epoch")
		db.SetAway(nil)
		<-time.After(2 * reportRetry)
		r.report(b, 2, "again")
		r.report(b, 1, "late")
		<-time.After(2 * reportRetry)
		require.Equal(t, []string{"s:k:0 epoch 2: epoch"}, db.Reported())
		cancel()
		running.Wait()
	})
}
