package protocol

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
