package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestDialChecksItsOptions(t *testing.T) {
	for _, o := range []Options{{}, {Addrs: []string{"a:1"}}, {Namespace: "n"}, {Namespace: "n", Addrs: []string{"no-port"}}} {
		_, err := Dial(o)
		require.Error(t, err)
	}
	r := dial(t, Options{Namespace: "n", Addrs: []string{"127.0.0.1:1"}, TLS: true, Username: "u", Password: "p"})
	option := r.clientOption()
	require.True(t, option.DisableRetry)
	require.NotNil(t, option.TLSConfig)
	err := r.Ping(context.Background())
	require.Error(t, err)
	require.True(t, notSent(err))
	r.Close()
	require.ErrorContains(t, r.Ping(context.Background()), "closed")
}

func TestNotSent(t *testing.T) {
	require.True(t, notSent(fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: errors.New("refused")})))
	require.False(t, notSent(&net.OpError{Op: "read", Err: errors.New("reset")}))
	require.False(t, notSent(context.DeadlineExceeded))
}

// The bound on calls in flight is a wait that ends with its context, and then nothing was sent.
func TestCallsInFlightAreBounded(t *testing.T) {
	r := dial(t, Options{Namespace: "n", Addrs: []string{"127.0.0.1:1"}})
	for range maxInFlight {
		require.NoError(t, r.enter(context.Background()))
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, notSent(r.enter(ended)))
	r.leave()
	require.NoError(t, r.enter(context.Background()))
}

func TestEntries(t *testing.T) {
	pairs := buyersOf([]sale.RecordOrder{
		{OrderID: 39, Quantity: 2, Buyer: "b", Key: "k, 1"},
		{OrderID: 3, Quantity: 1, Buyer: "a"},
		{OrderID: 8, Quantity: 1, Buyer: "b"},
	}, []sale.RecordOrder{{OrderID: 10, Quantity: 3, Buyer: "b", Key: "k"}, {OrderID: 9, Quantity: 1, Buyer: "c"}})
	require.Equal(t, []string{"a", "3,1,,0,0", "b", `8,1,,0,0"a,-3,k,0,0"13,2,k, 1,0,0`, "c", "9,-1,,0,0"}, pairs)
	entries, err := parseEntries(pairs[3])
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{
		{orderID: 8, quantity: 1}, {orderID: 10, quantity: 3, released: true, key: "k"}, {orderID: 39, quantity: 2, key: "k, 1"},
	}, entries)
	entries, err = parseEntries("7,1,,12,-z")
	require.NoError(t, err)
	require.Equal(t, []buyerEntry{{orderID: 7, quantity: 1, sequence: 38, sinceMS: -35}}, entries)
	for _, bad := range []string{"", "1,2,3,4", "!,1,,1,1", "0,1,,1,1", "1,x,,1,1", "1,1,,!,1", "1,1,,1,!"} {
		_, err := parseEntries(bad)
		require.Error(t, err, bad)
	}
	require.Empty(t, buyersOf(nil, nil))
}

// Whoever is refused takes his request back while the rest of his batch is still being packed: the parcels are of the epoch
// that Redis has answered, and a record that is written anew says so.
func TestParcelsOutliveTheRequestsThatWereRefused(t *testing.T) {
	b := sale.Bucket{Sale: "sale", SKU: "phone"}
	refused, taken := &request{done: make(chan struct{}, 1)}, &request{done: make(chan struct{}, 1)}
	taken.purchase = sale.Purchase{Bucket: b, Epoch: 7, Buyer: "anna", Quantity: 1}
	f := &batchWorker{bucketQueue: &bucketQueue{bucket: b}, batch: []*request{refused, taken}, orderIDs: []sale.OrderID{20, 21}}
	f.answerVerdicts(reserveReply{epoch: 7, sequence: 5, verdicts: "S\nA 3 1790000000123"})
	require.Equal(t, sale.OutcomeSoldOut, refused.answer.Outcome)
	require.Len(t, f.publications, 1)
	require.Equal(t, WriteID{7, 3}, f.publications[0].WriteID)
	f.restore(f.publications[0])
	record, err := sale.DecodeRecord(f.publications[0].record)
	require.NoError(t, err)
	require.EqualValues(t, 7, record.Batch.Epoch)
	require.Equal(t, "70000000003-21", f.publications[0].entryID)
}

