package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Exactly the stock is sold, every taken unit is in one record, and the journal is empty once Kafka has everything.
func TestEngineSellsExactlyTheStock(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 50, 1)
	answers := w.buyAll(b, buyers("buyer", 200))
	require.Equal(t, map[string]int{"queued": 50, "sold_out": 150}, outcomes(answers))
	taken := map[sale.OrderID]bool{}
	for _, a := range answers {
		if a.Outcome == sale.OutcomeQueued {
			require.False(t, taken[a.OrderID], "an id was given twice")
			taken[a.OrderID] = true
			require.WithinDuration(t, time.Now(), a.CreatedAt, time.Minute)
			require.Equal(t, 1, a.Quantity)
		}
	}
	for _, batch := range w.kafka.Batches() {
		for _, o := range batch.Orders {
			require.True(t, taken[o.OrderID])
			delete(taken, o.OrderID)
		}
	}
	require.Empty(t, taken, "orders without a record")
	eventually(t, func() bool { return w.reading(b).JournalOrders == 0 }, "the journal is trimmed")
	reading := w.reading(b)
	require.Equal(t, int64(0), reading.Available)
	require.Equal(t, int64(50), reading.Taken)
	require.Equal(t, int64(50), w.db.Settled(b))
}

// The next batch of a bucket waits for the acknowledgement of the one before, and takes all purchases that arrived meanwhile.
func TestEngineBatchesWhatComesMeanwhile(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 4 * time.Second })
	b := w.stock("phone", 1000, 1)
	w.kafka.GoAway()
	first := make(chan sale.Answer, 1)
	go func() { first <- w.buy(b, "first") }()
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 1 }, "the first batch is published")
	rest := make(chan []sale.Answer, 1)
	go func() { rest <- w.buyAll(b, buyers("rest", 100)) }()
	queue := w.engine.queue(w.purchase(b, "any"))
	eventually(t, func() bool { queue.mu.Lock(); defer queue.mu.Unlock(); return len(queue.pending) == 100 }, "all wait")
	w.kafka.ComeBack()
	require.Equal(t, sale.OutcomeQueued, (<-first).Outcome)
	require.Equal(t, map[string]int{"queued": 100}, outcomes(<-rest))
	sizes := []int{}
	for _, batch := range w.kafka.Batches() {
		sizes = append(sizes, len(batch.Orders))
	}
	require.Equal(t, []int{1, 100}, sizes)
}

// A full batch does not wait for the one before.
func TestEngineStartsAFullBatchAtOnce(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout, o.BatchMaxOrders = 4*time.Second, 4 })
	b := w.stock("phone", 1000, 1)
	w.kafka.GoAway()
	done := make(chan []sale.Answer, 2)
	go func() { done <- w.buyAll(b, []string{"first"}) }()
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 1 }, "the first batch is published")
	go func() { done <- w.buyAll(b, buyers("full", 4)) }()
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 2 }, "the full batch is published")
	w.kafka.ComeBack()
	require.Equal(t, 5, outcomes(append(<-done, <-done...))["queued"])
}

// While Kafka is away answers are held, after some timeouts without waiting. A replay is held as long as the entry is
// journaled. When Kafka is back every order is queued and its entry trimmed.
func TestEngineHoldsWhileKafkaIsAway(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 300 * time.Millisecond })
	b := w.stock("phone", 100, 1)
	w.kafka.GoAway()
	p := w.purchase(b, "anna")
	p.Key = "a key"
	began := time.Now()
	taken := w.engine.Reserve(p)
	require.Equal(t, sale.OutcomeHeld, taken.Outcome)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	require.Equal(t, sale.OutcomeHeld, w.buy(b, "bert").Outcome)
	began = time.Now()
	for _, buyer := range buyers("hasty", 5) {
		require.Equal(t, sale.OutcomeHeld, w.buy(b, buyer).Outcome)
	}
	require.Less(t, time.Since(began), time.Second, "Kafka is known to be away")
	require.Positive(t, w.breaker.failures(sale.ResourceKafka))

	replay := w.engine.Reserve(p)
	require.Equal(t, sale.Answer{
		Outcome: sale.OutcomeReplayed, OrderID: taken.OrderID, Quantity: 1, CreatedAt: taken.CreatedAt, Status: sale.StatusHeld,
	}, replay)
	require.Equal(t, sale.StatusHeld, w.holding(b, "anna").Status)
	require.Equal(t, int64(7), w.reading(b).JournalOrders)
	require.NotZero(t, w.reading(b).OldestJournal)

	w.kafka.ComeBack()
	eventually(t, func() bool { return w.reading(b).JournalOrders == 0 }, "the journal is trimmed")
	require.Equal(t, sale.StatusQueued, w.engine.Reserve(p).Status)
	require.Equal(t, sale.StatusQueued, w.holding(b, "anna").Status)
	require.Equal(t, int64(7), w.db.Settled(b))
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "last").Outcome)
}

