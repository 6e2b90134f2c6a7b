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

// gatherer is a flow on a shelf whose batches hold eight, without any server.
func gatherer() *batchWorker {
	s := queueOf(8)
	s.engine.BatchMaxWait = 5 * time.Millisecond
	return &batchWorker{engine: s.engine, queue: s}
}

// come has so many buyers press who have no press here yet.
func (w *batchWorker) come(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.queue.mu.Lock()
		buyer := fmt.Sprint(len(w.queue.lines))
		w.queue.mu.Unlock()
		_, refused := w.queue.put(&request{purchase: sale.Purchase{Buyer: buyer}, done: make(chan struct{}, 1)})
		require.False(t, refused)
	}
}

// A flow waits while three quarters of a batch are under way, until seven eighths of those wait or its time is over, and it
// counts the time since its last batch began.
func TestBatchfill(t *testing.T) {
	for _, c := range []struct {
		name                  string
		last, waiting, coming int
		since, want           time.Duration
	}{
		{name: "few are under way", last: 4, waiting: 1},
		{name: "three quarters are under way and come back", last: 4, waiting: 2, coming: 3, want: time.Millisecond},
		{name: "those under way do not come back", last: 6, want: 5 * time.Millisecond},
		{name: "not all of them come back", last: 6, coming: 4, want: 5 * time.Millisecond},
		{name: "the last batch took a while", last: 6, since: 3 * time.Millisecond, want: 2 * time.Millisecond},
		{name: "the last batch took longer than anybody waits", last: 6, since: 6 * time.Millisecond},
		{name: "enough wait already", last: 1, waiting: 7},
		{name: "more than a batch is under way", last: 8, waiting: 4, coming: 4, want: time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := gatherer()
				f.come(t, c.waiting)
				began := time.Now()
				go func() {
					role.Pause(t.Context(), time.Millisecond)
					f.come(t, c.coming)
				}()
				f.batchfill(c.last, began.Add(-c.since))
				require.Equal(t, c.want, time.Since(began))
				synctest.Wait()
				require.Zero(t, f.queue.wanted)
				require.Empty(t, f.queue.enough, "no word is left for the next time")
				require.Equal(t, 1, f.queue.workers, "who comes meanwhile starts no other flow")
				role.Pause(t.Context(), 2*time.Millisecond)
			})
		})
	}
}

// Where another flow works, or waiting is switched off, nothing waits.
func TestBatchfillAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := gatherer()
		f.queue.workers = 2
		f.batchfill(8, began)
		f = gatherer()
		f.engine.BatchMaxWait = 0
		f.batchfill(8, began)
		require.Equal(t, began, time.Now())
	})
}

// The word that enough wait and the end of the time may come together: neither is lost, and none is left over.
func TestExpectNoMoreTakesTheWordBack(t *testing.T) {
	f := gatherer()
	require.True(t, f.queue.waitForMore(6))
	f.come(t, 5)
	require.Len(t, f.queue.enough, 1)
	f.queue.cancelWait()
	require.Empty(t, f.queue.enough)
	require.True(t, f.queue.waitForMore(8))
	f.queue.cancelWait()
	require.Zero(t, f.queue.wanted)
	f.come(t, 2)
	require.Empty(t, f.queue.enough)
}

// Of a crowd of six where a batch holds eight, five have to be back before the next batch begins: four wait for the fifth.
func TestEngineFillsBatches(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) {
		o.AckTimeout, o.BatchMaxOrders, o.BatchMaxWait = 4*time.Second, 8, 3*time.Second
	})
	b := w.stock("phone", 100, 1)
	answers := make(chan []sale.Answer, 4)
	press := func(name string, n int) { go func() { answers <- w.buyAll(b, buyers(name, n)) }() }
	shelf := w.engine.queue(w.purchase(b, "any"))
	state := func() [2]int {
		shelf.mu.Lock()
		defer shelf.mu.Unlock()
		return [2]int{len(shelf.pending), shelf.wanted}
	}

	w.kafka.GoAway()
	press("first", 1)
	eventually(t, func() bool { return len(w.kafka.Attempted()) == 1 }, "the first batch is published")
	press("crowd", 6)
	eventually(t, func() bool { return state() == [2]int{6, 0} }, "the crowd waits for its batch")
	w.kafka.ComeBack()
	eventually(t, func() bool { return state() == [2]int{0, 5} }, "the flow waits for five")
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
