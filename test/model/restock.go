package protocol

// takeAsks is how many units a take-back asks.
const takeAsks = 2

// restocking is the operator, who changes the stock of an open sale: adds a unit of a SKU to a bucket, or takes units back
// from one. A request that arrives again, with its key, changes nothing.
func (x *expansion) restocking(k int) {
	s := x.from
	for sku := range x.sold {
		if t := *s; t.spend(Raise) {
			t.raised[sku]++
			if x.raise(&t, k, sku) {
				x.to(&t, false, "a unit of SKU "+skuNames[sku]+" is added in the database", k, record{})
			}
		}
		if t := *s; x.suffers(k) && t.spend(Take) {
			t.takes++
			if x.outboxRow(&t, k, takeOf(sku)) {
				x.to(&t, false, "units of SKU "+skuNames[sku]+" are taken back in the database", k, record{})
			}
		}
		x.repeating(k, sku)
	}
}

var skuNames = [skus]string{"1", "2"}

func takeOf(sku int) outboxRow { return outboxRow{kind: rowTake, packed: of(sku, takeAsks).packed()} }

// raise is one transaction: stock row and outbox row.
func (x *expansion) raise(t *State, k, sku int) bool {
	row, one := &t.rows[k], of(sku, 1)
	row.loaded = row.loaded.plus(one)
	if x.keeps(RaiseThroughOutbox) {
		return x.outboxRow(t, k, outboxRow{kind: rowRaise, packed: one.packed()})
	}
	row.givenEpoch = row.givenEpoch.plus(one)
	r := &t.redis[k]
	r.available, r.returned = r.available.plus(one), r.returned.plus(one)
	return true
}

// repeating is a request for a stock change that arrives again.
func (x *expansion) repeating(k, sku int) {
	t := *x.from
	switch {
	case t.raised[sku] == 0 && t.takes == 0 || !t.spend(Repeat):
		return
	case x.keeps(ChangeOnce): // its key is there, and the answer is that of the first time
	case t.raised[sku] > 0:
		if !x.raise(&t, k, sku) {
			return
		}
	case !x.outboxRow(&t, k, takeOf(sku)):
		return
	}
	x.to(&t, false, "the request for a stock change arrives again", k, record{})
}

// strikeTake decides an applied take in the database: what Redis found leaves the loaded units. It reports false when orders
// have those units: Redis lost writes, the bucket is closed, and its rebuild decides the take.
func (x *expansion) strikeTake(t *State, k int, take outboxRow, at *outboxApplier) bool {
	row := &t.rows[k]
	var found units
	if take.number == at.appliedNumber {
		found = unpacked(at.found)
	}
	if x.keeps(FoundGuard) && !row.free().covers(found) {
		t.doubt(k)
		return false
	}
	if x.keeps(FoundLowersLoaded) {
		row.loaded = row.loaded.minus(found)
		row.givenEpoch = row.givenEpoch.minus(found)
		t.taken = t.taken.plus(found)
	}
	t.decided++
	return true
}

// free is what no order has of the loaded units.
func (r *row) free() units { return r.loaded.minus(r.settled).plus(r.released) }

// absorbTakes decides the open takes of a bucket whose next epoch begins: each removes what it asks and no order has.
func (x *expansion) absorbTakes(t *State, k int) {
	if !x.keeps(TakeAbsorbed) {
		return
	}
	row := &t.rows[k]
	for _, o := range t.outbox[k] {
		if o.kind != rowTake {
			continue
		}
		free := row.free()
		found := unpacked(o.packed).least(units{max(free[0], 0), max(free[1], 0)})
		row.loaded = row.loaded.minus(found)
		t.taken = t.taken.plus(found)
		t.decided++
	}
}
