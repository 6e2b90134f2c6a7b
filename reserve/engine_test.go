package reserve

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// Exactly the stock is sold, every taken unit is in one record, and the journal is empty once Kafka has everything.
func TestEngineSellsExactlyTheStock(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 50, 1)
	answers := w.BuyAll(b, fakes.Buyers("buyer", 200))
	require.Equal(t, map[string]int{"queued": 50, "sold_out": 150}, fakes.Outcomes(answers))
	taken := map[sale.OrderID]bool{}
	for _, a := range answers {
		if a.Outcome == sale.OutcomeQueued {
			require.False(t, taken[a.OrderID], "an id was given twice")
			taken[a.OrderID] = true
			require.WithinDuration(t, time.Now(), a.CreatedAt, time.Minute)
		}
	}
	for _, batch := range w.Kafka.Batches() {
		for _, o := range batch.Orders {
			require.True(t, taken[o.OrderID])
			delete(taken, o.OrderID)
		}
	}
	require.Empty(t, taken, "orders without a record")
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
	shelf := w.Shelf(b)
	require.Equal(t, int64(0), shelf.Available)
	require.Equal(t, int64(50), shelf.Taken)
	require.Equal(t, int64(50), w.DB.Settled(b))
}

// The next batch of a bucket waits for the acknowledgement of the one before, and takes all purchases that arrived meanwhile.
func TestEngineBatchesWhatComesMeanwhile(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 4 * time.Second })
	b := w.Stock("phone", 1000, 1)
	w.Kafka.GoAway()
	first := make(chan sale.Answer, 1)
	go func() { first <- w.Buy(b, "first") }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) == 1 }, "the first batch is published")
	rest := make(chan []sale.Answer, 1)
	go func() { rest <- w.BuyAll(b, fakes.Buyers("rest", 100)) }()
	queue := w.engine.queue(w.Purchase(b, "any"))
	fakes.Eventually(t, func() bool { queue.mu.Lock(); defer queue.mu.Unlock(); return len(queue.pending) == 100 }, "all wait")
	w.Kafka.ComeBack()
	require.Equal(t, sale.OutcomeQueued, (<-first).Outcome)
	require.Equal(t, map[string]int{"queued": 100}, fakes.Outcomes(<-rest))
	sizes := []int{}
	for _, batch := range w.Kafka.Batches() {
		sizes = append(sizes, len(batch.Orders))
	}
	require.Equal(t, []int{1, 100}, sizes)
}

// A full batch does not wait for the one before.
func TestEngineStartsAFullBatchAtOnce(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout, o.BatchMaxOrders = 4*time.Second, 4 })
	b := w.Stock("phone", 1000, 1)
	w.Kafka.GoAway()
	done := make(chan []sale.Answer, 2)
	go func() { done <- w.BuyAll(b, []string{"first"}) }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) == 1 }, "the first batch is published")
	go func() { done <- w.BuyAll(b, fakes.Buyers("full", 4)) }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) == 2 }, "the full batch is published")
	w.Kafka.ComeBack()
	require.Equal(t, 5, fakes.Outcomes(append(<-done, <-done...))["queued"])
}

// While Kafka is away answers are held, after some timeouts without waiting. A replay is held as long as the entry is
// journaled. When Kafka is back every order is queued and its entry trimmed.
func TestEngineHoldsWhileKafkaIsAway(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 300 * time.Millisecond })
	b := w.Stock("phone", 100, 1)
	w.Kafka.GoAway()
	p := w.Purchase(b, "anna")
	p.Key = "a key"
	began := time.Now()
	taken := w.engine.Reserve(p)
	require.Equal(t, sale.OutcomeHeld, taken.Outcome)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	require.Equal(t, sale.OutcomeHeld, w.Buy(b, "bert").Outcome)
	began = time.Now()
	for _, buyer := range fakes.Buyers("hasty", 5) {
		require.Equal(t, sale.OutcomeHeld, w.Buy(b, buyer).Outcome)
	}
	require.Less(t, time.Since(began), time.Second, "Kafka is known to be away")
	require.Positive(t, w.breaker.failures(sale.ResourceKafka))

	replay := w.engine.Reserve(p)
	require.Equal(t, sale.Answer{
		Outcome: sale.OutcomeReplayed, OrderID: taken.OrderID, CreatedAt: taken.CreatedAt, Status: sale.StatusHeld,
	}, replay)
	require.Equal(t, sale.StatusHeld, w.holding(b, "anna").Status)
	require.Equal(t, int64(7), w.Reading(b).JournalOrders)
	require.NotZero(t, w.Reading(b).OldestJournal)

	w.Kafka.ComeBack()
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
	require.Equal(t, sale.StatusQueued, w.engine.Reserve(p).Status)
	require.Equal(t, sale.StatusQueued, w.holding(b, "anna").Status)
	require.Equal(t, int64(7), w.DB.Settled(b))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "last").Outcome)
}