// Every verdict is read whole; one that is cut or unknown is never taken for a refusal.
func TestRefusals(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123).UTC()
	for verdict, want := range map[string]sale.Answer{
		"R h 2 5 1790000000123 1": {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 2, CreatedAt: at, Status: sale.StatusHeld},
		"R h 2 5 1790000000123 0": {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 2, CreatedAt: at, Status: sale.StatusQueued},
		"R h 1 0 0 0":             {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 1, Status: sale.StatusQueued},
		"K h":                     {Outcome: sale.OutcomeKeyReused, OrderID: 17},
		"L 3":                     {Outcome: sale.OutcomeOverLimit, Limit: 3},
		"B 3 2 h":                 {Outcome: sale.OutcomeAlreadyBought, Limit: 3, Bought: 2, OrderID: 17},
		"E 4":                     {Outcome: sale.OutcomeNotEnough, Available: 4},
		"S":                       {Outcome: sale.OutcomeSoldOut},
		"J":                       {Outcome: sale.OutcomeUnavailable},
		"W":                       {Outcome: sale.OutcomePaused},
	} {
		got, ok := readVerdict(verdict, "paused")
		require.True(t, ok, verdict)
		require.Equal(t, want, got.answer, verdict)
		require.False(t, got.taken, verdict)
		if head, _, cut := strings.Cut(verdict, " "); cut {
			_, ok = readVerdict(head, "")
			require.False(t, ok, "%q is cut", verdict)
		}
	}
	for _, bad := range []string{"", "X", "C 8", "C 8 many", "R !", "B 3 2 !", "E many", "A", "A 1", "A 1 x"} {
		_, ok := readVerdict(bad, "")
		require.False(t, ok, bad)
	}
}

// Whoever is not told apart by the script hears that the outcome is unknown.
func TestUnreadableVerdictsAreUnknown(t *testing.T) {
	e := &Engine{EngineOptions: EngineOptions{Log: slog.New(slog.DiscardHandler)}}
	f := &batchWorker{bucketQueue: &bucketQueue{engine: e}}
	for i := range 3 {
		f.batch = append(f.batch, &request{done: make(chan struct{}, 1)})
		f.orderIDs = append(f.orderIDs, sale.OrderID(i+1))
	}
	f.answerVerdicts(reserveReply{code: codeOK, verdicts: "X\nA 5"})
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

// Work under a lease ends when the lease is lost, and not before; the lease is released afterwards.
func TestUnderLease(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	synctest.Test(t, func(t *testing.T) {
		db := newFakeDatabase()
		require.NoError(t, underLease(t.Context(), db, "l", "me", log, func(ctx context.Context) error {
			pause(ctx, 10*leaseTTL)
			require.NoError(t, ctx.Err(), "it is renewed")
			require.ErrorIs(t, underLease(ctx, db, "l", "you", log, nil), sale.ErrLeaseHeld)
			return nil
		}))
		require.Empty(t, db.leases)

		err := underLease(t.Context(), db, "l", "me", log, func(ctx context.Context) error {
			db.setAway(errors.New("away"))
			pause(ctx, 10*leaseTTL)
			return ctx.Err()
		})
		require.ErrorIs(t, err, errLeaseLost)
		require.Error(t, underLease(t.Context(), db, "l", "me", log, nil))
	})
}

// A shelf keeps purchases of different epochs and lists apart, and lets a second flow take full batches only.
func TestShelfNext(t *testing.T) {
	s := shelfOf(3)
	add := func(epoch, list int64) {
		r := s.lay(t, fmt.Sprint("buyer ", len(s.lines)), time.Now())
		r.purchase.Epoch, r.purchase.ListVersion = epoch, list
	}
	for _, p := range [][2]int64{{1, 0}, {1, 0}, {2, 0}, {2, 1}, {2, 1}, {2, 1}, {2, 1}} {
		add(p[0], p[1])
	}
	var sizes []int
	for {
		batch := s.nextBatch(nil)
		if len(batch) == 0 {
			break
		}
		sizes = append(sizes, len(batch))
	}
	require.Equal(t, []int{2, 1, 3, 1}, sizes)
	require.Zero(t, s.workers)
	s.workers = 2
	add(1, 0)
	require.Empty(t, s.nextBatch(nil), "the other flow takes it")
	require.Equal(t, 1, s.workers)
	require.Len(t, s.nextBatch(nil), 1)
}

// Purchases that waited too long for their batch are answered, the younger ones go on waiting.
func TestShelfExpire(t *testing.T) {
	s := shelfOf(8)
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
func TestShelfLearns(t *testing.T) {
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
		db := newFakeDatabase()
		r := newReporter(db, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		b := sale.Bucket{Sale: "s", SKU: "k"}
		db.setAway(errors.New("away"))
		r.report(b, 1, "missing")
		r.report(b, 1, "missing")
		<-time.After(5 * time.Second)
		r.report(b, 2, "epoch")
		db.setAway(nil)
		<-time.After(2 * reportRetry)
		r.report(b, 2, "again")
		r.report(b, 1, "late")
		<-time.After(2 * reportRetry)
		require.Equal(t, []string{"s:k:0 epoch 2: epoch"}, db.reported())
		cancel()
		running.Wait()
	})
}
