package protocol

// answered ends the asking: the gateway has an outcome, or gave the answer unknown. A call that is still under way may
// reach Redis later.
func (gw *gateway) answered() {
	gw.doing = idle
	gw.forgetCall()
}

func (gw *gateway) forgetCall() {
	if gw.underway == 0 {
		gw.asked, gw.askedIn, gw.askedBucket = [2]uint8{}, 0, 0
	}
}

func (gw *gateway) ids() []uint8 {
	if gw.asked[1] != 0 {
		return gw.asked[:2]
	}
	return gw.asked[:1]
}

// askingAgain resolves an unknown outcome: the same call once more, with the same order ids, after the deadline of the
// first, which therefore cannot happen any more.
func (x *expansion) askingAgain(g int) {
	x.arriving(g)
	if x.from.gateways[g].doing != asking {
		return
	}
	t := *x.from
	gw := &t.gateways[g]
	k, epoch := int(gw.askedBucket), gw.askedIn
	ids := append([]uint8{}, gw.ids()...)
	r := &t.redis[k]
	if x.fenced(r, epoch, gw.seenIn(k, epoch)) {
		gw.answered()
		x.to(&t, true, "asks again, is fenced, answers unknown", g, record{})
		return
	}
	if !x.keeps(SameIDsAskedAgain) {
		if ids = x.otherIDs(&t, ids); ids == nil {
			return
		}
	}
	verdicts, batch, ok := x.reserve(&t, r, k, ids)
	if !ok {
		return
	}
	if !x.receive(&t, g, k, r, verdicts, ids, batch) {
		x.forgetIDs(&t, verdicts[:len(ids)], ids)
		gw.answered()
	}
	x.to(&t, true, "asks again", g, batch)
}

// otherIDs are new ids for the presses of a call, which is what no gateway may make.
func (x *expansion) otherIDs(t *State, ids []uint8) []uint8 {
	var other []uint8
	for _, id := range ids {
		if t.orders == maxOrders {
			x.cut++
			return nil
		}
		t.orders++
		t.press[t.orders] = t.press[id]
		other = append(other, t.orders)
	}
	return other
}

// arriving is a call without a deadline that reaches Redis late.
func (x *expansion) arriving(g int) {
	if x.from.gateways[g].underway == 0 {
		return
	}
	t := *x.from
	gw := &t.gateways[g]
	k, ids := int(gw.askedBucket), append([]uint8{}, gw.ids()...)
	gw.underway = 0
	if gw.doing != asking {
		gw.forgetCall()
	}
	r := &t.redis[k]
	if !x.fenced(r, x.from.gateways[g].askedIn, 0) {
		if _, _, ok := x.reserve(&t, r, k, ids); !ok {
			return
		}
	}
	x.to(&t, true, "a delayed call reaches redis", g, record{})
}

// bits returns the orders of a record as bits.
func (r *record) bits() (all uint8) {
	for _, o := range r.ordersOf() {
		all |= bit(o)
	}
	return all
}

// publishing sends a gateway's publications to Kafka, one after the other, answers their buyers, and trims what was
// acknowledged.
func (x *expansion) publishing(g int) {
	gw := &x.from.gateways[g]
	if gw.doing == idle {
		return
	}
	if gw.doing == producing {
		x.produce(g)
	}
	if gw.doing == trimming {
		t := *x.from
		x.trim(&t.redis[gw.publications[0].bucket], gw.publications[0])
		t.gateways[g].shift()
		x.to(&t, true, "trims", g, gw.publications[0])
	}
	if t := *x.from; t.spend(Crash) {
		t.gateways[g] = gateway{underway: gw.underway, asked: gw.asked, askedIn: gw.askedIn, askedBucket: gw.askedBucket}
		if gw.underway == 0 {
			t.gateways[g] = gateway{}
		}
		x.to(&t, false, "the gateway dies", g, record{})
	}
}

// produce publishes until Kafka acknowledges. A lost acknowledgement means that the record is written twice.
func (x *expansion) produce(g int) {
	publication := x.from.gateways[g].publications[0]
	k := int(publication.bucket)
	t := *x.from
	if x.append(&t, k, publication) {
		if again := t; again.spend(Duplicate) {
			x.to(&again, false, "publishes, the acknowledgement is lost", g, publication)
		}
		t.queued |= publication.bits()
		t.gateways[g].doing = trimming
		x.to(&t, true, "publishes and answers queued", g, publication)
	}
	if t := *x.from; t.spend(Held) {
		t.held |= publication.bits()
		t.gateways[g].shift()
		x.to(&t, false, "answers held and leaves it to the relay", g, publication)
	}
}

// shift turns to the next publication.
func (gw *gateway) shift() {
	gw.publications = [2]record{gw.publications[1], {}}
	gw.doing = producing
	if gw.publications[0].kind == 0 {
		gw.doing = idle
	}
}

// relaying publishes journal entries that were not trimmed in time, with the same bytes, and trims them. An entry whose
// gateway still publishes it is overdue only when that gateway stalls: the record is then written twice.
func (x *expansion) relaying(k int) {
	at := x.from.relays[k]
	t := *x.from
	switch at.doing {
	case 0:
		for _, e := range x.from.redis[k].journal[:x.from.redis[k].journaled] {
			t := *x.from
			busy := x.worked(e)
			if busy && !t.spend(Duplicate) {
				continue
			}
			t.relays[k] = relay{1, e}
			x.to(&t, !busy, "the relay reads", k, e)
		}
		return
	case 1:
		if x.append(&t, k, at.record) {
			t.relays[k].doing = 2
			x.to(&t, true, "the relay publishes", k, at.record)
		}
	case 2:
		x.trim(&t.redis[k], at.record)
		t.relays[k] = relay{}
		x.to(&t, true, "the relay trims", k, at.record)
	}
	if t := *x.from; t.spend(Crash) {
		t.relays[k] = relay{}
		x.to(&t, false, "the relay dies", k, at.record)
	}
}

func (x *expansion) worked(e record) bool {
	for g := range actors {
		for _, p := range x.from.gateways[g].publications {
			if p.kind != 0 && p.identity() == e.identity() {
				return true
			}
		}
	}
	return false
}