// Of two presses of one buyer with one key the second is decided after the first, answers with its order, and is not queued
// before Kafka has acknowledged it.
func TestReplayInTheNextBatchIsHeldWhileKafkaIsAway(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 400 * time.Millisecond })
	b := w.Stock("phone", 100, 1)
	w.Kafka.GoAway()
	rest := make(chan []sale.Answer, 1)
	go func() { rest <- w.BuyAll(b, []string{"first"}) }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) == 1 }, "the first batch is published")
	p := w.Purchase(b, "anna")
	p.Key = "a key"
	both := make(chan sale.Answer, 2)
	for range 2 {
		go func() { both <- w.engine.Reserve(p) }()
	}
	queue := w.engine.queue(p)
	fakes.Eventually(t, func() bool { queue.mu.Lock(); defer queue.mu.Unlock(); return len(queue.pending) == 2 }, "both wait")
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
	w.T.Helper()
	holdings, err := w.engine.Holdings(context.Background(), b, buyer)
	require.NoError(w.T, err)
	require.Len(w.T, holdings, 1)
	return holdings[0]
}

// After a lost acknowledgement the engine publishes the same bytes until one arrives, and the answer waits for it.
func TestEnginePublishesTheSameBytesAgain(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	before := len(w.Kafka.Attempted())
	w.Kafka.Mu.Lock()
	w.Kafka.Failures = 3
	w.Kafka.Mu.Unlock()
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	attempts := w.Kafka.Attempted()[before:]
	require.Len(t, attempts, 4)
	for _, again := range attempts {
		require.Equal(t, string(attempts[0]), string(again))
	}
	require.Equal(t, int64(1), w.DB.Settled(b))
}

// A bucket with a full journal refuses, and sells again once the journal is trimmed.
func TestEngineShedsWhenTheJournalIsFull(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout, o.JournalMaxOrders = 20*time.Millisecond, 3 })
	b := w.Stock("phone", 100, 1)
	w.Kafka.GoAway()
	for _, buyer := range fakes.Buyers("held", 3) {
		require.Equal(t, sale.OutcomeHeld, w.Buy(b, buyer).Outcome)
	}
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "one too many").Outcome)
	w.Kafka.ComeBack()
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "one-more").Outcome)
}

// Every refusal of the script becomes its answer, with its members.
func TestEngineAnswers(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5, 3)
	press := func(buyer, key string, quantity int) sale.Answer {
		p := w.Purchase(b, buyer)
		p.Key, p.Lines[0].Quantity = key, quantity
		return w.engine.Reserve(p)
	}
	first := press("anna", "k", 2)
	require.Equal(t, sale.OutcomeQueued, first.Outcome)
	replay := press("anna", "k", 2)
	require.Equal(t, sale.OutcomeReplayed, replay.Outcome)
	require.Equal(t, first.OrderID, replay.OrderID)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: first.OrderID}, press("anna", "k", 1))
	over := sale.Answer{Outcome: sale.OutcomeOverLimit, Scope: sale.ScopeSKU, SKU: "phone", Limit: 3}
	require.Equal(t, over, press("bert", "", 4))
	bought := sale.Answer{
		Outcome: sale.OutcomeAlreadyBought, Scope: sale.ScopeSKU, SKU: "phone", Limit: 3, Bought: 2, OrderID: first.OrderID,
	}
	require.Equal(t, bought, press("anna", "", 2))
	require.Equal(t, sale.OutcomeQueued, press("bert", "", 2).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "phone", Available: 1}, press("carl", "", 2))
	require.Equal(t, sale.OutcomeQueued, press("carl", "", 1).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "phone"}, press("dora", "", 1))
	require.Equal(t, first.OrderID, press("anna", "k", 2).OrderID, "the key answers after the stock is gone")
	require.Zero(t, w.Shelf(b).Available)
}

