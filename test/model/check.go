package protocol

import "fmt"

// Broken is a promise that a state breaks, "" for none.
type Broken string

// endless is an epoch that no setup reaches with its few faults.
const endless = 9

// always checks what must hold at every moment.
func (x *expansion) always(t *State) Broken {
	if t.asker.step == saidNoMore && t.asker.emptySeen == 0 {
		return "sold out was answered although units were free all the time"
	}
	if t.forked == 1 {
		return "a gateway made two batches at one sequence"
	}
	if t.accused == 1 {
		return "a bucket is closed for a loss that was none"
	}
	if t.sold == 1 {
		return "a server that went back was sold from"
	}
	if t.decided > t.takes {
		return "a stock change was decided twice"
	}
	if b := x.stockRows(t); b != "" {
		return b
	}
	if b := x.orderRows(t); b != "" {
		return b
	}
	if t.lost == 0 {
		return x.answers(t)
	}
	return ""
}

// stockRows checks each SKU's units, in every bucket and over all.
func (x *expansion) stockRows(t *State) Broken {
	var loaded, inRedis, slack units
	for k := range x.Buckets {
		row, r := &t.rows[k], &t.redis[k]
		if row.epoch == endless {
			return "rebuilt again and again"
		}
		loaded = loaded.plus(row.loaded)
		if !row.loaded.covers(row.settled.minus(row.released)) {
			return "oversell: a bucket has more orders than units"
		}
		if !r.available.covers(units{}) {
			return "redis has fewer than no units"
		}
		here := x.units(t, k)
		if t.lost == 1 || r.epoch < row.epoch {
			slack = t.taken // Redis has again, or in the epoch that is over, what was taken back
		}
		if x.Buckets == 1 && !row.loaded.plus(slack).covers(here) {
			return tooRich
		}
		inRedis = inRedis.plus(here)
	}
	if loaded != x.stock().plus(t.raised).minus(t.taken) {
		return "the loaded units are not conserved"
	}
	if t.lost == 0 && !loaded.plus(slack).covers(inRedis) {
		return tooRich
	}
	return ""
}

// stock is what all buckets together were loaded with.
func (x *expansion) stock() (all units) {
	for range x.Buckets {
		all = all.plus(x.Stock)
	}
	return all
}

// units counts what Redis has of a bucket's units: available ones and those of buyers.
func (x *expansion) units(t *State, k int) units {
	has := t.redis[k].available
	for o := uint8(1); o <= t.orders; o++ {
		if t.redis[k].entries[o].sold() {
			has = has.plus(x.press(t, o).lines)
		}
	}
	return has
}

// orderRows checks the rows that count: no more than loaded, than the limits, than one for a press or a key.
func (x *expansion) orderRows(t *State) Broken {
	var bought [maxBuyers]units
	for k := range x.Buckets {
		if t.rows[k].settled.minus(t.rows[k].released) != x.standing(t, k) {
			return "a stock row and its orders differ"
		}
	}
	for o := uint8(1); o <= t.orders; o++ {
		if t.status[o] != confirmed {
			continue
		}
		press := x.press(t, o)
		has := &bought[press.buyer]
		*has = has.plus(press.lines)
		if !(units{int8(x.Limit), int8(x.Limit)}).covers(*has) {
			return "a buyer is beyond the limit"
		}
		if x.SaleLimit > 0 && has.all() > x.SaleLimit {
			return "a buyer is beyond the limit of the sale"
		}
		if t.told&bit(o) != 0 && t.lost == 0 {
			return "an order that its buyer was refused"
		}
		for other := uint8(1); other <= t.orders; other++ {
			if other == o || t.status[other] != confirmed && t.status[other] != cancelled {
				continue
			}
			if t.press[other] == t.press[o] {
				return "two orders for one press"
			}
			if p := x.press(t, other); p.buyer == press.buyer && p.key == press.key && p.key != 0 {
				return "two orders for one key"
			}
		}
	}
	return x.refusals(t)
}

// answers checks the answers to buyers while Redis has lost nothing.
func (x *expansion) answers(t *State) Broken {
	var promised, loaded units
	for k := range x.Buckets {
		loaded = loaded.plus(t.rows[k].loaded)
	}
	for o := uint8(1); o <= t.orders; o++ {
		if (t.queued|t.held)&bit(o) == 0 {
			continue
		}
		press := x.press(t, o)
		if t.queued&bit(o) != 0 && (t.status[o] == absent || t.status[o] == confirmed) {
			promised = promised.plus(press.lines)
		}
		for other := uint8(1); other < o && press.key != 0; other++ {
			p := x.press(t, other)
			if (t.queued|t.held)&^t.deadLetters&bit(other) != 0 && p.buyer == press.buyer && p.key == press.key {
				return "one key was answered with two orders although redis lost nothing"
			}
		}
	}
	if !loaded.covers(promised) {
		return "more was promised than loaded although redis lost nothing"
	}
	return ""
}

