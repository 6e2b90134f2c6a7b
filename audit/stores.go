package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flashsale/sale"
)

// The invariants of this file compare stores.

// equation: loaded = available + in flight + settled − released, for every SKU and so for the sale.
func equation(f *facts) (found []evidence) {
	for _, number := range slices.Sorted(maps.Keys(f.buckets)) {
		if b := f.buckets[number]; b.epoch != b.redisEpoch && b.state == sale.BucketOpen {
			found = append(found, against("", "bucket %d is open in epoch %d, Redis is in epoch %d", number, b.epoch,
				b.redisEpoch))
		}
	}
	stocks := f.stock()
	for _, sku := range slices.Sorted(maps.Keys(stocks)) {
		if stock := stocks[sku]; !stock.Holds() {
			found = append(found, against(sku,
				"loaded %d, available %d, in flight %d, settled %d, released %d: difference %d",
				stock.Loaded, stock.Available, stock.InFlight, stock.Settled, stock.Released, stock.Difference()))
		}
	}
	return found
}

// unsettled: every record of the topic has its marker, and every order in it has a row or is in the dead letters.
func unsettled(f *facts) (found []evidence) {
	for _, m := range f.records {
		if len(found) >= maxEvidence {
			return found
		}
		if _, waits := f.letters[m]; !f.markers.has(m) && !f.forks.has(m) && !waits {
			found = append(found, against("", "record %d of bucket %d, epoch %d, sequence %d has no marker", m.id, m.at.bucket,
				m.at.epoch, m.at.sequence))
		}
	}
	for order := range rowless(f.orders, f.rows) {
		if len(found) >= maxEvidence {
			break
		}
		if !f.dead[order.id] {
			found = append(found, against("", "order %d is in the topic and has no row", order.id))
		}
	}
	return found
}

// unrecorded: every row is an order of the topic with the same buyer, lines, prices and bucket.
func unrecorded(f *facts) (found []evidence) {
	for is, recorded := range paired(f.rows, f.orders) {
		if len(found) >= maxEvidence {
			break
		}
		switch {
		case recorded == nil && f.mayBeDeleted(is):
		case recorded == nil:
			found = append(found, against(f.words.claim(is.claim).sku,
				"order %d has a row and is in no record of the topic", is.id))
		case recorded.buyer != is.buyer || recorded.bucket != int64(is.bucket) || recorded.basket != is.basket:
			found = append(found, against(f.words.claim(is.claim).sku,
				"order %d: the record says buyer %s, bucket %d, %s; its row says %s, %d, %s", is.id, f.words.text(recorded.buyer),
				recorded.bucket, f.baskets.written(recorded.basket), f.words.text(is.buyer), is.bucket,
				f.baskets.written(is.basket)))
		}
	}
	return found
}

// deletedRecords says how many rows cannot be compared with their records.
func deletedRecords(f *facts) string {
	count := 0
	for is, recorded := range paired(f.rows, f.orders) {
		if recorded == nil && f.mayBeDeleted(is) {
			count++
		}
	}
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("the topic no longer has the records of %d rows: they were deleted because of their age", count)
}

// mayBeDeleted reports whether the record of a row may be among those that were deleted from the topic.
func (f *facts) mayBeDeleted(r *row) bool { return f.shortened[f.bucket(int(r.bucket)).partition] }

// redisAgainstShelves: in open buckets, Redis has exactly the SKUs of the database, with their numbers and limits.
func redisAgainstShelves(f *facts) (found []evidence) {
	for _, of := range f.sortedShelves() {
		s, b := f.shelves[of], f.bucket(of.bucket)
		switch {
		case b.state != sale.BucketOpen || b.epoch == 0:
		case !s.inRedis:
			found = append(found, against(of.sku, "bucket %d: Redis does not have the SKU", of.bucket))
		case !s.inDatabase:
			found = append(found, against(of.sku, "bucket %d: Redis has a SKU that the database does not have", of.bucket))
		case s.number != s.redisNumber || s.limit != s.redisLimit:
			found = append(found, against(of.sku, "bucket %d: the SKU has number %d and limit %d, in Redis %d and %d", of.bucket,
				s.number, s.limit, s.redisNumber, s.redisLimit))
		}
	}
	return found
}

// redisAgainstRows: in open buckets, Redis counts exactly the orders that own units, with all their lines.
func redisAgainstRows(f *facts) (found []evidence) {
	for is, entry := range paired(f.rows, f.entries) {
		if len(found) >= maxEvidence {
			break
		}
		if b := f.buckets[int(is.bucket)]; b == nil || b.state != sale.BucketOpen {
			continue
		}
		counts := entry != nil && !entry.gone
		switch live := f.statuses.live(is.status); {
		case live && (!counts || !f.same(is, entry)):
			found = append(found, f.ownsOther(is, entry))
		case !live && counts:
			found = append(found, against(f.words.claim(is.claim).sku, "order %d is %s, Redis still counts %s", is.id,
				f.words.text(is.status), f.baskets.written(entry.basket)))
		}
	}
	for entry := range rowless(f.entries, f.rows) {
		if len(found) >= maxEvidence {
			break
		}
		if !f.dead[entry.id] && !entry.gone {
			found = append(found, against("", "order %d is in Redis and has no row", entry.id))
		}
	}
	return found
}

// same reports whether Redis has the order of a row with its buyer, bucket, SKUs and quantities.
func (f *facts) same(is *row, entry *seen) bool {
	return entry.buyer == is.buyer && entry.bucket == int64(is.bucket) && entry.basket == f.baskets.unpriced(is.basket)
}

// ownsOther says what Redis counts for a live row, where entry is not its order.
func (f *facts) ownsOther(is *row, entry *seen) evidence {
	var counted, buyer string
	if entry != nil {
		buyer = f.words.text(entry.buyer)
		if !entry.gone {
			counted = f.baskets.written(entry.basket)
		}
	}
	return against(f.words.claim(is.claim).sku, "order %d of buyer %s owns %s; Redis counts %s for it, of buyer %s", is.id,
		f.words.text(is.buyer), f.baskets.written(is.basket), counted, buyer)
}

// gaps counts, in each epoch, the sequence numbers below the highest one that no settled record has: Redis lost those
// records before Kafka had them. Their orders were answered held at most.
func (f *facts) gaps() int64 {
	type life struct {
		bucket int
		epoch  int64
	}
	highest, count := map[life]int64{}, map[life]int64{}
	for _, m := range f.markers {
		l := life{m.at.bucket, m.at.epoch}
		highest[l] = max(highest[l], m.at.sequence)
		count[l]++
	}
	var missing int64
	for l, top := range highest {
		missing += top - count[l]
	}
	return missing
}

func compareWrites(a, b writeID) int {
	return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.sequence, b.sequence))
}

// compareTexts compares by the first pair, then by the second.
func compareTexts(a, b, c, d string) int { return cmp.Or(cmp.Compare(a, b), cmp.Compare(c, d)) }
