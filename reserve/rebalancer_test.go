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
	"flashsale/test/fakes"
)

func TestUnitsMoveToTheBuyerWhoAsks(t *testing.T) {
	m := newMarket(t, 10, 0).carry()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
	m.balanced()
	loaded := func(number int) int64 { return m.snapshot().counters[number].Shelves[0].Loaded }
	require.Equal(t, []int64{5, 5}, []int64{loaded(0), loaded(1)}, "half has moved")
	require.Equal(t, []int64{5, 4}, m.column(availableUnits))
	require.Equal(t, int64(5), m.Shelf(m.buckets[0]).Moved)
	require.Equal(t, int64(5), m.Shelf(m.buckets[1]).Returned)
	require.Empty(t, m.DB.Reported())
}

// TestUnitsAreTakenFromSeveralBuckets: a purchase asks for more than any bucket has.
func TestUnitsAreTakenFromSeveralBuckets(t *testing.T) {
	m := newMarket(t, 1, 1, 1, 1).carry()
	a := m.press(2, "anna", 4)
	require.Equal(t, sale.OutcomeQueued, a.Outcome)
	m.balanced()
	require.Equal(t, sale.OutcomeSoldOut, m.press(0, "bert", 1).Outcome)
}

func TestNotEnoughCountsTheWholeSKU(t *testing.T) {
	m := newMarket(t, 1, 0, 1).carry()
	a := m.press(1, "anna", 3)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "hot", Available: 2}, a)
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 2).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "hot"}, m.press(1, "bert", 1))
	m.balanced()
}

// TestUnitsOnTheirWayAreNotSoldOut: the transfer does not reach Kafka, so its units are in no bucket.
func TestUnitsOnTheirWayAreNotSoldOut(t *testing.T) {
	m := newMarket(t, 1, 0).carry()
	m.Kafka.GoAway()
	began := time.Now()
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Less(t, time.Since(began), 1100*time.Millisecond, "no purchase waits longer than a second")
	require.Equal(t, sale.OutcomeOverloaded, m.press(0, "bert", 1).Outcome, "the bucket is empty, the SKU is not")
	require.False(t, m.soldOut())

	m.Kafka.ComeBack()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(0, "bert", 1).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(1, "carl", 1).Outcome)
	require.True(t, m.soldOut())
	m.balanced()
}

// TestTransferInADeadLetter: its units are in no bucket until the operator has decided, and no answer is sold out before.
func TestTransferInADeadLetter(t *testing.T) {
	for name, refuse := range map[string]bool{"replayed": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			m := newMarket(t, 3, 0).carry()
			m.DB.FailTransfers()
			require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
			require.Equal(t, sale.OutcomeQueued, m.press(0, "bert", 1).Outcome, "a unit that stayed")
			require.Equal(t, 1, m.DB.EndDeadLetters(refuse), "nothing is sent after units that do not arrive")
			require.Equal(t, sale.OutcomeQueued, m.press(1, "carl", 2).Outcome)
			for number := range m.buckets {
				require.Equal(t, sale.OutcomeSoldOut, m.press(number, "dora", 1).Outcome)
			}
			m.balanced()
			require.Empty(t, m.DB.Reported())
		})
	}
}

// TestReleasedUnitsOnTheirWayAreNotSoldOut: the database has given a unit back, and Redis does not have it yet.
func TestReleasedUnitsOnTheirWayAreNotSoldOut(t *testing.T) {
	m := newMarket(t, 1, 0)
	a := m.press(0, "anna", 1)
	require.Equal(t, sale.OutcomeQueued, a.Outcome)
	require.Equal(t, sale.OutcomeSoldOut, m.press(1, "bert", 1).Outcome)
	m.DB.Release(m.buckets[0], fakes.OrderOf(a, "anna"))
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "bert", 1).Outcome)
	m.carry()
	require.Equal(t, sale.OutcomeQueued, m.press(1, "bert", 1).Outcome, "it was released to bucket 0 and moved to bucket 1")
	m.balanced()
}

