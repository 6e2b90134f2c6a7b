package reserve

import (
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// ackedPlaces are the batches of one bucket that Kafka has acknowledged to this gateway while their entries may still be
// in the journal, or were when an answer that is on its way was made. Their orders are queued, whatever the journal says:
// a buyer who has heard queued must not read held afterwards. The value is when the entry was trimmed, zero before that.
type ackedWrites map[scripts.WriteID]time.Time

// ackedMemory is longer than any reading of the journal takes.
const ackedMemory = 5 * time.Second

func (a ackedWrites) fade(now time.Time) {
	for at, trimmed := range a {
		if !trimmed.IsZero() && now.Sub(trimmed) > ackedMemory {
			delete(a, at)
		}
	}
}

// acknowledge notes a batch that Kafka has, and that its entry is to be trimmed.
func (q *bucketQueue) acknowledge(t scripts.Trim) {
	q.mu.Lock()
	q.acked[t.WriteID] = time.Time{}
	q.mu.Unlock()
	q.addTrims(t)
}

// trimmed notes that entries are gone from the journal.
func (q *bucketQueue) trimmed(trims []scripts.Trim) {
	if len(trims) == 0 {
		return
	}
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range trims {
		q.acked[t.WriteID] = now
	}
	q.addToJanitor()
}

// queued reports whether Kafka has acknowledged the batch at a place to this gateway a short while ago.
func (q *bucketQueue) queued(at scripts.WriteID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, acked := q.acked[at]
	return acked
}

// queued is shelf.queued for a bucket that may have no shelf.
func (e *Engine) queued(b sale.Bucket, at scripts.WriteID) bool {
	e.mu.RLock()
	s := e.queues[b]
	e.mu.RUnlock()
	return s != nil && s.queued(at)
}
