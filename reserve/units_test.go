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

// A refused request may be reused while the publications of its batch are still being made: they use the epoch of Redis's
// reply, and so does a restored record.
func TestPublicationsOutliveTheRequestsThatWereRefused(t *testing.T) {
	b := sale.Bucket{Sale: "sale"}
	refused, taken := &request{done: make(chan struct{}, 1)}, &request{done: make(chan struct{}, 1)}
	lines := []sale.Line{{SKU: "phone", Quantity: 2, UnitPriceCents: 5}, {SKU: "case", Quantity: 1, UnitPriceCents: 7}}
	refused.purchase = sale.Purchase{Lines: lines}
	taken.purchase = sale.Purchase{Bucket: b, Epoch: 7, Buyer: "anna", Lines: lines}
	w := &batchWorker{queue: &bucketQueue{bucket: b}, batch: []*request{refused, taken}, orderIDs: []sale.OrderID{20, 21}}
	w.answerVerdicts(scripts.ReserveReply{Epoch: 7, Sequence: 5, Verdicts: "S 2\nA 3 1790000000123"})
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "case"}, refused.answer)
	require.Len(t, w.publications, 1)
	require.Equal(t, scripts.WriteID{Epoch: 7, Sequence: 3}, w.publications[0].WriteID)
	w.restore(w.publications[0])
	record, err := sale.DecodeRecord(w.publications[0].record)
	require.NoError(t, err)
	require.EqualValues(t, 7, record.Batch.Epoch)
	require.Equal(t, lines, record.Batch.Orders[0].Lines)
	require.Equal(t, "70000000003-21", w.publications[0].entryID)
}

// A purchase whose verdict cannot be read is answered unknown.
func TestUnreadableVerdictsAreUnknown(t *testing.T) {
	e := &Engine{EngineOptions: EngineOptions{Log: slog.New(slog.DiscardHandler)}}
	w := &batchWorker{engine: e, queue: &bucketQueue{engine: e}}
	for i := range 4 {
		w.batch = append(w.batch, &request{done: make(chan struct{}, 1)})
		w.orderIDs = append(w.orderIDs, sale.OrderID(i+1))
	}
	w.answerVerdicts(scripts.ReserveReply{Code: scripts.CodeOK, Verdicts: "X\nA 5\nS 1"})
	for i, r := range w.batch {
		<-r.done
		require.Equal(t, sale.OutcomeUnknown, r.answer.Outcome)
		require.Equal(t, sale.OrderID(i+1), r.answer.OrderID)
	}
	require.Empty(t, w.publications)
}

func TestGate(t *testing.T) {
	g := newGate()
	require.True(t, g.enter())
	g.add()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, g.drain(ended), context.Canceled)
	require.False(t, g.enter(), "closed")
	g.add()
	for range 3 {
		g.leave()
	}
	require.NoError(t, g.drain(context.Background()))
	require.Panics(t, g.add)
	require.Panics(t, g.leave)
}

func TestPatience(t *testing.T) {
	var p patience
	require.Equal(t, time.Second, p.limit(time.Second))
	p.timedOut()
	require.Equal(t, time.Second, p.limit(time.Second), "one timeout is not enough")
	p.timedOut()
	require.Equal(t, shortPatience, p.limit(time.Second))
	require.Equal(t, time.Millisecond, p.limit(time.Millisecond))
	p.acked()
	require.Equal(t, time.Second, p.limit(time.Second))
}

// Records beyond the bound do not wait for Kafka in memory: they are in the journal.
func TestUnackedBytesAreBounded(t *testing.T) {
	var u unackedBytes
	require.True(t, u.reserve(maxUnackedBytes-1))
	require.False(t, u.reserve(2))
	require.True(t, u.reserve(1))
	u.release(maxUnackedBytes)
	require.True(t, u.reserve(maxUnackedBytes))
}

