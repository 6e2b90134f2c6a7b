package audit

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"flashsale/sale"
)

// The invariants of this file judge the rows of orders in one snapshot of the database.

// kind is what rows have in common that count alike in the books.
type kind struct {
	bucket         int32
	basket, status uint32
}

// kinds counts the rows of each kind.
func (f *facts) kinds() map[kind]int64 {
	count := map[kind]int64{}
	for i := range f.rows {
		r := &f.rows[i]
		count[kind{r.bucket, r.basket, r.status}]++
	}
	return count
}

// torn: an order has all its lines, each SKU once, and its row has their sums. No line is without its order.
func torn(f *facts) (found []evidence) {
	for _, id := range f.loose {
		found = append(found, against("", "order %d has lines and no row", id))
	}
	whole := map[[2]uint32]bool{} // by basket and claim
	for i := range f.rows {
		r := &f.rows[i]
		both := [2]uint32{r.basket, r.claim}
		good, known := whole[both]
		if !known {
			good = len(f.tornRow(r)) == 0
			whole[both] = good
		}
		if !good && len(found) < maxEvidence {
			found = append(found, f.tornRow(r)...)
		}
	}
	return found
}

// tornRow returns what speaks against one row.
func (f *facts) tornRow(r *row) (found []evidence) {
	lines, says := f.baskets.lines(r.basket), f.words.claim(r.claim)
	var units, total int64
	for i, l := range lines {
		units, total = units+l.quantity, total+l.quantity*l.price
		if i > 0 && lines[i-1].sku == l.sku {
			found = append(found, against(l.sku, "order %d has the SKU in two lines", r.id))
		}
	}
	if int64(len(lines)) != says.count || units != says.quantity || total != says.total || (says.sku == "") != (says.count > 1) {
		found = append(found, against(says.sku, "order %d: its row says %d lines, %d units, %d cents; its lines are %s", r.id,
			says.count, says.quantity, says.total, f.baskets.written(r.basket)))
	}
	return found
}

// rowsAgainstBooks: settled and released of every SKU in every bucket are the sums of its rows.
func rowsAgainstBooks(f *facts) (found []evidence) {
	type sums struct{ settled, released int64 }
	sold := map[shelfID]sums{}
	for kind, rows := range f.kinds() {
		released := f.statuses.released(kind.status)
		if !released && !f.statuses.live(kind.status) {
			continue
		}
		for _, l := range f.baskets.lines(kind.basket) {
			of := shelfID{int(kind.bucket), l.sku}
			s := sold[of]
			s.settled += rows * l.quantity
			if released {
				s.released += rows * l.quantity
			}
			sold[of] = s
			f.shelf(of)
		}
	}
	for _, of := range f.sortedShelves() {
		s, rows := f.shelves[of], sold[of]
		if s.settled != rows.settled || s.released != rows.released {
			found = append(found, against(of.sku,
				"bucket %d: the stock row counts %d settled, %d released; its orders sum up to %d and %d",
				of.bucket, s.settled, s.released, rows.settled, rows.released))
		}
	}
	return found
}

// paidAgainstRows: the units and orders that are counted as paid are those of the paid rows, of every SKU.
func paidAgainstRows(f *facts) (found []evidence) {
	rows := map[string]paidFacts{}
	for kind, count := range f.kinds() {
		if kind.status != f.statuses.paid {
			continue
		}
		for _, l := range f.baskets.lines(kind.basket) {
			sum := rows[l.sku]
			rows[l.sku] = paidFacts{sum.units + count*l.quantity, sum.orders + count}
		}
	}
	both := maps.Clone(rows)
	maps.Copy(both, f.paid)
	for _, sku := range slices.Sorted(maps.Keys(both)) {
		if counted, sum := f.paid[sku], rows[sku]; counted != sum {
			found = append(found, against(sku, "paid_units counts %d units of %d orders; the paid orders sum up to %d of %d",
				counted.units, counted.orders, sum.units, sum.orders))
		}
	}
	return found
}

