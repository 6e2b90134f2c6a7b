package audit

import (
	"fmt"
	"maps"
	"slices"

	"flashsale/sale"
)

// Verdict is the result of one invariant, or of the whole audit.
type Verdict string

// An invariant that compares stores is not judged while the sale is in motion.
const (
	Holds     Verdict = "holds"
	Violated  Verdict = "violated"
	NotJudged Verdict = "not_judged"
)

// Line is one invariant of one SKU.
type Line struct {
	Sale      string  `json:"sale"`
	SKU       string  `json:"sku"`
	Invariant string  `json:"invariant"`
	Verdict   Verdict `json:"verdict"`
	Detail    string  `json:"detail,omitempty"` // the first evidence, or why the invariant could not be judged
}

// invariant is a rule and the function that judges it. The function returns the first evidence against the rule, empty
// when there is none.
type invariant struct {
	name   string
	atRest bool // compares stores, so it can be judged only at rest
	judge  func(*facts) string
	open   func(*facts) string // why a part could not be judged, empty when all was; nil: all always is
}

var invariants = []invariant{
	{name: "no_oversell", judge: oversold},
	{name: "rows_match_books", judge: rowsAgainstBooks},
	{name: "limit_per_buyer", judge: overLimit},
	{name: "one_order_per_key", judge: repeatedKey},
	{name: "stock_equation", atRest: true, judge: equation},
	{name: "every_record_settled", atRest: true, judge: unsettled},
	{name: "every_row_recorded", atRest: true, judge: unrecorded, open: deletedRecords},
	{name: "redis_matches_rows", atRest: true, judge: redisAgainstRows},
}

// judge judges every invariant of a SKU.
func judge(f *facts) []Line {
	lines := make([]Line, len(invariants))
	for i, rule := range invariants {
		lines[i] = Line{Sale: f.sale, SKU: f.sku, Invariant: rule.name, Verdict: Holds}
		if rule.atRest && !f.resting {
			lines[i].Verdict, lines[i].Detail = NotJudged, "the sale was in motion while the stores were read"
			continue
		}
		if evidence := rule.judge(f); evidence != "" {
			lines[i].Verdict, lines[i].Detail = Violated, evidence
		} else if rule.open != nil && rule.open(f) != "" {
			lines[i].Verdict, lines[i].Detail = NotJudged, rule.open(f)
		}
	}
	return lines
}

// oversold: the units of live rows never exceed the units loaded.
func oversold(f *facts) string {
	var loaded, live int64
	for _, b := range f.buckets {
		loaded += b.loaded
	}
	for _, r := range f.rows {
		if r.live() {
			live += r.quantity
		}
	}
	if live > loaded {
		return fmt.Sprintf("%d units are sold, %d are loaded", live, loaded)
	}
	return ""
}

// rowsAgainstBooks: settled and released of every bucket are the sums of its rows.
func rowsAgainstBooks(f *facts) string {
	type sums struct{ settled, released int64 }
	found := map[int]sums{}
	for _, r := range f.rows {
		s := found[r.bucket]
		switch {
		case r.live():
			s.settled += r.quantity
		case r.status == sale.StatusCancelled || r.status == sale.StatusExpired:
			s.settled += r.quantity
			s.released += r.quantity
		}
		found[r.bucket] = s
	}
	for _, number := range slices.Sorted(maps.Keys(f.buckets)) {
		b, s := f.buckets[number], found[number]
		if b.settled != s.settled || b.released != s.released {
			return fmt.Sprintf("bucket %d: the stock row counts %d settled, %d released; its orders sum up to %d and %d",
				number, b.settled, b.released, s.settled, s.released)
		}
	}
	return ""
}

// overLimit: no buyer owns more units than the limit.
func overLimit(f *facts) string {
	held := map[string]int64{}
	for _, r := range f.rows {
		if r.live() {
			held[r.buyer] += r.quantity
		}
	}
	for _, buyer := range slices.Sorted(maps.Keys(held)) {
		if held[buyer] > f.limit {
			return fmt.Sprintf("buyer %s owns %d units, the limit is %d", buyer, held[buyer], f.limit)
		}
	}
	return ""
}

// repeatedKey: of the orders with the same idempotency key of a buyer, all but one are refused.
func repeatedKey(f *facts) string {
	made := map[[2]string]sale.OrderID{}
	for _, id := range slices.Sorted(maps.Keys(f.rows)) {
		r := f.rows[id]
		if r.key == "" || r.status == sale.StatusRefused {
			continue
		}
		name := [2]string{r.buyer, r.key}
		if other, twice := made[name]; twice {
			return fmt.Sprintf("key %q of buyer %s made orders %d and %d", r.key, r.buyer, other, id)
		}
		made[name] = id
	}
	return ""
}

