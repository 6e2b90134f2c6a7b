package protocol

import "math/bits"

// Steps of a rebuild: the one that comes next. (f) and (g) consist of several writes and reads, with other steps between
// them.
const (
	resting = iota
	stepB
	stepCRead
	stepCPublish
	stepDWrite
	stepDWait
	stepE
	stepFBegin
	stepFBuyers
	stepFOpen
	stepG
	stepH
)

// rebuilding takes every control role of a bucket one step further.
func (x *expansion) rebuilding(k int) {
	for c := range actors {
		at := &x.from.controls[k][c]
		if at.step == resting {
			x.takeUp(k, c)
			continue
		}
		x.step(k, c)
		if t := *x.from; t.spend(ControlDies) {
			t.controls[k][c] = control{}
			x.to(&t, false, "the control role dies", c, record{})
		}
	}
}

// takeUp is (a): a control role that finds a bucket not open closes it and remembers the epoch. A second control role works
// only after it has acquired the lease of one that stalls.
func (x *expansion) takeUp(k, c int) {
	t := *x.from
	row := &t.rows[k]
	other := x.from.controls[k][1-c].step != resting
	fair := row.state != open && !other && c == 0
	switch {
	case other && !t.spend(Takeover), !other && c == 1:
		return
	case row.state == open && !(x.suffers(k) && t.spend(FalseAlarm)):
		return
	}
	row.state = closed
	t.controls[k][c] = control{step: stepB, epoch: row.epoch}
	x.to(&t, fair, "(a) closes the bucket in the database", c, record{})
}

func (x *expansion) step(k, c int) {
	t := *x.from
	at, r, row := &t.controls[k][c], &t.redis[k], &t.rows[k]
	text := ""
	switch at.step {
	case stepB:
		text = x.closeRedis(at, r)
	case stepCRead:
		text = "(c) reads the journal"
		at.journal, at.entries = r.journal, r.journaled
		at.step = stepCPublish
		if at.entries == 0 {
			at.step = stepDWrite
		}
	case stepCPublish:
		text = "(c) publishes the journal and trims it"
		if !x.publishJournal(&t, k, at) {
			return
		}
	case stepDWrite:
		text = "(d) writes a fence"
		if !x.append(&t, k, record{kind: kindFence, bucket: uint8(k), epoch: at.epoch, first: uint8(c + 1)}) {
			return
		}
		at.step = stepDWait
	case stepDWait:
		text = "(d) settlement is past the fence"
		if x.keeps(FencePassed) && x.fenceWaits(k, c) {
			return
		}
		at.step = stepE
	case stepE:
		text = x.begin(&t, k, at, row)
	case stepFBegin, stepFBuyers, stepFOpen:
		text = x.load(&t, at, r)
	case stepG:
		text = x.verify(&t, k, at, r)
	case stepH:
		text = "(h) does not open: another rebuild was faster"
		if row.epoch == at.epoch && row.state == loading || !x.keeps(OpenIfLoading) {
			row.state = open
			text = "(h) opens the bucket in the database"
		}
		*at = control{}
	}
	x.to(&t, true, text, c, record{})
}

// closeRedis is (b). When Redis is in a later epoch, another control role was faster and the rebuild stops.
func (x *expansion) closeRedis(at *control, r *redis) string {
	if r.loaded != unknownBucket && r.epoch > at.epoch && x.keeps(CloseConditional) {
		*at = control{}
		return "(b) stops: redis is in a later epoch"
	}
	if x.keeps(RedisClosedFirst) && r.loaded != unknownBucket {
		r.loaded = closed
	}
	at.step = stepCRead
	if !x.keeps(JournalPublished) {
		at.step = stepDWrite
	}
	return "(b) closes the bucket in redis"
}

func (x *expansion) publishJournal(t *State, k int, at *control) bool {
	for _, e := range at.journal[:at.entries] {
		if !x.append(t, k, e) {
			return false
		}
		x.trim(&t.redis[k], e)
	}
	at.journal, at.entries, at.step = [maxJournal]record{}, 0, stepDWrite
	return true
}

func (x *expansion) fenceWaits(k, c int) bool {
	for _, r := range x.from.log[k][x.from.settled[k]:x.from.written[k]] {
		if r.kind == kindFence && r.first == uint8(c+1) {
			return true
		}
	}
	return false
}

// begin is (e): one transaction under the lock of the bucket row.
func (x *expansion) begin(t *State, k int, at *control, row *row) string {
	if x.keeps(BeginIfClosed) && (row.epoch != at.epoch || row.state == open) {
		*at = control{}
		return "(e) stops: another rebuild was faster"
	}
	x.absorbTakes(t, k)
	at.available = row.free()
	at.owners, at.released = 0, 0
	for o := uint8(1); o <= t.orders; o++ {
		press := x.press(t, o)
		switch {
		case press.bucket != k:
		case t.status[o] == confirmed:
			at.owners |= bit(o)
		case t.status[o] == cancelled:
			at.released |= bit(o)
		}
	}
	if !x.keeps(JournalNotCounted) {
		x.countJournal(t, k, at)
	}
	at.outbox = row.number
	if !x.keeps(OutboxNumberLoaded) {
		at.outbox = 0
	}
	if x.keeps(OutboxAbsorbed) {
		t.outbox[k] = [maxOutbox]outboxRow{}
	}
	at.epoch++
	row.epoch, row.state = at.epoch, loading
	row.movedEpoch, row.givenEpoch, row.seq = units{}, units{}, 0
	at.step = stepFBegin
	return "(e) begins the next epoch"
}

