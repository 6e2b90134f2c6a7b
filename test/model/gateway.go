package protocol

// calls are the calls that gateways may make now to a bucket: under the epoch that is open in the database, or under an
// older one that a stalled gateway still uses; to Redis, or to an old primary that was left behind.
func (x *expansion) calls(k int) {
	s := x.from
	for g := range actors {
		gw := &s.gateways[g]
		if gw.doing != idle || g > 0 && s.gateways[g-1] == (gateway{}) {
			continue // gateways that have done nothing are alike
		}
		present := s.rows[k].epoch
		isOpen := s.rows[k].state == open
		switch {
		case !x.keeps(EpochFromDatabase):
			if s.redis[k].loaded == open {
				x.callsUnder(g, k, s.redis[k].epoch, "calls")
			}
		case isOpen:
			x.callsUnder(g, k, present, "calls")
		}
		if believed := gw.epoch[k]; believed != 0 && (believed != present || !isOpen) {
			x.callsUnder(g, k, believed, "calls with a stale view")
		}
	}
}

// callsUnder makes every call of one or two purchases.
func (x *expansion) callsUnder(g, k int, epoch uint8, text string) {
	for b := k; b < len(x.Buyers); b += x.Buckets {
		next := int(x.from.pressed[b])
		if next == len(x.Buyers[b]) {
			continue
		}
		one := x.first[b] + next
		x.callWith(g, k, epoch, text, one, -1)
		if x.Batch < 2 {
			continue
		}
		if next+1 < len(x.Buyers[b]) {
			x.callWith(g, k, epoch, text, one, one+1)
		}
		for other := b + x.Buckets; other < len(x.Buyers); other += x.Buckets {
			if pressed := int(x.from.pressed[other]); pressed < len(x.Buyers[other]) {
				x.callWith(g, k, epoch, text, one, x.first[other]+pressed)
			}
		}
	}
}

func (x *expansion) callWith(g, k int, epoch uint8, text string, one, two int) {
	if two >= 0 {
		text += " for two"
	}
	x.call(g, k, epoch, text, false, one, two)
	if x.from.hasOld[k] == 1 {
		x.call(g, k, epoch, text+" at the old primary", true, one, two)
	}
}

// call is one call of the reserve script, with its answer or without.
func (x *expansion) call(g, k int, epoch uint8, text string, toOld bool, one, two int) {
	presses := []int{one, two}
	if two < 0 {
		presses = presses[:1]
	}
	t := *x.from
	ids, ok := x.newOrders(&t, presses)
	if !ok {
		return
	}
	gw := &t.gateways[g]
	if gw.epoch[k] < epoch {
		gw.epoch[k], gw.highest[k] = epoch, 0
	}
	if x.keeps(CallDeadline) || toOld {
		x.unanswered(&t, g, k, epoch, text, toOld, ids)
	} else {
		x.delayed(&t, g, k, epoch, ids)
	}
	r := &t.redis[k]
	if toOld {
		r = &t.old[k]
	}
	if x.fenced(r, epoch, gw.seenIn(k, epoch)) {
		return // doubting reports the bucket
	}
	verdicts, batch, ok := x.reserve(&t, r, k, ids)
	if !ok || !x.receive(&t, g, k, r, verdicts, ids, batch) {
		return
	}
	x.to(&t, true, text, g, batch)
}

// unanswered executes the call and loses the answer.
func (x *expansion) unanswered(from *State, g, k int, epoch uint8, text string, toOld bool, ids []uint8) {
	t := *from
	if !t.spend(Unknown) {
		return
	}
	r := &t.redis[k]
	if toOld {
		r = &t.old[k]
	}
	if x.fenced(r, epoch, t.gateways[g].seenIn(k, epoch)) {
		return
	}
	_, batch, ok := x.reserve(&t, r, k, ids)
	if !ok {
		return
	}
	t.gateways[g].ask(k, epoch, ids)
	x.to(&t, false, text+", the answer is lost", g, batch)
}

