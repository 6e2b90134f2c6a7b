package protocol

import "fmt"

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