// Redis decides by its window: paused, not started and ended are the answers until it gets a newer one.
func TestEngineWindows(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5, 1)
	apply := func(change func(*sale.Sale)) {
		change(&w.Sale)
		w.Sale = w.DB.PutSale(w.Sale)
		require.NoError(t, w.Redis.ApplyWindow(context.Background(), []sale.Bucket{b}, sale.WindowOf(&w.Sale)))
	}
	stale := sale.WindowOf(&w.Sale)
	starts, ends := w.Sale.StartsAt, w.Sale.EndsAt
	apply(func(s *sale.Sale) { s.State = sale.StatePaused })
	require.Equal(t, sale.OutcomePaused, w.Buy(b, "anna").Outcome)
	require.NoError(t, w.Redis.ApplyWindow(context.Background(), []sale.Bucket{b}, stale))
	require.Equal(t, sale.OutcomePaused, w.Buy(b, "anna").Outcome, "an older window changes nothing")
	apply(func(s *sale.Sale) { s.State, s.StartsAt = sale.StateOpen, sale.Time{Time: time.Now().Add(time.Minute)} })
	require.Equal(t, sale.OutcomeNotStarted, w.Buy(b, "anna").Outcome)
	apply(func(s *sale.Sale) { s.StartsAt, s.EndsAt = starts, sale.Time{Time: time.Now()} })
	require.Equal(t, sale.OutcomeSaleEnded, w.Buy(b, "anna").Outcome)
	apply(func(s *sale.Sale) { s.EndsAt = ends })
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	require.Equal(t, w.Sale.Version, w.Reading(b).WindowsVersion)
}

// An open circuit, a lost id lease and a full queue refuse a purchase before Redis is asked.
func TestEngineRefusesBeforeRedis(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5, 1)
	w.breaker.open = map[string]bool{sale.ResourceRedis: true}
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "anna").Outcome)
	w.breaker.open = map[string]bool{}
	node := w.engine.IDs.lease.Swap(nil)
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "anna").Outcome)
	w.engine.IDs.lease.Store(node)

	queue := w.engine.queue(w.Purchase(b, "anna"))
	queue.mu.Lock()
	queue.pending = slices.Repeat([]*request{{arrivedAt: time.Now()}}, maxPending) // the janitor looks at them
	queue.mu.Unlock()
	require.Equal(t, sale.OutcomeOverloaded, w.Buy(b, "anna").Outcome)
	queue.mu.Lock()
	queue.pending = nil
	queue.mu.Unlock()
	require.Equal(t, int64(5), w.Shelf(b).Available)
}

// A draining engine answers all waiting purchases and takes no new one.
func TestEngineDrains(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 100 * time.Millisecond })
	b := w.Stock("phone", 500, 1)
	w.Kafka.GoAway()
	answers := make(chan []sale.Answer, 1)
	go func() { answers <- w.BuyAll(b, fakes.Buyers("buyer", 300)) }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) > 0 }, "a batch is under way")
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, w.engine.Drain(short), context.DeadlineExceeded, "Kafka is away")
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "too-late").Outcome)
	got := fakes.Outcomes(<-answers)
	require.Equal(t, 300, got["held"]+got["unavailable"])
	require.Equal(t, int64(got["held"]), w.Shelf(b).Taken, "only held purchases have taken units")
}

// Owners, holdings and units of buckets with and without orders.
func TestEngineLooksUp(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5000, 2)
	want := fakes.Buyers("owner", 2500)
	require.Equal(t, 2500, fakes.Outcomes(w.BuyAll(b, want))["queued"])
	found := map[string]bool{}
	require.NoError(t, w.engine.Owners(context.Background(), b, func(buyer string, numbers []int) error {
		require.Equal(t, []int{1}, numbers)
		found[buyer] = true
		return nil
	}))
	require.Len(t, found, len(want))
	require.Equal(t, int64(2500), w.Shelf(b).Available)
	none, err := w.engine.Holdings(context.Background(), b, "nobody")
	require.NoError(t, err)
	require.Empty(t, none)
	p := w.Purchase(b, "owner-1")
	p.Key = "with, a comma"
	second := w.engine.Reserve(p)
	holdings, err := w.engine.Holdings(context.Background(), b, "owner-1")
	require.NoError(t, err)
	require.Len(t, holdings, 2)
	require.Equal(t, second.OrderID, holdings[1].OrderID)
	require.Equal(t, "with, a comma", holdings[1].Key)
	require.Equal(t, second.CreatedAt, holdings[1].CreatedAt)
	require.Zero(t, w.Reading(sale.Bucket{Sale: "sale", Number: 9}).Epoch)
	require.WithinDuration(t, time.Now(), w.engine.Now(), time.Second)
}