// atRest checks what must hold when no fair step is left.
func (x *expansion) atRest(t *State) Broken {
	for k := range x.Buckets {
		if b := x.bucketAtRest(t, k); b != "" {
			return b
		}
	}
	if t.decided != t.takes {
		return "lost: a take-back was never decided"
	}
	for o := uint8(1); o <= t.orders; o++ {
		switch {
		case t.status[o] == cancelled && t.rows[x.press(t, o).bucket].state == open && x.barred(t, o):
			return "a buyer whose units went back may not buy again"
		case t.status[o] != absent:
		case t.queued&bit(o) != 0:
			return Broken(fmt.Sprintf("lost: order %d was queued and has no row", o))
		case t.held&bit(o) != 0 && t.mislaid&bit(o) == 0:
			return Broken(fmt.Sprintf("lost: order %d was held and has no row although redis had not forgotten it", o))
		}
	}
	return ""
}

func (x *expansion) bucketAtRest(t *State, k int) Broken {
	row, r := &t.rows[k], &t.redis[k]
	switch {
	case row.state != open || r.epoch != row.epoch || r.script == 0 && x.keeps(ScriptFence) || r.loaded != open:
		return "stuck: the bucket does not sell"
	case r.journaled != 0 || t.settled[k] != t.written[k]:
		return "stuck: records wait"
	case t.outbox[k][0].number != 0:
		return "stuck: the outbox waits"
	case r.available != row.free():
		return Broken(fmt.Sprintf("leak: loaded %s, settled %s, released %s, but available %s",
			row.loaded, row.settled, row.released, r.available))
	case r.moved != row.movedEpoch || r.returned != row.givenEpoch:
		return "what moved in redis and in the books differs at rest"
	}
	for o := uint8(1); o <= t.orders; o++ {
		if x.press(t, o).bucket != k {
			continue
		}
		e := r.entries[o]
		switch {
		case e.sold() != (t.status[o] == confirmed):
			return Broken(fmt.Sprintf("order %d is sold in one of redis and the database only", o))
		case t.status[o] == refused && e.released():
			return Broken(fmt.Sprintf("order %d, which was refused, counts as one that was given back", o))
		case t.status[o] == cancelled && x.press(t, o).key != 0 && !e.released() && !x.forgotten(t, o):
			return Broken(fmt.Sprintf("the key of order %d, which was given back, does not answer", o))
		}
	}
	return ""
}

// forgotten reports whether a buyer has given as many orders of each of its SKUs back after this one as Redis keeps.
func (x *expansion) forgotten(t *State, o uint8) bool {
	press := x.press(t, o)
	var count [skus]int
	press.count(&count)
	for other := o + 1; other <= t.orders; other++ {
		if t.status[other] == cancelled && x.press(t, other).buyer == press.buyer {
			x.press(t, other).count(&count)
		}
	}
	return x.Kept > 0 && !x.newest(press, &count)
}

// barred reports whether the buyer of an order that was given back may not take the same again, without any other order.
func (x *expansion) barred(t *State, o uint8) bool {
	for other := uint8(1); other <= t.orders; other++ {
		if t.status[other] == confirmed && x.press(t, other).buyer == x.press(t, o).buyer {
			return false
		}
	}
	if t.orders == maxOrders || x.press(t, o).key != 0 {
		return false
	}
	again := *t
	again.orders++
	again.press[again.orders] = t.press[o]
	return x.decide(&again, &again.redis[x.press(t, o).bucket], again.orders).kind == overLimit
}

// standing counts the units of a bucket's confirmed orders.
func (x *expansion) standing(t *State, k int) (has units) {
	for o := uint8(1); o <= t.orders; o++ {
		if press := x.press(t, o); t.status[o] == confirmed && press.bucket == k {
			has = has.plus(press.lines)
		}
	}
	return has
}

// refusals checks that no order that was queued or held is refused, unless Redis lost a write of that epoch or a later one,
// or the operator refused the order.
func (x *expansion) refusals(t *State) Broken {
	for o := uint8(1); o <= t.orders; o++ {
		if t.status[o] == refused && (t.queued|t.held)&^t.deadLetters&bit(o) != 0 && t.life[o] > t.lostIn[x.press(t, o).bucket] {
			return "an order that was queued or held is refused although redis lost nothing"
		}
	}
	return ""
}
