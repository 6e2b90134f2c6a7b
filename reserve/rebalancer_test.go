package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/recovery"
	"flashsale/sale"
	"flashsale/scripts"
)

// market is a world with one SKU in several buckets.
type market struct {
	*world
	buckets []sale.Bucket
}

// newMarket opens a SKU whose buckets have so many units, with a limit of 5 per buyer.
func newMarket(t testing.TB, units ...int64) *market {
	m := &market{world: newWorld(t, nil)}
	m.sale.PerBuyerLimit = 5
	m.sale = m.db.PutSale(m.sale)
	var rows []sale.BucketRow
	for number, n := range units {
		b := sale.Bucket{Sale: m.sale.ID, SKU: "hot", Number: number}
		m.buckets = append(m.buckets, b)
		rows = append(rows, m.db.AddBucket(b, n, int32(number)))
	}
	m.rebuild(rows...)
	return m
}

// carry applies the outbox until the test ends.
func (m *market) carry() *market {
	m.applyOutbox()
	return m
}

// press buys some units as a buyer whose bucket has this number.
func (m *market) press(number int, buyer string, quantity int) sale.Answer {
	p := m.purchase(m.buckets[number], buyer)
	p.Quantity, p.Buckets = quantity, len(m.buckets)
	return m.engine.Reserve(p)
}

func (m *market) snapshot() *skuSnapshot {
	m.t.Helper()
	readings, err := m.redis.Readings(context.Background(), m.buckets)
	require.NoError(m.t, err)
	counters, err := m.db.BucketCounters(context.Background(), m.buckets)
	require.NoError(m.t, err)
	return &skuSnapshot{readings: readings, counters: counters, promised: make([]int64, len(readings))}
}

// balanced waits until no unit is on its way, and requires that every bucket has as many units as the database computes.
func (m *market) balanced() {
	m.t.Helper()
	eventually(m.t, func() bool {
		v := m.snapshot()
		return !v.moving()
	}, "units do not arrive")
	v := m.snapshot()
	for number, r := range v.readings {
		b := v.counters[number]
		require.Equal(m.t, b.Loaded-b.Settled+b.Released, r.Available, "bucket %d: %+v %+v", number, b, r)
		eventually(m.t, func() bool { return m.reading(m.buckets[number]).JournalOrders == 0 }, "the journal is trimmed")
	}
}

func TestUnitsMoveToTheBuyerWhoAsks(t *testing.T) {
	m := newMarket(t, 10, 0).carry()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
	m.balanced()
	v := m.snapshot()
	require.Equal(t, []int64{5, 5}, []int64{v.counters[0].Loaded, v.counters[1].Loaded}, "half has moved")
	require.Equal(t, []int64{5, 4}, []int64{v.readings[0].Available, v.readings[1].Available})
	require.Equal(t, int64(5), v.readings[0].Moved)
	require.Equal(t, int64(5), v.readings[1].Returned)
	require.Empty(t, m.db.Reported())
}

// TestUnitsAreTakenFromSeveralBuckets: a purchase asks for more than any bucket has.
func TestUnitsAreTakenFromSeveralBuckets(t *testing.T) {
	m := newMarket(t, 1, 1, 1, 1).carry()
	a := m.press(2, "anna", 4)
	require.Equal(t, sale.OutcomeQueued, a.Outcome)
	require.Equal(t, 4, a.Quantity)
	m.balanced()
	require.Equal(t, sale.OutcomeSoldOut, m.press(0, "bert", 1).Outcome)
}

func TestNotEnoughCountsTheWholeSKU(t *testing.T) {
	m := newMarket(t, 1, 0, 1).carry()
	a := m.press(1, "anna", 3)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, Available: 2}, a)
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 2).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut}, m.press(1, "bert", 1))
	m.balanced()
}

// TestUnitsOnTheirWayAreNotSoldOut: the transfer does not reach Kafka, so its units are in no bucket.
func TestUnitsOnTheirWayAreNotSoldOut(t *testing.T) {
	m := newMarket(t, 1, 0).carry()
	m.kafka.GoAway()
	began := time.Now()
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Less(t, time.Since(began), 1100*time.Millisecond, "no purchase waits longer than a second")
	require.Equal(t, sale.OutcomeOverloaded, m.press(0, "bert", 1).Outcome, "the bucket is empty, the SKU is not")
	soldOut, err := m.engine.SoldOut(context.Background(), m.buckets)
	require.NoError(t, err)
	require.False(t, soldOut)

	m.kafka.ComeBack()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(0, "bert", 1).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(1, "carl", 1).Outcome)
	soldOut, err = m.engine.SoldOut(context.Background(), m.buckets)
	require.NoError(t, err)
	require.True(t, soldOut)
	m.balanced()
}

