package reserve

// maxPresses bounds the presses of one buyer that wait on a shelf or are under way from it; one more is refused.
const maxPresses = 64

// presses are one buyer's presses on a shelf: at most one of them is under way to Redis, and the others wait for the one
// before. A script that had to read a buyer's orders again for each of many presses would keep Redis from everybody else.
type presses struct {
	buyer    string
	count    int // that wait, and the one under way
	underWay bool
}

// lineUp counts a press of its buyer; the caller holds the lock. It refuses where too many wait already.
func (q *bucketQueue) lineUp(r *request) bool {
	line := q.lines[r.purchase.Buyer]
	switch {
	case line == nil:
		line = q.spareLine()
		line.buyer = r.purchase.Buyer
		q.lines[line.buyer] = line
		q.ready++
	case line.count == maxPresses:
		return false
	}
	line.count++
	r.line = line
	return true
}

// spareLine returns one that nobody uses.
func (q *bucketQueue) spareLine() *presses {
	last := len(q.spareLines) - 1
	if last < 0 {
		return new(presses)
	}
	line := q.spareLines[last]
	q.spareLines = q.spareLines[:last]
	return line
}

// gone forgets a press that neither waits any more nor is under way; the caller holds the lock.
func (q *bucketQueue) forget(line *presses) {
	if line.count--; line.count == 0 {
		q.ready--
		delete(q.lines, line.buyer)
		*line = presses{}
		if len(q.spareLines) < q.engine.BatchMaxOrders {
			q.spareLines = append(q.spareLines, line)
		}
	}
}

// choose moves the next batch from the shelf into batch: purchases of one epoch, list and rule, in their order, of each
// buyer the first if none of his is under way. The caller holds the lock.
func (q *bucketQueue) takeBatch(batch []*request) []*request {
	left := q.pending[:0]
	for i, r := range q.pending {
		if len(batch) == q.engine.BatchMaxOrders || (len(batch) > 0 && !sameTerms(batch[0], r)) {
			left = append(left, q.pending[i:]...)
			break
		}
		if r.line.underWay {
			left = append(left, r)
			continue
		}
		r.line.underWay = true
		q.ready--
		batch = append(batch, r)
	}
	clear(q.pending[len(left):])
	q.pending = left
	return batch
}

// hold notes whose presses the batch are: a request that has been answered does not tell any more.
func (w *batchWorker) takeLines() {
	for _, r := range w.batch {
		w.lines = append(w.lines, r.line)
		r.line = nil
	}
}

// letNext lets the next presses of the batch's buyers go on, once for each batch: Redis has decided these presses, or they
// go no further.
func (w *batchWorker) letNext() {
	if len(w.lines) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, line := range w.lines {
		line.underWay = false
		w.ready++
		w.forget(line)
		w.lines[i] = nil
	}
	w.lines = w.lines[:0]
}
