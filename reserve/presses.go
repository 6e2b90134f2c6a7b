package reserve

// maxPresses bounds the presses of one buyer that wait in a queue or are under way from it; one more is refused.
const maxPresses = 64

// presses are one buyer's presses in a queue: at most one of them is under way to Redis, and the others wait for it. A script
// that had to read a buyer's orders again for each of many presses would keep Redis from every other buyer.
type presses struct {
	buyer    string
	count    int // the waiting ones, and the one under way
	underWay bool
}

// lineUp counts a press of its buyer; the caller holds the lock. It refuses the press when too many wait already.
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

// spareLine returns presses that no buyer uses.
func (q *bucketQueue) spareLine() *presses {
	last := len(q.spareLines) - 1
	if last < 0 {
		return new(presses)
	}
	line := q.spareLines[last]
	q.spareLines = q.spareLines[:last]
	return line
}

// forget uncounts a press that neither waits nor is under way any more; the caller holds the lock.
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

// takeBatch moves a batch from the queue to a worker: as many purchases as fit, in their order, of each buyer the first if
// none of that buyer is under way. The worker keeps the buyers' presses by itself, because it must not read a
// request that has been answered. The caller holds the lock.
func (q *bucketQueue) takeBatch(w *batchWorker) {
	left, lines := q.pending[:0], 0
	for i, r := range q.pending {
		if !q.fits(w.batch, lines, r) {
			left = append(left, q.pending[i:]...)
			break
		}
		if r.line.underWay {
			left = append(left, r)
			continue
		}
		r.line.underWay = true
		q.ready--
		lines += len(r.purchase.Lines)
		w.batch, w.lines = append(w.batch, r), append(w.lines, r.line)
		r.line = nil
	}
	clear(q.pending[len(left):])
	q.pending = left
	q.pendingLines -= lines
}

// releaseLines allows the next presses of a batch's buyers: Redis has decided these presses, or they end undecided. The caller
// holds the lock.
func (q *bucketQueue) releaseLines(w *batchWorker) {
	for i, line := range w.lines {
		line.underWay = false
		q.ready++
		q.forget(line)
		w.lines[i] = nil
	}
	w.lines = w.lines[:0]
}
