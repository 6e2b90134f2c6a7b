package reserve

import "time"

// batchfill lets a worker wait for a fuller batch: when the purchases of the last batch and those that wait would fill three
// quarters of a batch, it waits until seven eighths of them wait, but not longer than BatchMaxWait after the last batch
// began. A batch costs Redis, Kafka and the gateway about the same whether it is half full or full. With fewer purchases
// under way no worker waits, so an idle or a moderately busy engine answers as soon as it can.
func (w *batchWorker) batchfill(last int, began time.Time) {
	wait := w.engine.BatchMaxWait - time.Since(began)
	if wait <= 0 || !w.queue.waitForMore(last) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.queue.enough:
	case <-timer.C:
		w.queue.cancelWait()
	}
}

// waitForMore has put signal when enough purchases wait. It reports whether the wait is worth it.
func (q *bucketQueue) waitForMore(last int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	underWay, full := last+q.ready, q.batchSize()
	wanted := min(underWay*7/8, full)
	if q.workers > 1 || underWay < full*3/4 || q.ready >= wanted {
		return false
	}
	q.wanted = wanted
	return true
}

// signalIfFull signals the worker that waits when enough purchases wait; the caller holds the lock.
func (q *bucketQueue) signalIfFull() {
	if q.wanted > 0 && q.ready >= min(q.wanted, q.batchSize()) {
		q.wanted = 0
		q.enough <- struct{}{}
	}
}

// cancelWait undoes waitForMore, and takes the signal back that put has sent meanwhile.
func (q *bucketQueue) cancelWait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.wanted == 0 {
		<-q.enough
	}
	q.wanted = 0
}
