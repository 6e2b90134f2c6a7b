package protocol

// transferring takes units out of a bucket for the other one, as one journal entry: of each SKU that it takes half, rounded up,
// or all.
func (x *expansion) transferring(k int) {
	s := x.from
	epoch, highest := s.rows[k].epoch, s.gateways[0].seenIn(k, s.rows[k].epoch)
	for g := range actors {
		highest = min(highest, s.gateways[g].seenIn(k, epoch))
	}
	if x.Buckets < 2 || !x.suffers(k) || s.left[Transfer] == 0 || s.rows[k].state != open ||
		x.fenced(&s.redis[k], epoch, highest) {
		return
	}
	all := s.redis[k].available
	for which := uint8(1); which < 1<<x.sold; which++ {
		moves := all.only(which)
		if which == 3 && (all[0] == 0 || all[1] == 0) {
			continue // as of one SKU
		}
		half := units{(moves[0] + 1) / 2, (moves[1] + 1) / 2}
		x.transfer(k, half)
		if half != moves {
			x.transfer(k, moves)
		}
	}
}

func (x *expansion) transfer(k int, moves units) {
	t := *x.from
	r := &t.redis[k]
	if moves == (units{}) || !t.spend(Transfer) {
		return
	}
	t.transfers++
	t.sold |= r.back
	r.seq++
	r.available = r.available.minus(moves)
	r.moved = r.moved.plus(moves)
	moved := record{kindTransfer, uint8(k), r.epoch, r.seq, t.transfers, moves.packed()}
	if x.keeps(TransferJournaled) && !x.journal(r, moved) {
		return
	}
	if !x.keeps(CreditThroughOutbox) {
		other := &t.redis[1-k]
		other.available = other.available.plus(moves)
	}
	if !x.keeps(TransferJournaled) && !x.append(&t, k, moved) {
		return
	}
	x.to(&t, false, "a transfer leaves redis", k, moved)
	if x.keeps(TransferJournaled) {
		return
	}
	if t.spend(Crash) { // the only copy of it was in the process that died
		t.written[k]--
		t.log[k][t.written[k]] = record{}
		x.to(&t, false, "a transfer leaves redis, then its process dies", k, moved)
	}
}
