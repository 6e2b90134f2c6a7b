package reserve

import "time"

// ackWait is the wait of a worker for Kafka. A purchase that arrives meanwhile may be refused, and a refusal does not involve
// Kafka. So a worker that waits longer than an acknowledgement usually takes steps aside: others take the next batches to the
// script.
type ackWait struct {
	queue *bucketQueue
	timer *time.Timer
	rest  time.Duration // of the wait, once the worker has tried to step aside
	aside bool
}

// slowAck is how long a worker waits before it steps aside. Where the whole wait is long it is longer, so that no more than
// slowAcks batches of a bucket wait aside.
const (
	slowAck  = 50 * time.Millisecond
	slowAcks = 24
)

func newAckWait(q *bucketQueue, whole time.Duration) *ackWait {
	first := min(max(slowAck, whole/slowAcks), whole)
	return &ackWait{queue: q, timer: time.NewTimer(first), rest: whole - first}
}

// on waits for the acknowledgement of a publication until the whole wait is over, and reports whether Kafka acknowledged.
func (w *ackWait) on(p *publication) bool {
	if p.await(w.timer.C) {
		return true
	}
	if w.rest <= 0 {
		return false
	}
	w.aside = w.queue.stepAside()
	w.timer.Reset(w.rest)
	w.rest = 0
	return p.await(w.timer.C)
}

func (w *ackWait) end() {
	w.timer.Stop()
	if w.aside {
		w.queue.stepBack()
	}
}
