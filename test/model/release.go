package protocol

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
		c.found = x.foundBefore(r, rows)
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
	r.took = 0
	for i := range rows {
		x.applyRow(t, r, &rows[i])
	}
	t.sold |= r.back
	if x.keeps(ReleaseSequence) {
		r.seq++
	}
	r.outbox, r.outboxSeq, c.found = c.upTo, r.seq, r.took
	return done
}

func (x *expansion) applyRow(t *State, r *redis, row *outboxRow) {
	gain := unpacked(row.packed)
	if row.kind == rowTake {
		found := x.unsold(r, gain)
		r.took = uint8(found.all())
		gain = units{}.minus(found)
	}
	for _, o := range []uint8{row.first, row.second} {
		switch {
		case o == 0 || !r.entries[o].sold():
		case row.kind == rowRefusal && x.keeps(RefusedForgotten):
			r.entries[o] = 0
		default:
			r.entries[o] |= given
		}
	}
	x.forget(t, r)
	r.available = r.available.plus(gain)
	r.returned = r.returned.plus(gain)
}

// unsold is what a take finds of the units that it asks.
func (x *expansion) unsold(r *redis, asked units) units {
	if !x.keeps(TakeUnsold) {
		return asked
	}
	return asked.least(r.available)
}

// foundBefore is what the script answers to a take that was applied before: what it found then. Like the script it has a
// number of units, not their SKU.
func (x *expansion) foundBefore(r *redis, rows []outboxRow) uint8 {
	if !x.keeps(TakeReportsFound) {
		return uint8(x.unsold(r, unpacked(rows[len(rows)-1].packed)).all())
	}
	return r.took
}