// Of two presses of one buyer with one key the second is decided after the first, answers with its order, and is not queued
// before Kafka has acknowledged it.
func TestReplayInTheNextBatchIsHeldWhileKafkaIsAway(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 400 * time.Millisecond })
	b := w.stock("phone", 100, 1)
	w.kafka.GoAway()
	rest := make(chan []sale.Answer, 1)
	go func() { rest <- w.buyAll(b, []string{"first"}) }()
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 1 }, "the first batch is published")
	p := w.purchase(b, "anna")
	p.Key = "a key"
	both := make(chan sale.Answer, 2)
	for range 2 {
		go func() { both <- w.engine.Reserve(p) }()
	}
	queue := w.engine.queue(p)
	eventually(t, func() bool { queue.mu.Lock(); defer queue.mu.Unlock(); return len(queue.pending) == 2 }, "both wait")
	taken, replay := <-both, <-both
	if taken.Outcome == sale.OutcomeReplayed {
		taken, replay = replay, taken
	}
	require.Equal(t, sale.OutcomeReplayed, replay.Outcome)
	require.Equal(t, sale.StatusHeld, replay.Status)
	require.Equal(t, sale.OutcomeHeld, taken.Outcome)
	require.Equal(t, taken.OrderID, replay.OrderID)
	require.Equal(t, sale.OutcomeHeld, (<-rest)[0].Outcome)
}

func (w *world) holding(b sale.Bucket, buyer string) sale.Holding {
	w.t.Helper()
	holdings, err := w.engine.Holdings(context.Background(), b, buyer)
	require.NoError(w.t, err)
	require.Len(w.t, holdings, 1)
	return holdings[0]
}

// After a lost acknowledgement the engine publishes the same bytes until one arrives, and the answer waits for it.
func TestEnginePublishesTheSameBytesAgain(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	before := len(w.kafka.Attempted())
	w.kafka.Mu.Lock()
	w.kafka.Failures = 3
	w.kafka.Mu.Unlock()
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
	attempts := w.kafka.Attempted()[before:]
	require.Len(t, attempts, 4)
	for _, again := range attempts {
		require.Equal(t, string(attempts[0]), string(again))
	}
	require.Equal(t, int64(1), w.db.Settled(b))
}

// A bucket with a full journal refuses, and sells again once the journal is trimmed.
func TestEngineShedsWhenTheJournalIsFull(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout, o.JournalMaxOrders = 20*time.Millisecond, 3 })
	b := w.stock("phone", 100, 1)
	w.kafka.GoAway()
	for _, buyer := range buyers("held", 3) {
		require.Equal(t, sale.OutcomeHeld, w.buy(b, buyer).Outcome)
	}
	require.Equal(t, sale.OutcomeUnavailable, w.buy(b, "one too many").Outcome)
	w.kafka.ComeBack()
	eventually(t, func() bool { return w.reading(b).JournalOrders == 0 }, "the journal is trimmed")
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "one-more").Outcome)
}

// Every refusal of the script becomes its answer, with its members.
func TestEngineAnswers(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 5, 3)
	press := func(buyer, key string, quantity int) sale.Answer {
		p := w.purchase(b, buyer)
		p.Key, p.Quantity = key, quantity
		return w.engine.Reserve(p)
	}
	first := press("anna", "k", 2)
	require.Equal(t, sale.OutcomeQueued, first.Outcome)
	replay := press("anna", "k", 2)
	require.Equal(t, sale.OutcomeReplayed, replay.Outcome)
	require.Equal(t, first.OrderID, replay.OrderID)
	require.Equal(t, 2, replay.Quantity)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: first.OrderID}, press("anna", "k", 1))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeOverLimit, Limit: 3}, press("bert", "", 4))
	bought := sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 3, Bought: 2, OrderID: first.OrderID}
	require.Equal(t, bought, press("anna", "", 2))
	require.Equal(t, sale.OutcomeQueued, press("bert", "", 2).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, Available: 1}, press("carl", "", 2))
	require.Equal(t, sale.OutcomeQueued, press("carl", "", 1).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut}, press("dora", "", 1))
	require.Equal(t, first.OrderID, press("anna", "k", 2).OrderID, "the key answers after the stock is gone")
	require.Zero(t, w.reading(b).Available)
}