// countJournal counts journaled orders as sold, which no rebuild may do.
func (x *expansion) countJournal(t *State, k int, at *control) {
	for _, e := range t.redis[k].journal[:t.redis[k].journaled] {
		for _, o := range e.ordersOf() {
			if lines := x.press(t, o).lines; t.status[o] == absent && at.available.covers(lines) {
				at.available = at.available.minus(lines)
				at.owners |= bit(o)
			}
		}
	}
}

// load is (f) in its three writes, each sent to the node that answers at the time.
func (x *expansion) load(t *State, at *control, r *redis) string {
	newer := r.loaded != unknownBucket && (r.epoch > at.epoch || r.epoch == at.epoch && r.loaded != loading)
	switch {
	case at.step == stepFBegin && newer && x.keeps(LoadConditional):
		at.step = stepG
		return "(f) loads nothing: redis is in this epoch or a later one"
	case at.step == stepFBegin:
		fresh := redis{epoch: at.epoch, loaded: loading, script: r.script, available: at.available, outbox: at.outbox}
		if x.keeps(JournalStays) {
			fresh.journal, fresh.journaled = r.journal, r.journaled
		}
		*r = fresh
		at.step = stepFBuyers
		return "(f) begins to load"
	case r.epoch != at.epoch || r.loaded != loading:
		at.step = stepG // the load is lost: verify notices
		return "(f) finds its load gone"
	case at.step == stepFBuyers:
		for o := range uint8(maxOrders + 1) {
			switch {
			case at.owners&bit(o) != 0:
				r.entries[o] = soldIn(0)
			case at.released&bit(o) != 0:
				r.entries[o] = soldIn(0) | given
			}
		}
		x.forget(t, r)
		at.step = stepFOpen
		return "(f) loads the buyers"
	}
	at.step = stepG
	if x.keeps(LoadCounted) && x.buyers(t, r.known()) != x.buyers(t, at.owners|at.released) {
		return "(f) misses buyers that were loaded"
	}
	r.loaded = open
	return "(f) marks the bucket loaded"
}

// verify is (g): one atomic look proves script, epoch, state and replication id; a missing script is loaded first.
func (x *expansion) verify(t *State, k int, at *control, r *redis) string {
	if !x.keeps(Verify) {
		at.loadAs, at.step = loadAs{}, stepH
		return "(g) is left out"
	}
	if r.script == 0 {
		return x.install(t, k)
	}
	at.step = stepH
	if r.epoch != at.epoch || r.loaded != open || r.foreign != 0 && x.keeps(ReplidCompared) {
		*at = control{} // back to (a), as the bucket is not open
		return "(g) finds redis changed: back to (a)"
	}
	at.loadAs = loadAs{}
	return "(g) verifies"
}

// install loads the script on a bucket's server. In the same step it closes the server's other buckets, in Redis too: with
// the script they would sell again, though they may have gone back, and gateways read the database only later. It leaves a
// bucket that another rebuild is loading to that rebuild, which verifies it, unless Redis has an earlier epoch of it.
func (x *expansion) install(t *State, k int) (text string) {
	text = "(g) loads the script"
	for _, j := range x.beside(k) {
		r := &t.redis[j]
		r.script = 1
		if j != k && x.keeps(OthersClosed) {
			x.closeOther(t, j)
			text = "(g) closes the other bucket of the server and loads the script"
		}
		if j == k || t.rows[j].state == loading {
			r.back = 0
		}
	}
	return text
}

func (x *expansion) closeOther(t *State, j int) {
	t.doubt(j)
	last, r := t.rows[j].epoch, &t.redis[j]
	if t.rows[j].state == loading {
		last--
	}
	if r.loaded != unknownBucket && r.epoch <= last {
		r.loaded = closed
	}
}

// buyers counts the buyers of some orders: the fields of the buyers hash.
func (x *expansion) buyers(t *State, orders uint8) int {
	var buyers uint8
	for o := uint8(1); o <= t.orders; o++ {
		if orders&bit(o) != 0 {
			buyers |= bit(uint8(x.press(t, o).buyer))
		}
	}
	return bits.OnesCount8(buyers)
}

// known returns the orders that have an entry in the buyers hash.
func (r *redis) known() (orders uint8) {
	for o, e := range r.entries {
		if e != 0 {
			orders |= bit(uint8(o))
		}
	}
	return orders
}
