package reserve

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/role"
	"flashsale/sale"
)

// workerOfEight is a worker, and the only one, of a queue whose batches have eight purchases, without any server.
func workerOfEight() *batchWorker {
	q := queueOf(8)
	q.engine.BatchMaxWait = 5 * time.Millisecond
	return &batchWorker{engine: q.engine, queue: q}
}

// press puts purchases of so many new buyers into the queue.
func (w *batchWorker) press(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.queue.mu.Lock()
		buyer := fmt.Sprint(len(w.queue.lines))
		w.queue.mu.Unlock()
		_, refused := w.queue.put(&request{purchase: sale.Purchase{Buyer: buyer}, done: make(chan struct{}, 1)})
		require.False(t, refused)
	}
}

// A worker waits while three quarters of a batch are under way, until seven eighths of those wait or its time is over. It
// counts the time from the beginning of its last batch.
func TestBatchfill(t *testing.T) {
	for _, c := range []struct {
		name                  string
		last, waiting, coming int
		since, want           time.Duration
	}{
		{name: "few are under way", last: 4, waiting: 1},
		{name: "three quarters are under way and return", last: 4, waiting: 2, coming: 3, want: time.Millisecond},
		{name: "those under way do not return", last: 6, want: 5 * time.Millisecond},
		{name: "not all of them return", last: 6, coming: 4, want: 5 * time.Millisecond},
		{name: "the last batch took a while", last: 6, since: 3 * time.Millisecond, want: 2 * time.Millisecond},
		{name: "the last batch took longer than the longest wait", last: 6, since: 6 * time.Millisecond},
		{name: "enough wait already", last: 1, waiting: 7},
		{name: "more than a batch is under way", last: 8, waiting: 4, coming: 4, want: time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workerOfEight()
				w.press(t, c.waiting)
				began := time.Now()
				go func() {
					role.Pause(t.Context(), time.Millisecond)
					w.press(t, c.coming)
				}()
				w.batchfill(c.last, began.Add(-c.since))
				require.Equal(t, c.want, time.Since(began))
				synctest.Wait()
				require.Zero(t, w.queue.wanted)
				require.Empty(t, w.queue.enough, "no signal is left over")
				require.Equal(t, 1, w.queue.workers, "purchases that arrive meanwhile start no other worker")
				role.Pause(t.Context(), 2*time.Millisecond)
			})
		})
	}
}

// A worker does not wait while another one works, or when waiting is switched off.
func TestBatchfillAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := workerOfEight()
		w.queue.workers = 2
		w.batchfill(8, began)
		w = workerOfEight()
		w.engine.BatchMaxWait = 0
		w.batchfill(8, began)
		require.Equal(t, began, time.Now())
	})
}

// The signal and the end of the time may coincide: no signal is lost, and none is left over.
func TestCancelWaitTakesTheSignalBack(t *testing.T) {
	w := workerOfEight()
	require.True(t, w.queue.waitForMore(6))
	w.press(t, 5)
	require.Len(t, w.queue.enough, 1)
	w.queue.cancelWait()
	require.Empty(t, w.queue.enough)
	require.True(t, w.queue.waitForMore(8))
	w.queue.cancelWait()
	require.Zero(t, w.queue.wanted)
	w.press(t, 2)
	require.Empty(t, w.queue.enough)
}

// With a crowd of six and batches of eight, five have to be back before the next batch begins: four wait for the fifth.
func TestEngineFillsBatches(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) {
		o.AckTimeout, o.BatchMaxOrders, o.BatchMaxWait = 4*time.Second, 8, 3*time.Second
	})
	b := w.stock("phone", 100, 1)
	answers := make(chan []sale.Answer, 4)
	press := func(name string, n int) { go func() { answers <- w.buyAll(b, buyers(name, n)) }() }
	queue := w.engine.queue(w.purchase(b, "any"))
	state := func() [2]int {
		queue.mu.Lock()
		defer queue.mu.Unlock()
		return [2]int{len(queue.pending), queue.wanted}
	}

	w.kafka.GoAway()
	press("first", 1)
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 1 }, "the first batch is published")
	press("crowd", 6)
	eventually(t, func() bool { return state() == [2]int{6, 0} }, "the crowd waits for its batch")
	w.kafka.ComeBack()
	eventually(t, func() bool { return state() == [2]int{0, 5} }, "the worker waits for five")
	press("back", 4)
	eventually(t, func() bool { return state() == [2]int{4, 5} }, "four are not enough")
	press("fifth", 1)
	taken := 0
	for range 4 {
		taken += outcomes(<-answers)["queued"]
	}
	require.Equal(t, 12, taken)
	sizes := []int{}
	for _, batch := range w.kafka.Batches() {
		sizes = append(sizes, len(batch.Orders))
	}
	require.Equal(t, []int{1, 6, 5}, sizes)
}
