package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
)

// shop is a world whose one bucket has three SKUs.
func shop(t *testing.T, set func(*EngineOptions), units ...int64) (*world, sale.Bucket) {
	w := newWorld(t, set)
	return w, w.StockAll(3, []string{"phone", "case", "cable"}, units)[0]
}

// One batch has purchases of several SKUs and of one and several lines, and its record has all of them as they were pressed.
func TestABatchMixesSKUsAndLines(t *testing.T) {
	w, b := shop(t, func(o *EngineOptions) { o.AckTimeout = 4 * time.Second }, 10, 10, 10)
	w.Kafka.GoAway()
	first := make(chan sale.Answer, 1)
	go func() { first <- w.Buy(b, "first") }()
	fakes.Eventually(t, func() bool { return len(w.Kafka.Attempted()) == 1 }, "the first batch is published")
	baskets := map[string][]sale.Line{
		"anna": {w.Line("phone", 1)}, "bert": {w.Line("cable", 3)}, "carl": {w.Line("cable", 2), w.Line("phone", 1)},
		"dora": {w.Line("case", 1), w.Line("cable", 1), w.Line("phone", 2)}, "emil": {w.Line("case", 1)},
	}
	answers := make(chan sale.Answer, len(baskets))
	for buyer, lines := range baskets {
		go func() { answers <- w.engine.Reserve(w.Basket(b, buyer, lines...)) }()
	}
	queue := w.engine.queue(w.Purchase(b, "any"))
	waiting := func() int { queue.mu.Lock(); defer queue.mu.Unlock(); return len(queue.pending) }
	fakes.Eventually(t, func() bool { return waiting() == len(baskets) }, "all wait")
	w.Kafka.ComeBack()
	require.Equal(t, sale.OutcomeQueued, (<-first).Outcome)
	for range baskets {
		require.Equal(t, sale.OutcomeQueued, (<-answers).Outcome)
	}
	batches := w.Kafka.Batches()
	require.Len(t, batches, 2)
	require.Len(t, batches[1].Orders, len(baskets))
	for _, o := range batches[1].Orders {
		require.True(t, sale.SameLines(baskets[o.Buyer], o.Lines), "%s: %+v", o.Buyer, o.Lines)
		require.Equal(t, sale.TotalCents(baskets[o.Buyer]), sale.TotalCents(o.Lines))
	}
	left := []int64{w.ShelfOf(b, "phone").Available, w.ShelfOf(b, "case").Available, w.ShelfOf(b, "cable").Available}
	require.Equal(t, []int64{5, 8, 4}, left)
	require.Equal(t, int64(13), w.DB.Settled(b))
}

// An order of several lines is taken whole or not at all, and a refusal names the SKU of the first line at fault.
func TestABasketIsTakenWholeOrNotAtAll(t *testing.T) {
	w, b := shop(t, nil, 5, 2, 0)
	press := func(buyer string, lines ...sale.Line) sale.Answer {
		return w.engine.Reserve(w.Basket(b, buyer, lines...))
	}
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "case", Available: 2},
		press("anna", w.Line("phone", 1), w.Line("case", 3), w.Line("cable", 1)))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "cable"},
		press("anna", w.Line("phone", 1), w.Line("case", 2), w.Line("cable", 1)))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeOverLimit, Scope: sale.ScopeSKU, SKU: "case", Limit: 3},
		press("anna", w.Line("phone", 1), w.Line("case", 4)))
	require.Equal(t, int64(5), w.Shelf(b).Available)
	taken := press("anna", w.Line("phone", 3), w.Line("case", 2))
	require.Equal(t, sale.OutcomeQueued, taken.Outcome)
	require.Equal(t, sale.Answer{
		Outcome: sale.OutcomeAlreadyBought, Scope: sale.ScopeSKU, SKU: "phone", Limit: 3, Bought: 3, OrderID: taken.OrderID,
	}, press("anna", w.Line("cable", 1), w.Line("phone", 1)), "before the stock is looked at")
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "case"}, press("bert", w.Line("phone", 1), w.Line("case", 1)))
	require.Equal(t, sale.OutcomeQueued, press("bert", w.Line("phone", 1)).Outcome)
}

