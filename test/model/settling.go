package protocol

// settling settles the next record of a partition in one transaction; a settled record may be delivered again.
func (x *expansion) settling(k int) {
	s := x.from
	if s.settled[k] < s.written[k] {
		t := *s
		r := s.log[k][s.settled[k]]
		if x.settle(&t, k, r) {
			t.settled[k]++
			t.forgetSettled(k)
			x.to(&t, true, "settles", k, r)
		}
	}
	x.refusing(k)
	if s.left[Redeliver] == 0 {
		return
	}
	for _, r := range s.log[k][:s.settled[k]] {
		t := *s
		t.spend(Redeliver)
		if x.settle(&t, k, r) && t.rows != s.rows || t.status != s.status || t.marked != s.marked {
			t.forgetSettled(k)
			x.to(&t, false, "settles again", k, r)
		}
	}
}

// forgetSettled drops settled records from the partition once none can be delivered again.
func (t *State) forgetSettled(k int) {
	if t.left[Redeliver] > 0 {
		return
	}
	left := copy(t.log[k][:], t.log[k][t.settled[k]:t.written[k]])
	clear(t.log[k][left:])
	t.written[k], t.settled[k] = uint8(left), 0
}

// settle is one transaction. It reports false where a bound of the state is reached.
func (x *expansion) settle(t *State, k int, r record) bool {
	row := &t.rows[k]
	if r.kind == kindFence {
		return true // only a barrier for readers
	}
	done, fork := x.markerOf(t, r)
	if done {
		return true
	}
	if !x.known(t, r) && !x.mark(t, r) {
		return false
	}
	late := r.epoch != row.epoch
	if !late {
		row.seq = max(row.seq, r.seq)
	}
	agreed := !fork
	if r.kind == kindTransfer {
		ok, moved := x.settleTransfer(t, k, r, late, fork)
		if !ok {
			return false
		}
		agreed = agreed && moved
	}
	for _, o := range r.ordersOf() {
		agreed = x.settleOrder(t, row, o, late) && agreed
	}
	if !agreed && !late && x.keeps(DisagreementCloses) {
		t.doubtFor(k, r)
	}
	return true
}

// doubtFor closes a bucket because of a record. An order that the operator refused within the deadline of its call, and
// that the repeated call takes, closes its bucket although Redis lost nothing.
func (t *State) doubtFor(k int, r record) {
	for _, o := range r.ordersOf() {
		if t.deadLetters&bit(o) != 0 && t.rows[k].state == open {
			t.rows[k].state = closed
		}
	}
	t.doubt(k)
}

// refusing is a dead letter that the operator refuses, in one transaction: its orders without a row end as refused, and in
// the bucket's epoch their units go back through the outbox, or by a rebuild.
func (x *expansion) refusing(k int) {
	t := *x.from
	if t.settled[k] == t.written[k] || t.log[k][t.settled[k]].kind != kindOrders || !t.spend(Refuse) {
		return
	}
	r, row := t.log[k][t.settled[k]], &t.rows[k]
	done, fork := x.markerOf(&t, r)
	if done || !x.known(&t, r) && !x.mark(&t, r) {
		return
	}
	add := outboxRow{kind: rowRefusal, first: r.first, second: r.second}
	var back units
	for _, o := range r.ordersOf() {
		if t.status[o] != absent {
			fork = true
			continue
		}
		t.status[o] = refused
		t.deadLetters |= bit(o)
		back = back.plus(x.press(&t, o).lines)
	}
	add.packed = back.packed()
	if r.epoch == row.epoch {
		row.seq = max(row.seq, r.seq)
		if fork {
			t.doubt(k)
		} else if !x.outboxRow(&t, k, add) {
			return
		}
	}
	t.settled[k]++
	t.forgetSettled(k)
	x.to(&t, false, "cannot settle and is refused by hand", k, r)
}

// markerOf looks for the marker at a record's place: the same batch is done when all of its orders have rows, any other
// makes this a fork.
func (x *expansion) markerOf(t *State, r record) (done, fork bool) {
	for _, m := range t.markers[:t.marked] {
		if m.place() != r.place() {
			continue
		}
		if !x.keeps(MarkerHasBatchID) || m == r.identity() && (t.whole(r) || !x.keeps(DuplicateIsWhole)) {
			return true, false
		}
		fork = true
	}
	return false, fork
}

// whole reports whether every order of a record has a row.
func (t *State) whole(r record) bool {
	for _, o := range r.ordersOf() {
		if t.status[o] == absent {
			return false
		}
	}
	return true
}

// known reports whether a record's own marker is in the set.
func (x *expansion) known(t *State, r record) bool {
	for _, m := range t.markers[:t.marked] {
		if m == r.identity() {
			return true
		}
	}
	return false
}

// mark adds a marker to the set.
func (x *expansion) mark(t *State, r record) bool {
	r = r.identity()
	if t.marked == maxMarkers {
		x.cut++
		return false
	}
	at := int(t.marked)
	for at > 0 && r.less(t.markers[at-1]) {
		t.markers[at] = t.markers[at-1]
		at--
	}
	t.markers[at] = r
	t.marked++
	return true
}

func (r record) less(o record) bool {
	for _, pair := range [][2]uint8{{r.bucket, o.bucket}, {r.epoch, o.epoch}, {r.seq, o.seq}, {r.kind, o.kind}} {
		if pair[0] != pair[1] {
			return pair[0] < pair[1]
		}
	}
	return r.first < o.first
}

// settleTransfer moves loaded units to the other bucket and leaves a credit for it in the outbox.
func (x *expansion) settleTransfer(t *State, k int, r record, late, fork bool) (ok, moved bool) {
	if late && x.keeps(LateTransferMovesNothing) {
		return true, true
	}
	from, to, moves := &t.rows[k], &t.rows[1-k], unpacked(r.second)
	fits := from.loaded.covers(from.settled.minus(from.released).plus(moves)) && from.loaded.covers(moves)
	if fork || !fits && x.keeps(TransferGuard) {
		return true, false
	}
	from.loaded = from.loaded.minus(moves)
	if !late {
		from.movedEpoch = from.movedEpoch.plus(moves)
	}
	to.loaded = to.loaded.plus(moves)
	return x.outboxRow(t, 1-k, outboxRow{kind: rowCredit, packed: r.second}), true
}

// outboxRow numbers a change under the lock of the bucket row and stamps it with the bucket's present epoch.
func (x *expansion) outboxRow(t *State, k int, add outboxRow) bool {
	row := &t.rows[k]
	for i := range t.outbox[k] {
		if t.outbox[k][i].number == 0 {
			row.number++
			add.number, add.epoch = row.number, row.epoch
			t.outbox[k][i] = add
			if add.kind != rowTake {
				row.givenEpoch = row.givenEpoch.plus(unpacked(add.packed))
			}
			return true
		}
	}
	x.cut++
	return false
}