// TestTransferInADeadLetter: its units are in no bucket until the operator has decided, and no answer is sold out before.
func TestTransferInADeadLetter(t *testing.T) {
	for name, refuse := range map[string]bool{"replayed": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			m := newMarket(t, 3, 0).carry()
			m.db.FailTransfers()
			require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
			require.Equal(t, sale.OutcomeQueued, m.press(0, "bert", 1).Outcome, "a unit that stayed")
			require.Equal(t, 1, m.db.EndDeadLetters(refuse), "nothing is sent after units that do not arrive")
			require.Equal(t, sale.OutcomeQueued, m.press(1, "carl", 2).Outcome)
			for number := range m.buckets {
				require.Equal(t, sale.OutcomeSoldOut, m.press(number, "dora", 1).Outcome)
			}
			m.balanced()
			require.Empty(t, m.db.Reported())
		})
	}
}

// TestReleasedUnitsOnTheirWayAreNotSoldOut: the database has given a unit back, and Redis does not have it yet.
func TestReleasedUnitsOnTheirWayAreNotSoldOut(t *testing.T) {
	m := newMarket(t, 1, 0)
	a := m.press(0, "anna", 1)
	require.Equal(t, sale.OutcomeQueued, a.Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(1, "bert", 1).Outcome)
	m.db.Release(m.buckets[0], sale.RecordOrder{OrderID: a.OrderID, Quantity: 1, Buyer: "anna"})
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "bert", 1).Outcome)
	m.carry()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "bert", 1).Outcome, "it was released to bucket 0 and moved to bucket 1")
	m.balanced()
}

// TestOneTransferAtATimeToABucket: a hundred purchases that wait at a bucket do not empty the other bucket bit by bit.
func TestOneTransferAtATimeToABucket(t *testing.T) {
	m := newMarket(t, 64, 0).carry()
	m.kafka.GoAway()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { m.press(1, fmt.Sprintf("buyer-%d", i), 1) })
	}
	all.Wait()
	r := m.reading(m.buckets[0])
	require.GreaterOrEqual(t, r.Moved, int64(32), "half, or as many as the waiting purchases ask for")
	require.EqualValues(t, 1, r.JournalOrders)
}

