package reserve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// queueOf is a queue of small batches with one worker, without any server.
func queueOf(batch int) *bucketQueue {
	return &bucketQueue{
		engine: &Engine{EngineOptions: EngineOptions{BatchMaxOrders: batch}, gate: newGate()},
		lines:  map[string]*presses{}, workers: 1, enough: make(chan struct{}, 1), inJanitor: true,
	}
}

// enqueue puts a press into the queue of which only buyer and age matter, and starts no worker.
func (q *bucketQueue) enqueue(t testing.TB, buyer string, arrivedAt time.Time) *request {
	t.Helper()
	r := &request{purchase: sale.Purchase{Buyer: buyer}, arrivedAt: arrivedAt, done: make(chan struct{}, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	require.True(t, q.lineUp(r))
	q.pending = append(q.pending, r)
	return r
}

// buyersOfNext takes the worker's next batch and returns its buyers.
func (w *batchWorker) buyersOfNext() (buyers string) {
	w.queue.next(w)
	for _, r := range w.batch {
		buyers += r.purchase.Buyer
	}
	return buyers
}

// letNext ends the script phase of the worker's batch.
func (w *batchWorker) letNext() { w.queue.decided(w, false, 0, 0) }

// One press of a buyer at a time is under way. The others wait for it, in their order, and delay no other buyer.
func TestOnePressOfABuyerIsUnderWay(t *testing.T) {
	q := queueOf(3)
	q.workers = 2
	for _, buyer := range []string{"a", "a", "b", "a", "c", "d", "e", "f"} {
		q.enqueue(t, buyer, time.Now())
	}
	one, two := &batchWorker{engine: q.engine, queue: q}, &batchWorker{engine: q.engine, queue: q}
	require.Equal(t, "abc", one.buyersOfNext())
	require.Equal(t, "def", two.buyersOfNext())
	require.Len(t, q.pending, 2)
	require.Zero(t, q.ready, "both are of a buyer who has one under way")
	require.Equal(t, "", two.buyersOfNext())
	require.Equal(t, 1, q.workers, "a worker without a purchase to take ends")
	two.letNext()
	one.letNext()
	require.Equal(t, "a", one.buyersOfNext())
	one.letNext()
	one.letNext()
	require.Equal(t, "a", one.buyersOfNext())
	one.letNext()
	require.Equal(t, "", one.buyersOfNext())
	require.Zero(t, q.workers)
	require.Empty(t, q.lines)
	require.Zero(t, q.ready)
	require.LessOrEqual(t, len(q.spareLines), 3, "as many as a batch")
}

// The waiting presses of one buyer are bounded, and other buyers are not refused because of them. A press that waits too long
// is not counted any more.
func TestPressesOfABuyerAreBounded(t *testing.T) {
	q := queueOf(8)
	old := time.Now().Add(-2 * queueWait)
	for range maxPresses {
		q.enqueue(t, "a", old)
	}
	outcome, refused := q.put(&request{purchase: sale.Purchase{Buyer: "a"}})
	require.True(t, refused)
	require.Equal(t, sale.OutcomeRateLimited, outcome)
	q.enqueue(t, "b", time.Now())
	require.Equal(t, 2, q.ready)
	q.expire(time.Now())
	require.Len(t, q.pending, 1)
	require.Equal(t, 1, q.ready)
	_, refused = q.put(&request{purchase: sale.Purchase{Buyer: "a"}})
	require.False(t, refused)
}

// Of a buyer who presses many times at once, one press at a time is in a call, and each is decided after the one before: with
// one key all but the first get its order, and other buyers are served meanwhile.
func TestEngineDecidesOnePressOfABuyerAtATime(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.BatchMaxOrders = 16 })
	b := w.Stock("phone", 1000, 100)
	crowd := append(fakes.Buyers("crowd", 40), make([]string, maxPresses)...)
	for i := range maxPresses {
		crowd[40+i] = "anna"
	}
	require.Equal(t, map[string]int{"queued": len(crowd)}, fakes.Outcomes(w.BuyAll(b, crowd)))
	for _, batch := range w.Kafka.Batches() {
		of := map[string]int{}
		for _, o := range batch.Orders {
			of[o.Buyer]++
		}
		require.LessOrEqual(t, of["anna"], 1)
	}

	p := w.Purchase(b, "bert")
	p.Key = "a key"
	answers := make(chan sale.Answer, maxPresses)
	for range maxPresses {
		go func() { answers <- w.engine.Reserve(p) }()
	}
	first := map[string]int{}
	orders := map[sale.OrderID]bool{}
	for range maxPresses {
		a := <-answers
		first[a.Outcome.String()]++
		orders[a.OrderID] = true
	}
	require.Equal(t, map[string]int{"queued": 1, "replayed": maxPresses - 1}, first)
	require.Len(t, orders, 1)
}