// TestOneTransferAtATimeToABucket: a hundred purchases that wait at a bucket do not empty the other bucket bit by bit.
func TestOneTransferAtATimeToABucket(t *testing.T) {
	m := newMarket(t, 64, 0).carry()
	m.Kafka.GoAway()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { m.press(1, fmt.Sprintf("buyer-%d", i), 1) })
	}
	all.Wait()
	moved := m.Shelf(m.buckets[0]).Moved
	require.GreaterOrEqual(t, moved, int64(32), "half, or as many as the waiting purchases ask for")
	require.EqualValues(t, 1, m.Reading(m.buckets[0]).JournalOrders)
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
					if m.left() > 0 || m.moving() {
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
	require.Zero(t, m.left())
}

// TestNothingMovesWithoutTheDatabase: while the database is away no unit is moved and nothing is called sold out.
func TestNothingMovesWithoutTheDatabase(t *testing.T) {
	m := newMarket(t, 4, 0).carry()
	m.DB.SetAway(errors.New("away"))
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Zero(t, m.Shelf(m.buckets[0]).Moved)
	require.False(t, m.soldOut(), "units are left: no question")
	m.DB.SetAway(nil)
	require.Equal(t, sale.OutcomeQueued, m.press(1, "anna", 1).Outcome)
}

func TestOpenCircuitsAreNotAsked(t *testing.T) {
	m := newMarket(t, 0, 0)
	for _, resource := range []string{sale.ResourceMySQL, sale.ResourceRedis} {
		m.breaker.open = map[string]bool{resource: true}
		_, err := m.engine.SoldOut(context.Background(), m.buckets, "hot")
		require.ErrorIs(t, err, errCircuitOpen)
	}
	m.breaker.open = map[string]bool{sale.ResourceMySQL: true}
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
}

// TestBucketInDoubtEndsTheSearchAtOnce: the bucket may have any number of units, and its rebuild takes longer than a purchase
// can wait.
func TestBucketInDoubtEndsTheSearchAtOnce(t *testing.T) {
	m := newMarket(t, 0, 0)
	require.NoError(t, m.DB.ReportLoss(context.Background(), m.buckets[0], 1, "test"))
	began := time.Now()
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	require.Less(t, time.Since(began), unitsWithin/2)
}

// TestTransferOutOfADoubtfulServerIsReported: the giving bucket has another replication id than at its load.
func TestTransferOutOfADoubtfulServerIsReported(t *testing.T) {
	m := newMarket(t, 4, 0).carry()
	m.Do("HSET", m.Redis.Keys(m.buckets[0]).Meta, "replid", "abc")
	require.Equal(t, sale.OutcomeOverloaded, m.press(1, "anna", 1).Outcome)
	fakes.Eventually(t, func() bool { return len(m.DB.Reported()) == 1 }, "the loss is reported")
	require.Contains(t, m.DB.Reported()[0], "replid")
	require.Zero(t, m.Shelf(m.buckets[0]).Moved)
}

// TestNumbersOfAServerThatWentBackAreNotTold: how many units are left is told only while every bucket is on the server that its
// epoch was loaded into. A purchase that asks for more waits, and the loss is reported.
func TestNumbersOfAServerThatWentBackAreNotTold(t *testing.T) {
	for number := range 2 {
		m := newMarket(t, 2, 1).carry()
		require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "hot", Available: 3}, m.press(1, "anna", 4))
		before := m.column(availableUnits)
		m.Do("HSET", m.Redis.Keys(m.buckets[number]).Meta, "replid", "abc", "checked_ms", "0")
		require.NotEqual(t, sale.OutcomeNotEnough, m.press(1-number, "anna", 4).Outcome)
		fakes.Eventually(t, func() bool { return len(m.DB.Reported()) == 1 }, "the loss is reported")
		require.Contains(t, m.DB.Reported()[0], "replid")
		require.Equal(t, before, m.column(availableUnits), "nothing was moved to find that out")
	}
}