// A batch has purchases of one epoch and list only, and a second worker takes full batches only.
func TestBucketQueueNext(t *testing.T) {
	q := queueOf(3)
	add := func(epoch, list int64) {
		r := q.enqueue(t, fmt.Sprint("buyer ", len(q.lines)), time.Now())
		r.purchase.Epoch, r.purchase.ListVersion = epoch, list
	}
	for _, p := range [][2]int64{{1, 0}, {1, 0}, {2, 0}, {2, 1}, {2, 1}, {2, 1}, {2, 1}} {
		add(p[0], p[1])
	}
	var sizes []int
	for {
		w := &batchWorker{engine: q.engine, queue: q}
		if !q.next(w) {
			break
		}
		sizes = append(sizes, len(w.batch))
	}
	require.Equal(t, []int{2, 1, 3, 1}, sizes)
	require.Zero(t, q.workers)
	q.workers = 2
	add(1, 0)
	w := &batchWorker{engine: q.engine, queue: q}
	require.False(t, q.next(w), "the other worker takes it")
	require.Equal(t, 1, q.workers)
	require.True(t, q.next(w))
	require.Len(t, w.batch, 1)
}

// Purchases that waited too long for their batch are answered; the younger ones stay.
func TestBucketQueueExpire(t *testing.T) {
	q := queueOf(8)
	now := time.Now()
	for _, age := range []time.Duration{2 * queueWait, queueWait + 1, queueWait, 0} {
		q.enqueue(t, fmt.Sprint("buyer ", age), now.Add(-age))
	}
	old := q.pending[:2:2]
	old = append([]*request(nil), old...)
	q.expire(now)
	for _, r := range old {
		<-r.done
		require.Equal(t, sale.OutcomeUnavailable, r.answer.Outcome)
	}
	require.Len(t, q.pending, 2)
}

// The highest sequence belongs to an epoch.
func TestBucketQueueLearns(t *testing.T) {
	q := &bucketQueue{}
	q.learn(2, 7)
	q.learn(2, 5)
	q.learn(1, 99)
	require.Equal(t, int64(7), q.seen(2))
	require.Zero(t, q.seen(1))
	q.learn(3, 1)
	require.Equal(t, int64(1), q.seen(3))
	require.Zero(t, q.seen(2))
}

// A loss is reported once for an epoch. While the database is away the newest loss of a bucket replaces older ones, and none is
// forgotten.
func TestReporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := fakes.NewDatabase()
		r := newReporter(db, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		b := sale.Bucket{Sale: "s"}
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
		require.Equal(t, []string{"s:0 epoch 2: epoch"}, db.Reported())
		cancel()
		running.Wait()
	})
}

// TestTriedAgainGoesFirst: the first of a batch is its oldest, because the bounds of a batch count from it.
func TestTriedAgainGoesFirst(t *testing.T) {
	q := &bucketQueue{}
	at := time.Now()
	for _, second := range []int{1, 3, 5, 4, 0, 5} {
		q.pending = append(q.pending, &request{arrivedAt: at.Add(time.Duration(second) * time.Second)})
		q.moveUp()
	}
	for i := 1; i < len(q.pending); i++ {
		require.False(t, q.pending[i].arrivedAt.Before(q.pending[i-1].arrivedAt))
	}
}

// TestWaitingPurchasesAreBounded: purchases beyond the bound are overloaded at once.
func TestWaitingPurchasesAreBounded(t *testing.T) {
	m := &rebalancer{running: true, waiting: make([]*waitingPurchase, maxWaitingPurchases)}
	require.False(t, m.join(&waitingPurchase{}))
	late := &waitingPurchase{until: time.Now().Add(-time.Second), found: make(chan result, 1)}
	m.waiting = []*waitingPurchase{late}
	require.Empty(t, m.next())
	require.False(t, m.running)
	require.Equal(t, sale.OutcomeOverloaded, (<-late.found).answer.Outcome)
}