// Redis decides by its window: paused, not started and ended are the answers until it gets a newer one.
func TestEngineWindows(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 5, 1)
	apply := func(change func(*sale.Sale)) {
		change(&w.sale)
		w.sale = w.db.PutSale(w.sale)
		require.NoError(t, w.redis.ApplyWindow(context.Background(), []sale.Bucket{b}, sale.WindowOf(&w.sale)))
	}
	stale := sale.WindowOf(&w.sale)
	starts, ends := w.sale.StartsAt, w.sale.EndsAt
	apply(func(s *sale.Sale) { s.State = sale.StatePaused })
	require.Equal(t, sale.OutcomePaused, w.buy(b, "anna").Outcome)
	require.NoError(t, w.redis.ApplyWindow(context.Background(), []sale.Bucket{b}, stale))
	require.Equal(t, sale.OutcomePaused, w.buy(b, "anna").Outcome, "an older window changes nothing")
	apply(func(s *sale.Sale) { s.State, s.StartsAt = sale.StateOpen, sale.Time{Time: time.Now().Add(time.Minute)} })
	require.Equal(t, sale.OutcomeNotStarted, w.buy(b, "anna").Outcome)
	apply(func(s *sale.Sale) { s.StartsAt, s.EndsAt = starts, sale.Time{Time: time.Now()} })
	require.Equal(t, sale.OutcomeSaleEnded, w.buy(b, "anna").Outcome)
	apply(func(s *sale.Sale) { s.EndsAt = ends })
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
	require.Equal(t, w.sale.Version, w.reading(b).WindowsVersion)
}

// An open circuit, a lost id lease and a full queue refuse a purchase before Redis is asked.
func TestEngineRefusesBeforeRedis(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 5, 1)
	w.breaker.open = map[string]bool{sale.ResourceRedis: true}
	require.Equal(t, sale.OutcomeUnavailable, w.buy(b, "anna").Outcome)
	w.breaker.open = map[string]bool{}
	node := w.engine.IDs.lease.Swap(nil)
	require.Equal(t, sale.OutcomeUnavailable, w.buy(b, "anna").Outcome)
	w.engine.IDs.lease.Store(node)

	queue := w.engine.queue(w.purchase(b, "anna"))
	queue.mu.Lock()
	queue.pending = make([]*request, maxPending)
	queue.mu.Unlock()
	require.Equal(t, sale.OutcomeOverloaded, w.buy(b, "anna").Outcome)
	queue.mu.Lock()
	queue.pending = nil
	queue.mu.Unlock()
	require.Equal(t, int64(5), w.reading(b).Available)
}

// A draining engine answers all waiting purchases and takes no new one.
func TestEngineDrains(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 100 * time.Millisecond })
	b := w.stock("phone", 500, 1)
	w.kafka.GoAway()
	answers := make(chan []sale.Answer, 1)
	go func() { answers <- w.buyAll(b, buyers("buyer", 300)) }()
	eventually(t, func() bool { return len(w.kafka.Attempted()) > 0 }, "a batch is under way")
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, w.engine.Drain(short), context.DeadlineExceeded, "Kafka is away")
	require.Equal(t, sale.OutcomeUnavailable, w.buy(b, "too-late").Outcome)
	got := outcomes(<-answers)
	require.Equal(t, 300, got["held"]+got["unavailable"])
	require.Equal(t, int64(got["held"]), w.reading(b).Taken, "only held purchases have taken units")
}

// Owners, holdings and units of buckets with and without orders.
func TestEngineLooksUp(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 5000, 2)
	want := buyers("owner", 2500)
	require.Equal(t, 2500, outcomes(w.buyAll(b, want))["queued"])
	found := map[string]bool{}
	require.NoError(t, w.engine.Owners(context.Background(), b, func(buyer string) error { found[buyer] = true; return nil }))
	require.Len(t, found, len(want))
	require.Equal(t, int64(2500), w.reading(b).Available)
	none, err := w.engine.Holdings(context.Background(), b, "nobody")
	require.NoError(t, err)
	require.Empty(t, none)
	p := w.purchase(b, "owner-1")
	p.Key = "with, a comma"
	second := w.engine.Reserve(p)
	holdings, err := w.engine.Holdings(context.Background(), b, "owner-1")
	require.NoError(t, err)
	require.Len(t, holdings, 2)
	require.Equal(t, second.OrderID, holdings[1].OrderID)
	require.Equal(t, "with, a comma", holdings[1].Key)
	require.Equal(t, second.CreatedAt, holdings[1].CreatedAt)
	require.Zero(t, w.reading(sale.Bucket{Sale: "sale", SKU: "unknown"}).Epoch)
	require.WithinDuration(t, time.Now(), w.engine.Now(), time.Second)
}
