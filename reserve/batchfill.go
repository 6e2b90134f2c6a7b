package reserve

import "time"

// gather lets a flow wait for a fuller batch where one is at hand: when the purchases of the last batch and those that wait
// would fill three quarters of a batch, it waits until seven eighths of them wait, but not longer than BatchMaxWait after
// the last batch began. A batch costs Redis, Kafka and the gateway about the same whether it is half full or full. With
// fewer purchases under way nothing waits, so that an idle or a moderately busy engine answers as soon as it can.
func (w *batchWorker) batchfill(last int, began time.Time) {
	wait := w.engine.BatchMaxWait - time.Since(began)
	if wait <= 0 || !w.waitForMore(last) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.enough:
	case <-timer.C:
		w.cancelWait()
	}
}

// expect has put tell when enough purchases wait. It reports whether that is worth waiting for.
func (q *bucketQueue) waitForMore(last int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	underWay, full := last+q.ready, q.engine.BatchMaxOrders
	wanted := min(underWay*7/8, full)
	if q.workers > 1 || underWay < full*3/4 || q.ready >= wanted {
		return false
	}
	q.wanted = wanted
	return true
}

// arrived tells the flow that gathers when enough wait; the caller holds the lock.
func (q *bucketQueue) signalIfFull() {
	if q.wanted > 0 && q.ready >= q.wanted {
		q.wanted = 0
		q.enough <- struct{}{}
	}
}

// expectNoMore takes back what expect has asked for, and the word that came meanwhile.
func (q *bucketQueue) cancelWait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.wanted == 0 {
		<-q.enough
	}
	q.wanted = 0
}
