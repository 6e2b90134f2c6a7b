package protocol

// transferring takes units out of a bucket for the other one: half of them rounded up, or all, as one journal entry.
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
	available := s.redis[k].available
	x.transfer(k, uint8(available+1)/2)
	if available > 1 {
		x.transfer(k, uint8(available))
	}
}

func (x *expansion) transfer(k int, units uint8) {
	t := *x.from
	r := &t.redis[k]
	if units == 0 || !t.spend(Transfer) {
		return
	}
	t.transfers++
	t.sold |= r.back
	r.seq++
	r.available -= int8(units)
	r.moved += units
	moved := record{kindTransfer, uint8(k), r.epoch, r.seq, t.transfers, units}
	if x.keeps(TransferJournaled) && !x.journal(r, moved) {
		return
	}
	if !x.keeps(CreditThroughOutbox) {
		t.redis[1-k].available += int8(units)
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

// Steps of the asker.
const (
	notAsking  = iota
	firstLook  // at one bucket after the other
	booksLook  = firstLook + maxBuckets
	againLook  = booksLook + 1
	saidNoMore = againLook + maxBuckets
)

// verifying answers sold_out for the whole SKU only when all three reads, begun after the request arrived, agree: every
// bucket is empty, the books show nothing on its way between buckets, and no bucket has moved since.
func (x *expansion) verifying() {
	t := *x.from
	at := &t.asker
	var text string
	switch at.step {
	case notAsking:
		if t.spend(Ask) {
			*at = asker{step: firstLook}
			x.to(&t, false, "a buyer asks whether anything is left", 0, record{})
		}
		return
	case booksLook:
		text = x.lookIntoBooks(&t)
	case againLook, againLook + 1:
		text = x.lookAgain(&t, int(at.step-againLook))
	case saidNoMore:
		*at = asker{}
		text = "the buyer has the answer"
	default:
		text = x.lookIntoRedis(&t, int(at.step-firstLook))
	}
	x.to(&t, true, text, 0, record{})
}

// lookIntoRedis reads one bucket.
func (x *expansion) lookIntoRedis(t *State, k int) string {
	at, r := &t.asker, &t.redis[k]
	at.step++
	if k >= x.Buckets || k > 0 && !x.keeps(WholeSKU) {
		return "looks at no further bucket"
	}
	if r.available != 0 {
		*at = asker{}
		return "the bucket has units"
	}
	at.seen[k] = seen{r.epoch, r.moved, r.returned, r.seq}
	return "sees the bucket empty"
}

// lookIntoBooks compares what moved in Redis with what moved in the database.
func (x *expansion) lookIntoBooks(t *State) string {
	at := &t.asker
	for k := range x.Buckets {
		row := &t.rows[k]
		now := seen{row.epoch, row.movedEpoch, row.givenEpoch, at.seen[k].seq}
		if x.keeps(SoldOutByBooks) && (row.state != open || at.seen[k] != now) && (k == 0 || x.keeps(WholeSKU)) {
			*at = asker{}
			return "a bucket is in doubt, or units are on their way"
		}
	}
	at.step++
	if !x.keeps(SoldOutReadAgain) {
		at.step = saidNoMore
		return "answers sold out"
	}
	return "finds the books in agreement"
}

// lookAgain reads one bucket once more.
func (x *expansion) lookAgain(t *State, k int) string {
	at, r := &t.asker, &t.redis[k]
	if k < x.Buckets && (k == 0 || x.keeps(WholeSKU)) && (seen{r.epoch, r.moved, r.returned, r.seq}) != at.seen[k] {
		*at = asker{}
		return "the bucket has moved"
	}
	if at.step++; at.step == saidNoMore {
		return "answers sold out"
	}
	return "sees that the bucket has not moved"
}

// free counts the units that belong neither to a confirmed order nor to one that was taken and is still on its way; below 0
// when more were taken than loaded.
func (x *expansion) free(t *State) int {
	units := x.Stock * x.Buckets
	for o := uint8(1); o <= t.orders; o++ {
		if t.status[o] == confirmed || t.status[o] == absent && t.life[o] != 0 && !x.gone(t, o) {
			units -= int(x.press(t, o).quantity)
		}
	}
	return units
}

// gone reports whether an order without a row no longer exists: Redis has lost it, and no process has its record.
func (x *expansion) gone(t *State, o uint8) bool {
	k := x.press(t, o).bucket
	if t.lost == 0 || t.redis[k].entries[o].sold() || t.old[k].entries[o].sold() {
		return false
	}
	carried := t.relays[k].bits() | journaledIn(t.redis[k].journal[:]) | journaledIn(t.old[k].journal[:]) |
		journaledIn(t.log[k][t.settled[k]:t.written[k]])
	for g := range actors {
		carried |= journaledIn(t.gateways[g].publications[:]) | journaledIn(t.controls[k][g].journal[:])
		for _, asked := range t.gateways[g].asked {
			carried |= bit(asked)
		}
	}
	return carried&bit(o) == 0
}

func journaledIn(records []record) (orders uint8) {
	for i := range records {
		orders |= records[i].bits()
	}
	return orders
}
