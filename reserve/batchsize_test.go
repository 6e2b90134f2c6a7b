package reserve

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// enqueueLines puts a press of a new buyer into the queue that has so many lines.
func (q *bucketQueue) enqueueLines(t *testing.T, lines int) {
	t.Helper()
	r := q.enqueue(t, fmt.Sprint("buyer ", len(q.lines)), time.Now())
	r.purchase.Lines = make([]sale.Line, lines)
	q.pendingLines += lines
}

// sizes takes all batches and returns how many purchases each has.
func (q *bucketQueue) sizes() (sizes []int) {
	for {
		w := &batchWorker{engine: q.engine, queue: q}
		if !q.next(w) {
			return sizes
		}
		sizes = append(sizes, len(w.batch))
	}
}

// A batch ends before the purchase that would exceed the lines of a record, even where a later one would fit.
func TestABatchHasTheLinesOfARecord(t *testing.T) {
	q := queueOf(sale.MaxRecordOrders)
	for range 99 {
		q.enqueueLines(t, sale.MaxLines)
	}
	q.enqueueLines(t, 19) // 1,999 lines
	for _, lines := range []int{2, 1, 1} {
		q.enqueueLines(t, lines)
	}
	require.Equal(t, []int{100, 3}, q.sizes())
	require.Zero(t, q.pendingLines)

	for range 150 {
		q.enqueueLines(t, sale.MaxLines)
	}
	require.Equal(t, []int{100, 50}, q.sizes())
	for range sale.MaxRecordOrders + 1 {
		q.enqueueLines(t, 2)
	}
	require.Equal(t, []int{sale.MaxRecordOrders, 1}, q.sizes(), "both bounds at once")
}

// A batch is full when either bound is reached: a second worker takes it at once, and a worker that waits for more takes it.
func TestABatchIsFullByItsLines(t *testing.T) {
	q := queueOf(sale.MaxRecordOrders)
	require.Equal(t, sale.MaxRecordOrders, q.batchSize(), "nothing waits")
	for range 99 {
		q.enqueueLines(t, sale.MaxLines)
	}
	require.Equal(t, 100, q.batchSize())
	q.workers = 2
	require.False(t, q.next(&batchWorker{engine: q.engine, queue: q}), "the other worker takes it")
	require.True(t, q.waitForMore(50))
	require.Equal(t, 100, q.wanted)
	purchase := sale.Purchase{Buyer: "last", Lines: make([]sale.Line, sale.MaxLines)}
	_, refused := q.put(&request{purchase: purchase, done: make(chan struct{}, 1)})
	require.False(t, refused)
	require.Len(t, q.enough, 1, "the worker that waits takes it")
	q.workers = 2
	w := &batchWorker{engine: q.engine, queue: q}
	require.True(t, q.next(w))
	require.Len(t, w.batch, 100)
	require.Zero(t, q.pendingLines)
}

// Purchases that waited too long do not count for the size of a batch.
func TestExpiredPurchasesHaveNoLines(t *testing.T) {
	q := queueOf(8)
	q.enqueueLines(t, sale.MaxLines)
	q.enqueueLines(t, 3)
	q.pending[0].arrivedAt = time.Now().Add(-2 * queueWait)
	q.expire(time.Now())
	require.Equal(t, 3, q.pendingLines)
}
