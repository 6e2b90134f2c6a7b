package protocol

// transferring takes units out of a bucket for the other one: half of them rounded up, or all, as one journal entry.
func (x *expansion) transferring(k int) {
	s := x.from
	if x.Buckets < 2 || s.left[Transfer] == 0 || s.rows[k].state != open || x.fenced(&s.redis[k], s.rows[k].epoch, s.rows[k].seq) {
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
	saidNoMore = booksLook + 1
)

// verifying answers sold_out for the whole SKU only when every bucket was seen empty and the books, read after that, say
// that nothing was on its way between them; all of it begun after the request arrived.
func (x *expansion) verifying() {
	t := *x.from
	at := &t.asker
	text := ""
	switch at.step {
	case notAsking:
		if t.spend(Ask) {
			*at = asker{step: firstLook}
			x.to(&t, false, "a buyer asks whether anything is left", 0, record{})
		}
		return
	case booksLook:
		text = x.lookIntoBooks(&t)
	case saidNoMore:
		*at = asker{}
		text = "the buyer has heard"
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
	if r.available != 0 || r.loaded != open {
		*at = asker{}
		return "the bucket has units or is in doubt"
	}
	at.seen[k] = seen{r.epoch, r.moved, r.returned}
	return "sees the bucket empty"
}

// lookIntoBooks compares what moved in Redis with what moved in the database.
func (x *expansion) lookIntoBooks(t *State) string {
	at := &t.asker
	for k := range x.Buckets {
		row := &t.rows[k]
		if now := (seen{row.epoch, row.movedEpoch, row.givenEpoch}); x.keeps(SoldOutByBooks) && at.seen[k] != now &&
			(k == 0 || x.keeps(WholeSKU)) {
			*at = asker{}
			return "units are on their way"
		}
	}
	at.step++
	return "says sold out"
}

// free is how many units nobody has: neither a confirmed order nor one that was taken and is still on its way.
func (x *expansion) free(t *State) int {
	units := x.Stock * x.Buckets
	for o := uint8(1); o <= t.orders; o++ {
		if t.status[o] == absent || t.status[o] == confirmed {
			units -= int(x.press(t, o).quantity)
		}
	}
	return units
}