// delayed leaves the call under way: without a deadline it may reach Redis at any time.
func (x *expansion) delayed(from *State, g, k int, epoch uint8, ids []uint8) {
	t := *from
	if !t.spend(Unknown) {
		return
	}
	t.gateways[g].ask(k, epoch, ids)
	t.gateways[g].underway = 1
	x.to(&t, false, "sends a call that is delayed", g, record{})
}

func (gw *gateway) ask(k int, epoch uint8, ids []uint8) {
	gw.doing, gw.askedIn, gw.askedBucket = asking, epoch, uint8(k)
	gw.asked = [2]uint8{}
	copy(gw.asked[:], ids)
}

func (gw *gateway) seenIn(k int, epoch uint8) uint8 {
	if gw.epoch[k] != epoch {
		return 0
	}
	return gw.highest[k]
}

// newOrders makes an order id for each press.
func (x *expansion) newOrders(t *State, presses []int) (ids []uint8, ok bool) {
	for _, p := range presses {
		if t.orders == maxOrders {
			x.cut++
			return nil, false
		}
		t.orders++
		t.press[t.orders] = uint8(p + 1)
		t.pressed[x.flat[p].buyer]++
		ids = append(ids, t.orders)
	}
	return ids, true
}

// receive takes in a reply: publications for what was taken, answers for the rest. It reports false when the state stays as
// it was: refusals are not part of the state, so the buyer may as well press later.
func (x *expansion) receive(t *State, g, k int, r *redis, verdicts [2]verdict, ids []uint8, batch record) bool {
	gw := &t.gateways[g]
	if batch.first != 0 && batch.seq <= gw.seenIn(k, batch.epoch) {
		t.forked = 1
	}
	if gw.epoch[k] == batch.epoch || batch.first == 0 {
		gw.highest[k] = max(gw.highest[k], r.seq)
	}
	useful := x.publications(gw, k, verdicts[:len(ids)], batch)
	for i := range ids {
		if verdicts[i].kind == replayed {
			x.replay(t, r, verdicts[i])
			useful = true
		}
	}
	if !useful {
		return false
	}
	if batch.first != 0 && !x.keeps(AnswerAfterAck) {
		t.queued |= batch.bits()
	}
	x.forgetIDs(t, verdicts[:len(ids)], ids)
	gw.answered()
	if gw.publications[0].kind != 0 {
		gw.doing = producing
	}
	return true
}

// publications makes one record of what this call took, and one of what an earlier call with the same ids took.
func (x *expansion) publications(gw *gateway, k int, verdicts []verdict, batch record) bool {
	n := 0
	pack := func(r record) {
		gw.publications[n] = r
		n++
	}
	before := record{kind: kindOrders, bucket: uint8(k), epoch: gw.askedIn}
	for _, v := range verdicts {
		if v.kind != takenBefore {
			continue
		}
		if before.first != 0 && before.seq == v.seq {
			before.second = v.order
		} else if before.first == 0 {
			before.first, before.seq = v.order, v.seq
		} else {
			pack(before)
			before.first, before.seq = v.order, v.seq
		}
	}
	if before.first != 0 {
		pack(before)
	}
	if batch.first != 0 && n < 2 {
		pack(batch)
	}
	return n > 0
}

// replay answers a repeated key with its order: held as long as its entry is in the journal.
func (x *expansion) replay(t *State, r *redis, v verdict) {
	if r.inJournal(v.seq) && x.keeps(HeldWhileJournaled) {
		t.held |= bit(v.order)
	} else {
		t.queued |= bit(v.order)
	}
}

// forgetIDs drops the last ids when they became no order, so that equal states stay equal; told keeps ids that were refused
// after an unknown outcome.
func (x *expansion) forgetIDs(t *State, verdicts []verdict, ids []uint8) {
	for i := len(ids) - 1; i >= 0; i-- {
		if v := verdicts[i]; v.kind == taken || v.kind == takenBefore {
			continue
		}
		if ids[i] == t.orders && x.Faults[Unknown] == 0 {
			t.press[t.orders] = 0
			t.orders--
		} else {
			t.told |= bit(ids[i])
		}
	}
}