// entries counts a buyer's entries, and among them the released ones, which have a minus before their lines.
func (w *world) entries(b sale.Bucket, buyer string) (all, released int) {
	w.T.Helper()
	for entry := range strings.SplitSeq(w.Value(b, buyer), `"`) {
		all++
		if _, rest, _ := strings.Cut(entry, ","); strings.HasPrefix(rest, "-") {
			released++
		}
	}
	return all, released
}

// A buyer who buys and cancels is refused after eight orders, whatever the limit: Redis keeps a bounded number of entries, and
// the keys of those eight still answer, also after a rebuild.
func TestCancelledOrdersOfABuyerAreBounded(t *testing.T) {
	for _, limit := range []int{1, 100} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.Stock("phone", 1000, limit)
			press := func(key string) sale.Answer {
				p := w.Purchase(b, "anna")
				p.Key = key
				return w.engine.Reserve(p)
			}
			var taken []sale.Answer
			for i := range sale.MaxReleased {
				taken = append(taken, press(fmt.Sprint("key ", i)))
				require.Equal(t, sale.OutcomeQueued, taken[i].Outcome)
				w.release(b, "anna", fmt.Sprint("key ", i), taken[i])
			}
			for _, stage := range []string{"as released", "rebuilt"} {
				require.Equal(t, sale.Answer{
					Outcome: sale.OutcomeTooManyCancellations, SKU: "phone", Limit: sale.MaxReleased, Unpaid: sale.MaxReleased,
				}, press("another"), stage)
				require.Equal(t, sale.OutcomeTooManyCancellations, press("").Outcome, stage)
				for i := range taken {
					again := press(fmt.Sprint("key ", i))
					require.Equal(t, sale.OutcomeReplayed, again.Outcome, stage)
					require.Equal(t, taken[i].OrderID, again.OrderID, stage)
				}
				require.Equal(t, sale.OutcomeQueued, w.Buy(b, "other of "+stage[:2]).Outcome,
					"a buyer without cancellations may buy")
				w.Rebuild(w.CloseRow(b))
			}
		})
	}
}

// A buyer may own several orders and cancel one after the other, and Redis still keeps a bounded number of entries. The oldest
// is deleted, and its key is refused instead of taking a second order.
func TestSeveralOrdersCancelledAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 1000, 100)
	press := func(key string) sale.Answer {
		p := w.Purchase(b, "anna")
		p.Key = key
		return w.engine.Reserve(p)
	}
	const orders = 20
	var taken []sale.Answer
	for i := range orders {
		taken = append(taken, press(fmt.Sprint("key ", i)))
		require.Equal(t, sale.OutcomeQueued, taken[i].Outcome)
	}
	for i := range orders - 1 {
		w.release(b, "anna", fmt.Sprint("key ", i), taken[i])
	}
	for _, stage := range []string{"as released", "rebuilt"} {
		all, released := w.entries(b, "anna")
		require.Equal(t, [2]int{sale.MaxReleased + 1, sale.MaxReleased}, [2]int{all, released}, stage)
		require.Equal(t, sale.OutcomeTooManyCancellations, press("key 0").Outcome, "%s: deleted, and no second order", stage)
		require.Equal(t, taken[orders-2].OrderID, press(fmt.Sprint("key ", orders-2)).OrderID, stage)
		require.Equal(t, taken[orders-1].OrderID, press(fmt.Sprint("key ", orders-1)).OrderID, "%s: it counts", stage)
		w.Rebuild(w.CloseRow(b))
	}
}

// The operators' rule refuses a buyer after fewer orders, of those made within its window; without the rule eight count.
func TestGriefIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 1000, 1)
	press := func(grief sale.Grief) sale.Answer {
		p := w.Purchase(b, "anna")
		p.Grief = grief
		return w.engine.Reserve(p)
	}
	rule := sale.Grief{Unpaid: 2, WindowS: 3600}
	for range 2 {
		taken := press(rule)
		require.Equal(t, sale.OutcomeQueued, taken.Outcome)
		require.Equal(t, sale.OutcomeAlreadyBought, press(rule).Outcome, "a buyer with an order is told of it")
		w.release(b, "anna", "", taken)
	}
	refused := sale.Answer{Outcome: sale.OutcomeTooManyCancellations, SKU: "phone", Limit: 2, Unpaid: 2}
	require.Equal(t, refused, press(rule))
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, refused, press(rule), "also with the orders of the database")
	made := time.Now()
	fakes.Eventually(t, func() bool { return time.Since(made) > 1100*time.Millisecond }, "the window has passed")
	require.Equal(t, sale.OutcomeQueued, press(sale.Grief{Unpaid: 2, WindowS: 1}).Outcome)
}
