package reserve

import (
	"time"

	"flashsale/scripts"
)

// seen returns the highest sequence that a reply has shown in an epoch, 0 for another epoch than the newest.
func (q *bucketQueue) seen(epoch int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.highestIn(epoch)
}

func (q *bucketQueue) highestIn(epoch int64) int64 {
	if epoch != q.epoch {
		return 0
	}
	return q.highest
}

// learn keeps the highest sequence of the newest epoch.
func (q *bucketQueue) learn(epoch, sequence int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.learnLocked(epoch, sequence)
}

func (q *bucketQueue) learnLocked(epoch, sequence int64) {
	switch {
	case epoch > q.epoch:
		q.epoch, q.highest = epoch, sequence
	case epoch == q.epoch:
		q.highest = max(q.highest, sequence)
	}
}

// takeTrims moves up to maxTrims entries from the queue into trims; the caller holds the lock.
func (q *bucketQueue) takeTrims(trims []scripts.Trim) []scripts.Trim {
	n := min(len(q.trims), maxTrims)
	trims = append(trims[:0], q.trims[:n]...)
	q.trims = q.trims[:copy(q.trims, q.trims[n:])]
	return trims
}

// idleTrims is takeTrims for the janitor: none while a worker is at work, which takes them along.
func (q *bucketQueue) idleTrims() []scripts.Trim {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.workers > 0 {
		return nil
	}
	return q.takeTrims(nil)
}

// addTrims leaves entries for the next call or the janitor, whichever comes first. Deleting an entry twice changes nothing.
func (q *bucketQueue) addTrims(trims ...scripts.Trim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trims = append(q.trims, trims...)
	q.addToJanitor()
}

// addToJanitor has the janitor look after the queue; the caller holds the lock.
func (q *bucketQueue) addToJanitor() {
	if !q.inJanitor {
		q.inJanitor = true
		q.engine.janitor.add(q)
	}
}

// leaveJanitor ends the janitor's work on the queue when it is idle: no worker, purchase, trim or acknowledged write is left. It
// reports whether it did.
func (q *bucketQueue) leaveJanitor() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.workers+q.waitingAside > 0 || len(q.pending) > 0 || len(q.trims) > 0 || len(q.acked) > 0 {
		return false
	}
	q.inJanitor = false
	return true
}

// ackedWrites are the batches of one bucket that Kafka has acknowledged to this gateway while their entries may still be
// in the journal, or were when the gateway made an answer that is on its way. Their orders are queued, whatever the journal
// says: a buyer who was told queued must not read held afterwards. The value is when the entry was trimmed, zero before.
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
	defer q.mu.Unlock()
	q.acked[t.WriteID] = time.Time{}
	q.trims = append(q.trims, t)
	q.addToJanitor()
}

// trimmed notes that entries are gone from the journal.
func (q *bucketQueue) trimmed(trims []scripts.Trim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.markTrimmed(trims, time.Now())
}

func (q *bucketQueue) markTrimmed(trims []scripts.Trim, now time.Time) {
	if len(trims) == 0 {
		return
	}
	for _, t := range trims {
		q.acked[t.WriteID] = now
	}
	q.addToJanitor()
}

// queued reports whether Kafka has acknowledged a batch to this gateway a short while ago.
func (q *bucketQueue) queued(at scripts.WriteID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, acked := q.acked[at]
	return acked
}