// TestAllThatIsAskedComesInOneRound: where more purchases wait at a bucket than any other has units for, every other bucket
// gives, and the next transfers need not wait for the settlement of the first.
func TestAllThatIsAskedComesInOneRound(t *testing.T) {
	m := newMarket(t, 0, 0, 4, 4, 4).carry()
	m.Kafka.GoAway() // nothing settles
	waiting := make([]*waitingPurchase, 20)
	for i := range waiting {
		// 15 at one bucket, 5 at another
		waiting[i] = m.waiting(i%20/15, m.Line("hot", 1))
	}
	round := func() { m.round(waiting...) }
	round()
	require.Equal(t, []int64{0, 0, 4, 4, 4}, m.column(movedUnits), "every other bucket gives")
	round()
	require.Equal(t, []int64{0, 0, 4, 4, 4}, m.column(movedUnits), "all units are on their way")
	m.Kafka.ComeBack()
	m.balanced()
	require.Equal(t, []int64{8, 4, 0, 0, 0}, m.column(availableUnits), "they took turns")
}

// TestSlowRoundDelaysNoAnswer: a purchase waits for units at most a second, also when the database takes longer to answer.
func TestSlowRoundDelaysNoAnswer(t *testing.T) {
	m := newMarket(t, 0, 0)
	answered := make(chan struct{})
	m.engine.Buckets = slowReader{m.DB, answered}
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

func (s slowReader) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	<-s.free
	return s.BucketReader.StockCounters(ctx, buckets, skus)
}

// TestDrainAnswersWaitingPurchases: a draining engine answers the purchases that wait for units.
func TestDrainAnswersWaitingPurchases(t *testing.T) {
	m := newMarket(t, 1, 0).carry()
	m.Kafka.GoAway()
	answers := make(chan sale.Answer, 1)
	go func() { answers <- m.press(1, "anna", 1) }()
	fakes.Eventually(t, func() bool { return m.Shelf(m.buckets[0]).Moved == 1 }, "the unit is on its way")
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drained <- m.engine.Drain(ctx)
	}()
	require.Equal(t, sale.OutcomeOverloaded, (<-answers).Outcome)
	m.Kafka.ComeBack()
	require.NoError(t, <-drained)
	m.ended = true
	late := m.engine.waitForUnits(sale.Purchase{Bucket: m.buckets[1], Buckets: 2}, time.Now())
	require.Equal(t, sale.OutcomeUnavailable, late.answer.Outcome)
}

// TestTransferOfADeadGatewayIsRelayed: the gateway has taken the units and published nothing.
func TestTransferOfADeadGatewayIsRelayed(t *testing.T) {
	m := newMarket(t, 8, 0).carry()
	keys := m.Redis.Keys(m.buckets[0])
	reply, err := m.Redis.Transfer(context.Background(), &scripts.TransferCall{
		Keys: keys, Head: "sale 0", Epoch: 1, DeadlineMS: 1 << 52, MaxJournal: 10, ID: 1 << 60, To: 1,
		Wants: []scripts.TransferWant{{SKU: "hot", Asked: 1}},
	})
	require.NoError(t, err)
	require.Equal(t, scripts.CodeOK, reply.Code)
	require.Equal(t, []sale.SKUUnits{{SKU: "hot", Units: 4}}, reply.Units)
	require.Equal(t, reply.Units, reply.Moved)
	require.Equal(t, int64(1), m.Reading(m.buckets[0]).JournalOrders)
	relay := recovery.NewRelay(recovery.RelayOptions{
		Redis: m.Redis, Publisher: m.Kafka, Leases: m.DB, Owner: "test", Deadline: time.Nanosecond,
		Log:     slog.New(slog.DiscardHandler),
		Watched: func(time.Time) []recovery.Watched { return []recovery.Watched{{BucketRow: m.DB.Row(m.buckets[0])}} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { relay.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	fakes.Eventually(t, func() bool { return len(m.Kafka.Attempted()) > 0 }, "it is relayed")
	require.Equal(t, reply.Record, string(m.Kafka.Attempted()[len(m.Kafka.Attempted())-1]), "the same bytes")
	m.balanced()
	require.Equal(t, int64(4), m.snapshot().counters[1].Shelves[0].Loaded)
}
