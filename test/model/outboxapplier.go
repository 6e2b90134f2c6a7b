package protocol

// givingBack decides in the database that orders give their units back: one order cancelled, or two expired together.
func (x *expansion) givingBack() {
	s := x.from
	for o := uint8(1); o <= s.orders; o++ {
		if s.status[o] != confirmed {
			continue
		}
		if t := *s; t.spend(Cancel) && x.release(&t, o, 0) {
			x.to(&t, false, "order is cancelled in the database", int(o), record{})
		}
		for other := o + 1; other <= s.orders; other++ {
			if s.status[other] != confirmed || x.press(s, other).bucket != x.press(s, o).bucket {
				continue
			}
			if t := *s; t.spend(Expire) && x.release(&t, o, other) {
				x.to(&t, false, "order and a later one expire in the database", int(o), record{})
			}
		}
	}
}

// release is one transaction: status, stock row, outbox row.
func (x *expansion) release(t *State, orders ...uint8) bool {
	k := x.press(t, orders[0]).bucket
	add := outboxRow{first: orders[0], second: orders[1]}
	for _, o := range orders {
		if o != 0 {
			t.status[o] = cancelled
			add.units += uint8(x.press(t, o).quantity)
		}
	}
	t.rows[k].released += add.units
	return x.outboxRow(t, k, add)
}

// applying takes an outbox applier one step further: read rows in their order, apply them in one call, delete them.
func (x *expansion) applying(c int) {
	at := &x.from.outboxAppliers[c]
	switch at.doing {
	case 0:
		x.read(c)
		return
	case 1:
		x.deliver(c)
	case 2:
		t := *x.from
		if x.strike(&t, &t.outboxAppliers[c]) {
			t.outboxAppliers[c] = outboxApplier{}
			x.to(&t, true, "the outbox applier deletes the rows that were applied", c, record{})
		}
	}
	if t := *x.from; t.spend(Crash) {
		t.outboxAppliers[c] = outboxApplier{}
		x.to(&t, false, "the outbox applier dies", c, record{})
	}
}

// read takes all open rows of a bucket. A second outbox applier reads only where the lease of the first was lost.
func (x *expansion) read(c int) {
	for k := range x.Buckets {
		t := *x.from
		if t.outbox[k][0].number == 0 || c == 1 && !t.spend(Zombie) {
			continue
		}
		rows := t.outbox[k]
		n := uint8(0)
		for int(n) < maxOutbox && rows[n].number != 0 {
			n++
		}
		t.outboxAppliers[c] = outboxApplier{doing: 1, bucket: uint8(k), from: rows[0].number, upTo: rows[n-1].number,
			epoch: rows[n-1].epoch, rows: rows}
		if c == 0 && !x.applicable(&t, k) {
			continue // Redis would refuse the rows
		}
		x.to(&t, c == 0, "the outbox applier reads the outbox", c, record{})
	}
}

// applicable reports whether Redis would apply rows of the database's epoch.
func (x *expansion) applicable(t *State, k int) bool {
	r := &t.redis[k]
	return (r.script == 1 || !x.keeps(ScriptFence)) && r.loaded == open && r.epoch == t.outboxAppliers[0].epoch
}

func (x *expansion) deliver(c int) {
	t := *x.from
	at := &t.outboxAppliers[c]
	r := &t.redis[at.bucket]
	k, epoch := int(at.bucket), at.epoch
	switch x.apply(&t, r, at) {
	case done:
		at.doing, at.appliedNumber, at.appliedSeq = 2, r.outbox, r.outboxSeq
		at.rows = [maxOutbox]outboxRow{}
		if lost := t; lost.spend(Unknown) {
			lost.outboxAppliers[c] = outboxApplier{}
			x.to(&lost, false, "the outbox applier's rows are applied, the answer is lost", c, record{})
		}
		x.to(&t, true, "the outbox applier's rows are applied", c, record{})
	case lossProved:
		*at = outboxApplier{}
		if t.rows[k].epoch == epoch {
			t.doubt(k)
		}
		x.to(&t, true, "the outbox applier's rows prove a loss, the bucket is closed", c, record{})
	default:
		*at = outboxApplier{}
		x.to(&t, true, "the outbox applier's rows are of another epoch", c, record{})
	}
}

// strike removes the applied rows of that epoch and leaves the sequence of the write as a marker.
func (x *expansion) strike(t *State, at *outboxApplier) bool {
	k := int(at.bucket)
	row := &t.rows[k]
	if row.epoch != at.epoch {
		return true // absorbed by the rebuild that began the next epoch
	}
	left := 0
	var kept [maxOutbox]outboxRow
	for _, o := range t.outbox[k] {
		if o.number > at.appliedNumber {
			kept[left] = o
			left++
		}
	}
	t.outbox[k] = kept
	if !x.keeps(ReleaseSequence) || !x.keeps(ReleaseMarked) {
		return true
	}
	m := record{kind: kindApplied, bucket: at.bucket, epoch: at.epoch, seq: at.appliedSeq, first: at.appliedNumber}
	same, fork := x.markerOf(t, m)
	if fork && x.keeps(DisagreementCloses) {
		t.doubt(k)
	}
	row.seq = max(row.seq, at.appliedSeq)
	return same || fork || x.mark(t, m)
}
