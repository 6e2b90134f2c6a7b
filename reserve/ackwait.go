package reserve

import "time"

// ackWait is the wait of a flow for Kafka. A purchase that comes meanwhile may be refused, which Kafka has no part in, so a
// flow that waits longer than an acknowledgement usually takes steps aside: others take the next batches to the script.
type ackWait struct {
	flow  *batchWorker
	timer *time.Timer
	rest  time.Duration // of the wait, once the flow has tried to step aside
	aside bool
}

// slowAck is how long a flow waits before it steps aside. Where the whole wait is long it is longer, so that no more than
// slowAcks batches of a bucket wait aside.
const (
	slowAck  = 50 * time.Millisecond
	slowAcks = 24
)

func newAckWait(f *batchWorker, whole time.Duration) *ackWait {
	first := min(max(slowAck, whole/slowAcks), whole)
	return &ackWait{flow: f, timer: time.NewTimer(first), rest: whole - first}
}

// on waits for the acknowledgement of a parcel or for the end of the whole wait, and reports which came.
func (w *ackWait) on(p *publication) bool {
	if p.await(w.timer.C) {
		return true
	}
	if w.rest <= 0 {
		return false
	}
	w.aside = w.flow.stepAside()
	w.timer.Reset(w.rest)
	w.rest = 0
	return p.await(w.timer.C)
}

func (w *ackWait) end() {
	w.timer.Stop()
	if w.aside {
		w.flow.stepBack()
	}
}
