package protocol

// Steps of the asker.
const (
	notAsking  = iota
	firstLook  // at one bucket after the other
	booksLook  = firstLook + maxBuckets
	againLook  = booksLook + 1
	saidNoMore = againLook + maxBuckets
)

// verifying answers sold_out for a SKU only when all three reads, begun after the request arrived, agree: every
// bucket is without units of it, the books show nothing on its way between buckets, and no bucket has moved since.
func (x *expansion) verifying() {
	t := *x.from
	at := &t.asker
	var text string
	switch at.step {
	case notAsking:
		x.ask()
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

// ask begins a request that needs to know whether anything is left of a SKU.
func (x *expansion) ask() {
	for sku := range x.sold {
		if t := *x.from; t.spend(Ask) {
			t.asker = asker{step: firstLook, sku: uint8(sku)}
			x.to(&t, false, "a buyer asks whether anything is left of SKU "+skuNames[sku], 0, record{})
		}
	}
}

// lookIntoRedis reads one bucket.
func (x *expansion) lookIntoRedis(t *State, k int) string {
	at, r := &t.asker, &t.redis[k]
	at.step++
	if k >= x.Buckets || k > 0 && !x.keeps(WholeSKU) {
		return "looks at no further bucket"
	}
	if r.available[at.sku] != 0 {
		*at = asker{}
		return "the bucket has units"
	}
	at.seen[k] = r.look(at.sku)
	return "sees the bucket empty"
}

// look reads what tells whether units of a SKU have come or gone.
func (r *redis) look(sku uint8) seen { return seen{r.epoch, r.seq, r.moved[sku], r.returned[sku]} }

// still reports whether a bucket without units of a SKU is as it was seen. Its sequence may be higher, because it also sells
// other SKUs, and never lower. Available, moved and returned units of one epoch give the taken ones too.
func (r *redis) still(sku uint8, before seen) bool {
	now := r.look(sku)
	higher := now.seq >= before.seq
	now.seq = before.seq
	return higher && now == before && r.available[sku] == 0
}

// lookIntoBooks compares what moved in Redis with what moved in the database.
func (x *expansion) lookIntoBooks(t *State) string {
	at := &t.asker
	for k := range x.Buckets {
		row := &t.rows[k]
		now := seen{row.epoch, at.seen[k].seq, row.movedEpoch[at.sku], row.givenEpoch[at.sku]}
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
	if k < x.Buckets && (k == 0 || x.keeps(WholeSKU)) && !r.still(at.sku, at.seen[k]) {
		*at = asker{}
		return "the bucket has moved"
	}
	if at.step++; at.step == saidNoMore {
		return "answers sold out"
	}
	return "sees that the bucket has not moved"
}

// free counts the units of the asker's SKU that belong neither to a confirmed order nor to one that was taken and is still on
// its way; below 0 when more were taken than loaded.
func (x *expansion) free(t *State) int {
	sku, free := t.asker.sku, 0
	for k := range x.Buckets {
		free += int(t.rows[k].loaded[sku])
	}
	for o := uint8(1); o <= t.orders; o++ {
		if t.status[o] == confirmed || t.status[o] == absent && t.life[o] != 0 && !x.gone(t, o) {
			free -= int(x.press(t, o).lines[sku])
		}
	}
	return free
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