// byBuyer passes over the rows of each buyer, sorted by id: their places in f.rows are the lower half of each number.
func (f *facts) byBuyer() iter.Seq[[]uint64] {
	if len(f.buyers) != len(f.rows) {
		f.buyers = make([]uint64, len(f.rows))
		for i := range f.rows {
			f.buyers[i] = uint64(f.rows[i].buyer)<<32 | uint64(i)
		}
		slices.Sort(f.buyers)
	}
	return func(yield func([]uint64) bool) {
		for begin, end := 0, 0; begin < len(f.buyers); begin = end {
			for end < len(f.buyers) && f.buyers[end]>>32 == f.buyers[begin]>>32 {
				end++
			}
			if !yield(f.buyers[begin:end]) {
				return
			}
		}
	}
}

// rowAt returns the row of one number of byBuyer.
func (f *facts) rowAt(number uint64) *row { return &f.rows[uint32(number)] }

// overLimit: no buyer owns more units of a SKU than its limit, nor more units of all SKUs than the sale's.
func overLimit(f *facts) (found []evidence) {
	within := map[uint32]bool{} // by basket: a buyer may own it
	for rows := range f.byBuyer() {
		if len(rows) == 1 { // as most: many of them have equal baskets
			r := f.rowAt(rows[0])
			good, known := within[r.basket]
			if !known {
				good = len(f.overLimitOf("", []uint32{r.basket})) == 0
				within[r.basket] = good
			}
			if good {
				continue
			}
		}
		var owned []uint32
		for _, number := range rows {
			if r := f.rowAt(number); f.statuses.live(r.status) {
				owned = append(owned, r.basket)
			}
		}
		if len(owned) > 0 {
			found = append(found, f.overLimitOf(f.words.text(f.rowAt(rows[0]).buyer), owned)...)
			if len(found) > 50*maxEvidence { // more than is shown needs no memory
				found = firstTexts(found)
			}
		}
	}
	return firstTexts(found)
}

// firstTexts returns the first maxEvidence pieces of evidence by SKU and text.
func firstTexts(found []evidence) []evidence {
	slices.SortFunc(found, func(a, b evidence) int { return compareTexts(a.sku, b.sku, a.text, b.text) })
	return found[:min(len(found), maxEvidence)]
}

// overLimitOf returns what speaks against a buyer who owns the baskets.
func (f *facts) overLimitOf(buyer string, owned []uint32) (found []evidence) {
	held, together := map[string]int64{}, int64(0)
	for _, basket := range owned {
		for _, l := range f.baskets.lines(basket) {
			held[l.sku] += l.quantity
			together += l.quantity
		}
	}
	for sku, units := range held {
		if item := f.items[sku]; item != nil && units > item.limit {
			found = append(found, against(sku, "buyer %s owns %d units, the limit is %d", buyer, units, item.limit))
		}
	}
	if f.saleLimit > 0 && together > f.saleLimit {
		found = append(found, against("", "buyer %s owns %d units of the sale, its limit is %d", buyer, together, f.saleLimit))
	}
	return found
}

// repeatedKey: of a buyer's orders of the sale with the same idempotency key, all but one are refused.
func repeatedKey(f *facts) (found []evidence) {
	type pair struct{ first, second uint32 } // places of rows
	var pairs []pair
	for rows := range f.byBuyer() {
		if len(rows) == 1 {
			continue
		}
		made := map[uint32]uint32{}
		for _, number := range rows {
			r := f.rowAt(number)
			if r.key == 0 || r.status == f.statuses.refused {
				continue
			}
			if other, twice := made[r.key]; twice {
				pairs = append(pairs, pair{other, uint32(number)})
			}
			made[r.key] = uint32(number)
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.second, b.second) })
	for _, p := range pairs[:min(len(pairs), maxEvidence)] {
		r := f.rows[p.second]
		found = append(found, against("", "key %q of buyer %s made orders %d and %d", f.words.text(r.key), f.words.text(r.buyer),
			f.rows[p.first].id, r.id))
	}
	return found
}

// statusCounts counts the rows of each status.
func (f *facts) statusCounts() map[sale.OrderStatus]int64 {
	numbers := map[uint32]int64{}
	for i := range f.rows {
		numbers[f.rows[i].status]++
	}
	counts := map[sale.OrderStatus]int64{}
	for number := range maps.Keys(numbers) {
		counts[sale.OrderStatus(f.words.text(number))] = numbers[number]
	}
	return counts
}
