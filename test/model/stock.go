package protocol

// Verdicts of one purchase.
const (
	taken = iota
	takenBefore
	replayed
	keyReused
	overLimit
	grieves
	notLeft
)

type verdict struct {
	kind  uint8
	order uint8 // taken: its id; takenBefore and replayed: the order found
	seq   uint8 // of the order found
}

// fenced reports why the reserve script would write nothing: its fences, in the script's order.
func (x *expansion) fenced(r *redis, epoch, highest uint8) bool {
	return r.script == 0 && x.keeps(ScriptFence) || r.epoch != epoch ||
		r.loaded != open && x.keeps(StateCompared) || r.loaded == unknownBucket ||
		r.foreign == 2 && x.keeps(ReplidCompared) ||
		r.seq < highest && x.keeps(SequenceCompared)
}

// reserve decides a call's purchases in order and writes what is taken as one journal entry. ids are the orders' ids.
func (x *expansion) reserve(t *State, r *redis, k int, ids []uint8) (verdicts [2]verdict, entryWritten record, ok bool) {
	batch := record{kind: kindOrders, bucket: uint8(k), epoch: r.epoch, seq: r.seq + 1}
	for i, id := range ids {
		verdicts[i] = x.decide(t, r, id)
		if verdicts[i].kind != taken {
			continue
		}
		r.available -= x.press(t, id).quantity
		r.entries[id] = soldIn(batch.seq)
		t.life[id] = r.epoch
		if batch.first == 0 {
			batch.first = id
		} else {
			batch.second = id
		}
	}
	if batch.first == 0 {
		return verdicts, record{}, true
	}
	t.sold |= r.back
	r.seq++
	return verdicts, batch, x.journal(r, batch)
}

func (x *expansion) journal(r *redis, batch record) bool {
	if r.journaled == maxJournal {
		x.cut++
		return false
	}
	r.journal[r.journaled] = batch
	r.journaled++
	return true
}

// decide returns one purchase's verdict by the buyer's entries in the buyers hash.
func (x *expansion) decide(t *State, r *redis, id uint8) verdict {
	press := x.press(t, id)
	if r.seenIn(id) {
		return verdict{takenBefore, id, r.entries[id].sequence()}
	}
	var bought int8
	released := 0
	for o := uint8(1); o <= t.orders; o++ {
		e := r.entries[o]
		if e == 0 {
			continue
		}
		other := x.press(t, o)
		if other.buyer != press.buyer {
			continue
		}
		if press.key != 0 && other.key == press.key && x.keeps(KeyAnswersOnce) && (e.sold() || x.keeps(KeyAnswersAfterRelease)) {
			if other.quantity != press.quantity {
				return verdict{keyReused, o, e.sequence()}
			}
			return verdict{replayed, o, e.sequence()}
		}
		if e.sold() || !x.keeps(ReleasedCountsNot) {
			bought += other.quantity
		}
		if e.released() {
			released++
		}
	}
	switch {
	case bought+press.quantity > int8(x.Limit):
		return verdict{kind: overLimit}
	case x.Kept > 0 && released >= x.Kept && x.keeps(ReleasedBounded):
		return verdict{kind: grieves}
	case r.available < press.quantity:
		return verdict{kind: notLeft}
	}
	return verdict{kind: taken, order: id}
}

// forget drops the oldest released orders of each buyer beyond those that are kept.
func (x *expansion) forget(t *State, r *redis) {
	if x.Kept == 0 {
		return
	}
	var kept [maxBuyers]int
	for o := t.orders; o > 0; o-- {
		if !r.entries[o].released() {
			continue
		}
		buyer := x.press(t, o).buyer
		if kept[buyer]++; kept[buyer] > x.Kept {
			r.entries[o] = 0
		}
	}
}

// inJournal reports whether an order's entry is still in the journal of the present epoch.
func (r *redis) inJournal(seq uint8) bool {
	for _, e := range r.journal[:r.journaled] {
		if seq != 0 && e.epoch == r.epoch && e.seq == seq {
			return true
		}
	}
	return false
}

// trim deletes exactly the named entry, of whatever epoch.
func (x *expansion) trim(r *redis, named record) {
	for i := 0; i < int(r.journaled); i++ {
		e := r.journal[i]
		hit := e.identity() == named.identity()
		if !x.keeps(TrimExact) {
			hit = e.seq <= named.seq
		}
		if hit {
			copy(r.journal[i:], r.journal[i+1:])
			r.journal[maxJournal-1] = record{}
			r.journaled--
			i--
		}
	}
}

// Results of applying outbox rows.
const (
	done = iota
	older
	later
	lossProved
)

// apply is the release script: the rows of one bucket in their order, in one write.
func (x *expansion) apply(t *State, r *redis, c *outboxApplier) uint8 {
	rows := c.rows[:c.upTo-c.from+1]
	switch {
	case r.script == 0 && x.keeps(ScriptFence) || r.loaded == unknownBucket || r.foreign == 2 && x.keeps(ReplidCompared):
		return lossProved
	case r.epoch < c.epoch || r.loaded != open:
		return later
	case r.epoch > c.epoch && x.keeps(ReleaseInEpoch):
		return older
	case r.epoch > c.epoch: // applied all the same, whatever its number
	case r.outbox >= c.from && x.keeps(ReleaseOnce):
		return done
	case r.outbox+1 < c.from && x.keeps(ReleaseInOrder):
		return lossProved
	}
	for _, row := range rows {
		for _, o := range []uint8{row.first, row.second} {
			if o != 0 && !r.entries[o].sold() && x.keeps(ReleaseKnown) {
				return lossProved
			}
		}
	}
	for _, row := range rows {
		for _, o := range []uint8{row.first, row.second} {
			switch {
			case o == 0 || !r.entries[o].sold():
			case row.refused == 1 && x.keeps(RefusedForgotten):
				r.entries[o] = 0
			default:
				r.entries[o] |= given
			}
		}
		x.forget(t, r)
		r.available += int8(row.units)
		r.returned += row.units
	}
	t.sold |= r.back
	if x.keeps(ReleaseSequence) {
		r.seq++
	}
	r.outbox, r.outboxSeq = c.upTo, r.seq
	return done
}
