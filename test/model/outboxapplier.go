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

// release is one transaction: status, stock rows, outbox row.
func (x *expansion) release(t *State, orders ...uint8) bool {
	k := x.press(t, orders[0]).bucket
	add := outboxRow{kind: rowRelease, first: orders[0], second: orders[1]}
	var back units
	for _, o := range orders {
		if o != 0 {
			t.status[o] = cancelled
			back = back.plus(x.press(t, o).lines)
		}
	}
	add.packed = back.packed()
	t.rows[k].released = t.rows[k].released.plus(back)
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

// read takes the open rows of a bucket, a take by itself. A second outbox applier reads only where the lease of the first was
// lost.
func (x *expansion) read(c int) {
	for k := range x.Buckets {
		t := *x.from
		if t.outbox[k][0].number == 0 || c == 1 && !t.spend(Zombie) {
			continue
		}
		rows, n, takes := x.page(&t.outbox[k])
		t.outboxAppliers[c] = outboxApplier{doing: 1, bucket: uint8(k), from: rows[0].number, upTo: rows[n-1].number,
			epoch: rows[n-1].epoch, rows: rows, takes: takes}
		if c == 0 && !x.applicable(&t, k) {
			continue // Redis would refuse the rows
		}
		x.to(&t, c == 0, "the outbox applier reads the outbox", c, record{})
	}
}

// page is the first rows of a bucket's outbox that one call applies. A take has a page of its own, because the reply names
// what one row found.
func (x *expansion) page(open *[maxOutbox]outboxRow) (rows [maxOutbox]outboxRow, n int, takes uint8) {
	for ; n < maxOutbox && open[n].number != 0; n++ {
		if alone := open[n].kind == rowTake || takes == 1; alone && n > 0 && x.keeps(TakeAlone) {
			break
		}
		if rows[n] = open[n]; rows[n].kind == rowTake {
			takes = 1
		}
	}
	return rows, n, takes
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
		x.applied(&t, c, r)
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

// applied takes in the reply to rows that are applied, now or before. When Redis has applied rows after those of the page, as
// to an outbox applier that stalled, these were deleted before, and the number and what was found are of other rows.
func (x *expansion) applied(t *State, c int, r *redis) {
	at := &t.outboxAppliers[c]
	if r.outbox > at.upTo && x.keeps(FoundOfItsRow) {
		*at = outboxApplier{}
		x.to(t, true, "the outbox applier's rows were applied and deleted before", c, record{})
		return
	}
	at.doing, at.appliedNumber, at.appliedSeq = 2, r.outbox, r.outboxSeq
	at.found = at.foundOf(at.found)
	at.rows = [maxOutbox]outboxRow{}
	if lost := *t; lost.spend(Unknown) {
		lost.outboxAppliers[c] = outboxApplier{}
		x.to(&lost, false, "the outbox applier's rows are applied, the answer is lost", c, record{})
	}
	x.to(t, true, "the outbox applier's rows are applied", c, record{})
}

// foundOf gives the number of units in the reply the SKU of the page's take.
func (at *outboxApplier) foundOf(count uint8) (packed uint8) {
	for _, row := range at.rows {
		for sku, n := range unpacked(row.packed) {
			if row.kind == rowTake && n > 0 {
				packed = of(sku, int8(count)).packed()
			}
		}
	}
	return packed
}

// strike removes the applied rows of that epoch and leaves the sequence of the write as a marker. What a take found leaves the
// loaded units with its row.
func (x *expansion) strike(t *State, at *outboxApplier) bool {
	k := int(at.bucket)
	row := &t.rows[k]
	if !x.keeps(FoundOnce) && !t.waitsInOutbox(k, at.appliedNumber) {
		row.loaded = row.loaded.minus(unpacked(at.found))
	}
	if row.epoch != at.epoch {
		return true // absorbed by the rebuild that began the next epoch
	}
	if !x.keeps(ReleaseSequence) || !x.keeps(ReleaseMarked) {
		return x.deleteRows(t, k, at)
	}
	m := record{kind: kindApplied, bucket: at.bucket, epoch: at.epoch, seq: at.appliedSeq, first: at.appliedNumber}
	same, fork := x.markerOf(t, m)
	row.seq = max(row.seq, at.appliedSeq)
	if fork && x.keeps(DisagreementCloses) {
		t.doubt(k)
	}
	if !same && !fork && !x.mark(t, m) {
		return false
	}
	return fork && at.takes == 1 && x.keeps(DisagreementCloses) || x.deleteRows(t, k, at) // the rebuild decides the take
}

// deleteRows deletes the applied rows. A take whose found units orders have proves a loss: it stays for the rebuild.
func (x *expansion) deleteRows(t *State, k int, at *outboxApplier) bool {
	left := 0
	var kept [maxOutbox]outboxRow
	for _, o := range t.outbox[k] {
		if o.number == 0 {
			continue
		}
		if o.number > at.appliedNumber || o.kind == rowTake && !x.strikeTake(t, k, o, at) {
			kept[left] = o
			left++
		}
	}
	t.outbox[k] = kept
	return true
}

func (t *State) waitsInOutbox(k int, number uint8) bool {
	for _, o := range t.outbox[k] {
		if o.number == number {
			return true
		}
	}
	return false
}