// A key belongs to a sale: the same lines in any order are a replay, other lines are not.
func TestAKeyBelongsToTheLines(t *testing.T) {
	w, b := shop(t, nil, 5, 5, 5)
	press := func(lines ...sale.Line) sale.Answer {
		p := w.Basket(b, "anna", lines...)
		p.Key = "a key"
		return w.engine.Reserve(p)
	}
	taken := press(w.Line("phone", 1), w.Line("case", 2))
	require.Equal(t, sale.OutcomeQueued, taken.Outcome)
	replay := press(w.Line("case", 2), w.Line("phone", 1))
	require.Equal(t, []any{sale.OutcomeReplayed, taken.OrderID}, []any{replay.Outcome, replay.OrderID})
	reused := sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: taken.OrderID}
	require.Equal(t, reused, press(w.Line("phone", 1)))
	require.Equal(t, reused, press(w.Line("cable", 1)))
	holding := w.holding(b, "anna")
	require.Equal(t, []sale.Line{{Number: 1, Quantity: 1}, {Number: 2, Quantity: 2}}, holding.Lines)
	var owned []int
	require.NoError(t, w.engine.Owners(context.Background(), b, func(buyer string, numbers []int) error {
		require.Equal(t, "anna", buyer)
		owned = numbers
		return nil
	}))
	require.Equal(t, []int{1, 2}, owned)
}

// A purchase of an item that the outbox has not brought to Redis yet waits for it, and the bucket is not in doubt. Purchases of
// other SKUs are sold meanwhile.
func TestANewSKUIsAwaited(t *testing.T) {
	w, b := shop(t, nil, 5, 5, 5)
	w.Sale.Items = append(w.Sale.Items, sale.Item{SKU: "new", PriceCents: 5})
	w.Sale = w.DB.PutSale(w.Sale)
	answer := make(chan sale.Answer, 1)
	go func() { answer <- w.engine.Reserve(w.Basket(b, "anna", w.Line("phone", 1), w.Line("new", 2))) }()
	queue := w.engine.queue(w.Purchase(b, "any"))
	aside := func() int { queue.mu.Lock(); defer queue.mu.Unlock(); return queue.waitingAside }
	fakes.Eventually(t, func() bool { return aside() == 1 }, "the batch waits")
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "bert").Outcome)
	line := w.Line("new", 1)
	w.DB.ChangeUnits(b, "new", func(units *sale.ShelfCounters) { units.Loaded = 3 })
	w.DB.Give(b, sale.OutboxRow{Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{
		{SKU: "new", Units: 3, Number: line.Number, Limit: 3},
	}})
	w.applyOutbox()
	require.Equal(t, sale.OutcomeQueued, (<-answer).Outcome)
	require.Equal(t, int64(1), w.ShelfOf(b, "new").Available)
	require.Empty(t, w.DB.Reported())
}

// After a lost reply the record of several lines is written anew with the same bytes as in the journal, so it settles once.
func TestALostReplyOfBasketsIsAskedForAgain(t *testing.T) {
	w, proxy := newLossyWorld(t)
	b := w.StockAll(3, []string{"phone", "case"}, []int64{10, 10})[0]
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	w.Kafka.GoAway() // the entry stays in the journal until it was compared
	proxy.loseNextReply()
	answer := make(chan sale.Answer, 1)
	go func() { answer <- w.engine.Reserve(w.Basket(b, "anna", w.Line("case", 2), w.Line("phone", 1))) }()
	published := func() [][]byte { return w.Kafka.Attempted() }
	fakes.Eventually(t, func() bool { return len(published()) == 2 }, "the restored record is published")
	journal, err := w.Redis.JournalFrom(context.Background(), w.Redis.Keys(b), scripts.JournalBeginning, 10)
	require.NoError(t, err)
	require.Equal(t, string(journal[len(journal)-1].Record), string(published()[1]))
	w.Kafka.ComeBack()
	require.Contains(t, []sale.Outcome{sale.OutcomeQueued, sale.OutcomeHeld}, (<-answer).Outcome)
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
	require.Equal(t, int64(4), w.DB.Settled(b))
	require.Equal(t, []int64{8, 8}, []int64{w.ShelfOf(b, "phone").Available, w.ShelfOf(b, "case").Available})
	require.Positive(t, proxy.lost())
}