// TestEverythingIsSoldWhereverTheUnitsAre: buyers of all buckets, units in one; no answer is sold out while a unit is left.
func TestEverythingIsSoldWhereverTheUnitsAre(t *testing.T) {
	const units, buyers = 300, 450
	m := newMarket(t, units, 0, 0, 0).carry()
	var taken, early atomic.Int64
	var all sync.WaitGroup
	until := time.Now().Add(20 * time.Second)
	for i := range buyers {
		all.Go(func() {
			for time.Now().Before(until) {
				switch a := m.press(i%4, fmt.Sprintf("buyer-%d", i), 1); a.Outcome {
				case sale.OutcomeQueued, sale.OutcomeHeld:
					taken.Add(1)
					return
				case sale.OutcomeSoldOut:
					if v := m.snapshot(); v.total() > 0 || v.moving() {
						early.Add(1)
					}
					return
				case sale.OutcomeOverloaded: // as an app does
				default:
					t.Errorf("buyer %d: %+v", i, a)
					return
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, units, taken.Load())
	require.Zero(t, early.Load(), "sold out while units were left")
	m.balanced()
	require.Zero(t, m.snapshot().total())
}

// TestNothingMovesWithoutTheDatabase: while the database is away no unit is moved and nothing is called sold out.
func TestNothingMovesWithoutTheDatabase(t *testing.T) {
	m := newMarket(t, 4, 0).carry()
	m.db.SetAway(errors.New("away"))
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Zero(t, m.reading(m.buckets[0]).Moved)
	_, err := m.engine.SoldOut(context.Background(), m.buckets)
	require.NoError(t, err, "units are left: no question")
	m.db.SetAway(nil)
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
}

func TestOpenCircuitsAreNotAsked(t *testing.T) {
	m := newMarket(t, 0, 0)
	for _, resource := range []string{sale.ResourceMySQL, sale.ResourceRedis} {
		m.breaker.open = map[string]bool{resource: true}
		_, err := m.engine.SoldOut(context.Background(), m.buckets)
		require.ErrorIs(t, err, errCircuitOpen)
	}
	m.breaker.open = map[string]bool{sale.ResourceMySQL: true}
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
}

// TestBucketInDoubtEndsTheSearchAtOnce: the bucket may have any number of units, and its rebuild takes longer than a purchase
// can wait.
func TestBucketInDoubtEndsTheSearchAtOnce(t *testing.T) {
	m := newMarket(t, 0, 0)
	require.NoError(t, m.db.ReportLoss(context.Background(), m.buckets[0], 1, "test"))
	began := time.Now()
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Less(t, time.Since(began), unitsWithin/2)
}

// TestTransferOutOfADoubtfulServerIsReported: the giving bucket has another replication id than at its load.
func TestTransferOutOfADoubtfulServerIsReported(t *testing.T) {
	m := newMarket(t, 4, 0).carry()
	m.doOn("HSET", m.redis.Keys(m.buckets[0]).Meta, "replid", "abc")
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	eventually(t, func() bool { return len(m.db.Reported()) == 1 }, "the loss is reported")
	require.Contains(t, m.db.Reported()[0], "replid")
	require.Zero(t, m.reading(m.buckets[0]).Moved)
}

// TestAllThatIsAskedComesInOneRound: where more purchases wait at a bucket than any other has units for, every other bucket
// gives, and the next transfers need not wait for the settlement of the first.
func TestAllThatIsAskedComesInOneRound(t *testing.T) {
	m := newMarket(t, 0, 0, 4, 4, 4).carry()
	m.kafka.GoAway() // nothing settles
	waiting := make([]*waitingPurchase, 20)
	for i := range waiting {
		// 15 at one bucket, 5 at another
		waiting[i] = &waitingPurchase{home: i % 20 / 15, quantity: 1, found: make(chan result, 1)}
	}
	p := m.purchase(m.buckets[0], "anna")
	p.Buckets = len(m.buckets)
	round := func() {
		t.Helper()
		require.True(t, m.engine.gate.enter()) // as the waiting purchases have
		defer m.engine.gate.leave()
		require.NoError(t, m.engine.rebalancer(p).round(t.Context(), waiting))
	}
	round()
	moved := func() (units []int64) {
		for _, r := range m.snapshot().readings {
			units = append(units, r.Moved)
		}
		return units
	}
	require.Equal(t, []int64{0, 0, 4, 4, 4}, moved(), "every other bucket gives")
	round()
	require.Equal(t, []int64{0, 0, 4, 4, 4}, moved(), "all units are on their way")
	m.kafka.ComeBack()
	m.balanced()
	require.Equal(t, int64(12), m.snapshot().total())
	require.Equal(t, []int64{8, 4}, []int64{m.reading(m.buckets[0]).Available, m.reading(m.buckets[1]).Available},
		"they took turns")
}

// TestSlowRoundDelaysNoAnswer: a purchase waits for units at most a second, also when the database takes longer to answer.
func TestSlowRoundDelaysNoAnswer(t *testing.T) {
	m := newMarket(t, 0, 0)
	answered := make(chan struct{})
	m.engine.Buckets = slowReader{m.db, answered}
	began := time.Now()
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Less(t, time.Since(began), 1100*time.Millisecond)
	close(answered)
	require.Equal(t, sale.OutcomeSoldOut, m.press(1, "anna", 1).Outcome)
}

// slowReader answers when a channel is closed.
type slowReader struct {
	BucketReader
	free <-chan struct{}
}

func (s slowReader) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	<-s.free
	return s.BucketReader.BucketCounters(ctx, buckets)
}

// TestDrainAnswersWaitingPurchases: a draining engine answers the purchases that wait for units.
func TestDrainAnswersWaitingPurchases(t *testing.T) {
	m := newMarket(t, 1, 0).carry()
	m.kafka.GoAway()
	answers := make(chan sale.Answer, 1)
	go func() { answers <- m.press(1, "anna", 1) }()
	eventually(t, func() bool { return m.reading(m.buckets[0]).Moved == 1 }, "the unit is on its way")
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drained <- m.engine.Drain(ctx)
	}()
	require.Equal(t, sale.OutcomeOverloaded, (<-answers).Outcome)
	m.kafka.ComeBack()
	require.NoError(t, <-drained)
	m.ended = true
	late := m.engine.waitForUnits(sale.Purchase{Bucket: m.buckets[1], Buckets: 2}, time.Now())
	require.Equal(t, sale.OutcomeUnavailable, late.answer.Outcome)
}

// TestTransferOfADeadGatewayIsRelayed: the gateway has taken the units and published nothing.
func TestTransferOfADeadGatewayIsRelayed(t *testing.T) {
	m := newMarket(t, 8, 0).carry()
	keys := m.redis.Keys(m.buckets[0])
	reply, err := m.redis.Transfer(context.Background(), &scripts.TransferCall{
		Keys: keys, Head: "sale hot 0", Epoch: 1, DeadlineMS: 1 << 52, MaxJournal: 10, ID: 1 << 60, To: 1, Asked: 1,
	})
	require.NoError(t, err)
	require.Equal(t, []any{scripts.CodeOK, int64(4), int64(4)}, []any{reply.Code, reply.Units, reply.Moved})
	require.Equal(t, int64(1), m.reading(m.buckets[0]).JournalOrders)
	relay := recovery.NewRelay(recovery.RelayOptions{
		Redis: m.redis, Publisher: m.kafka, Leases: m.db, Owner: "test", Deadline: time.Nanosecond,
		Log:     slog.New(slog.DiscardHandler),
		Watched: func(time.Time) []recovery.Watched { return []recovery.Watched{{BucketRow: m.db.Row(m.buckets[0])}} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { relay.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	eventually(t, func() bool { return len(m.kafka.Attempted()) > 0 }, "it is relayed")
	require.Equal(t, reply.Record, string(m.kafka.Attempted()[len(m.kafka.Attempted())-1]), "the same bytes")
	m.balanced()
	require.Equal(t, int64(4), m.snapshot().counters[1].Loaded)
}
