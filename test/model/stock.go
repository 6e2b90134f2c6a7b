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
		r.available = r.available.minus(x.takenOf(r, x.press(t, id).lines))
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

// takenOf is what a purchase that is taken takes of its lines: all of them, or without that rule what is there.
func (x *expansion) takenOf(r *redis, lines units) units {
	if !x.keeps(LinesWhole) {
		return lines.least(r.available)
	}
	return lines
}

// decide returns one purchase's verdict by the buyer's entries in the buyers hash.
func (x *expansion) decide(t *State, r *redis, id uint8) verdict {
	press := x.press(t, id)
	if r.seenIn(id) {
		return verdict{takenBefore, id, r.entries[id].sequence()}
	}
	var bought units
	var released [skus]int
	for o := uint8(1); o <= t.orders; o++ {
		e := r.entries[o]
		if e == 0 {
			continue
		}
		other := x.press(t, o)
		if other.buyer != press.buyer {
			continue
		}
		if x.sameKey(press, other) && x.keeps(KeyAnswersOnce) && (e.sold() || x.keeps(KeyAnswersAfterRelease)) {
			if other.lines != press.lines {
				return verdict{keyReused, o, e.sequence()}
			}
			return verdict{replayed, o, e.sequence()}
		}
		if e.sold() || !x.keeps(ReleasedCountsNot) {
			bought = bought.plus(other.lines)
		}
		if e.released() {
			other.count(&released)
		}
	}
	switch {
	case x.overLimit(bought, press.lines):
		return verdict{kind: overLimit}
	case x.grieves(press, &released):
		return verdict{kind: grieves}
	case !x.left(r, press.lines):
		return verdict{kind: notLeft}
	}
	return verdict{kind: taken, order: id}
}

// sameKey reports whether two presses of a buyer have one key: a key is one in the whole sale.
func (x *expansion) sameKey(p, other *pressed) bool {
	return p.key != 0 && other.key == p.key && (x.keeps(KeyOfSale) || p.lines.least(other.lines).all() > 0)
}

// overLimit reports whether the lines are beyond the limit of their SKUs or of the sale.
func (x *expansion) overLimit(bought, lines units) bool {
	if x.SaleLimit > 0 && x.keeps(SaleLimit) && bought.all()+lines.all() > x.SaleLimit {
		return true
	}
	for sku, n := range lines {
		if n > 0 && bought[sku]+n > int8(x.Limit) {
			return true
		}
	}
	return false
}

// grieves reports whether Redis keeps as many released orders of the buyer as it keeps at most of a SKU: of one of the
// lines, or when the press has a key, of any SKU, because an older order with that key may be forgotten.
func (x *expansion) grieves(p *pressed, released *[skus]int) bool {
	for sku, n := range released {
		if x.Kept == 0 || n < x.Kept {
			continue
		}
		if p.lines[sku] > 0 && x.keeps(ReleasedBounded) || p.key != 0 && x.keeps(ReleasedBounded) && x.keeps(KeyNotForgotten) {
			return true
		}
	}
	return false
}

// left reports whether all units of the lines are there; without that rule any of them.
func (x *expansion) left(r *redis, lines units) bool {
	if !x.keeps(LinesWhole) {
		return lines.least(r.available).all() > 0
	}
	return r.available.covers(lines)
}

// count adds an order to the count of each of its SKUs.
func (p *pressed) count(of *[skus]int) {
	for sku, n := range p.lines {
		if n > 0 {
			of[sku]++
		}
	}
}

// newest reports whether the order, counted already, is among the newest kept ones of any of its SKUs.
func (x *expansion) newest(p *pressed, count *[skus]int) bool {
	for sku, n := range p.lines {
		if n > 0 && count[sku] <= x.Kept {
			return true
		}
	}
	return false
}

// forget drops of each buyer's released orders those that are not among the newest kept ones of any of their SKUs.
func (x *expansion) forget(t *State, r *redis) {
	if x.Kept == 0 {
		return
	}
	var kept [maxBuyers][skus]int
	for o := t.orders; o > 0; o-- {
		if !r.entries[o].released() {
			continue
		}
		press := x.press(t, o)
		count := &kept[press.buyer]
		press.count(count)
		if !x.newest(press, count) {
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