// equation: loaded = available + in flight + settled − released.
func equation(f *facts) string {
	for _, number := range slices.Sorted(maps.Keys(f.buckets)) {
		if b := f.buckets[number]; b.epoch != b.redisEpoch && b.state == sale.BucketOpen {
			return fmt.Sprintf("bucket %d is open in epoch %d, Redis is in epoch %d", number, b.epoch, b.redisEpoch)
		}
	}
	if stock := f.stock(); !stock.Holds() {
		return fmt.Sprintf("loaded %d, available %d, in flight %d, settled %d, released %d: difference %d",
			stock.Loaded, stock.Available, stock.InFlight, stock.Settled, stock.Released, stock.Difference())
	}
	return ""
}

// unsettled: every record of the topic has its marker, and every order in it has a row or is in the dead letters.
func unsettled(f *facts) string {
	for at, ids := range f.records {
		for _, id := range ids {
			if _, waits := f.letters[mark{at, id}]; f.markers[at] != id && !slices.Contains(f.forks[at], id) && !waits {
				return fmt.Sprintf("record %d of bucket %d, epoch %d, sequence %d has no marker", id, at.bucket, at.epoch,
					at.sequence)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.orders)) {
		if _, settled := f.rows[id]; !settled && !f.dead[id] {
			return fmt.Sprintf("order %d is in the topic and has no row", id)
		}
	}
	return ""
}

// unrecorded: every row is an order of the topic with the same buyer, quantity and bucket. A row without a record is no
// evidence where earlier records of its partition were deleted.
func unrecorded(f *facts) string {
	for _, id := range slices.Sorted(maps.Keys(f.rows)) {
		recorded, found := f.orders[id]
		written := f.rows[id]
		switch {
		case !found && f.mayBeDeleted(written):
		case !found:
			return fmt.Sprintf("order %d has a row and is in no record of the topic", id)
		case recorded.buyer != written.buyer || recorded.quantity != written.quantity || recorded.bucket != written.bucket:
			return fmt.Sprintf("order %d: the record says buyer %s, %d units, bucket %d; its row says %s, %d, %d", id,
				recorded.buyer, recorded.quantity, recorded.bucket, written.buyer, written.quantity, written.bucket)
		}
	}
	return ""
}

// deletedRecords says how many rows cannot be compared with their records.
func deletedRecords(f *facts) string {
	count := 0
	for id, written := range f.rows {
		if _, found := f.orders[id]; !found && f.mayBeDeleted(written) {
			count++
		}
	}
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("the topic no longer has the records of %d rows: they were deleted because of their age", count)
}

// mayBeDeleted reports whether the record of a row may be among those that were deleted from the topic.
func (f *facts) mayBeDeleted(r row) bool {
	b := f.buckets[r.bucket]
	return b != nil && f.shortened[b.partition]
}

// redisAgainstRows: in open buckets, Redis counts exactly the orders that own units.
func redisAgainstRows(f *facts) string {
	for _, id := range slices.Sorted(maps.Keys(f.rows)) {
		r := f.rows[id]
		if b := f.buckets[r.bucket]; b == nil || b.state != sale.BucketOpen {
			continue
		}
		entry, known := f.entries[id]
		if r.live() && (!known || entry.quantity != r.quantity || entry.buyer != r.buyer) {
			return fmt.Sprintf("order %d of buyer %s owns %d units, Redis has %d for it", id, r.buyer, r.quantity,
				entry.quantity)
		}
		if !r.live() && known && entry.quantity > 0 {
			return fmt.Sprintf("order %d is %s, Redis still counts %d units", id, r.status, entry.quantity)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.entries)) {
		if _, settled := f.rows[id]; !settled && !f.dead[id] && f.entries[id].quantity > 0 {
			return fmt.Sprintf("order %d is in Redis and has no row", id)
		}
	}
	return ""
}

// gaps counts, in each epoch, the sequence numbers below the highest one that no settled record has: Redis lost those
// records before Kafka had them. Their orders were answered held at most.
func (f *facts) gaps() int64 {
	type life struct {
		bucket int
		epoch  int64
	}
	highest, count := map[life]int64{}, map[life]int64{}
	for at := range f.markers {
		l := life{at.bucket, at.epoch}
		highest[l] = max(highest[l], at.sequence)
		count[l]++
	}
	var missing int64
	for l, top := range highest {
		missing += top - count[l]
	}
	return missing
}
