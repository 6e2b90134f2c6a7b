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
	for _, at := range slices.SortedFunc(maps.Keys(f.records), compareWrites) {
		for _, id := range f.records[at] {
			if _, waits := f.letters[mark{at, id}]; f.markers[at] != id && !slices.Contains(f.forks[at], id) && !waits {
				found = append(found, against("", "record %d of bucket %d, epoch %d, sequence %d has no marker", id, at.bucket,
					at.epoch, at.sequence))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.orders)) {
		if _, settled := f.rows[id]; !settled && !f.dead[id] {
			found = append(found, against("", "order %d is in the topic and has no row", id))
		}
	}
	return found
}

// unrecorded: every row is an order of the topic with the same buyer, lines, prices and bucket.
func unrecorded(f *facts) (found []evidence) {
	for _, id := range slices.Sorted(maps.Keys(f.rows)) {
		recorded, known := f.orders[id]
		is := f.rows[id]
		switch {
		case !known && f.mayBeDeleted(is):
		case !known:
			found = append(found, against(is.sku, "order %d has a row and is in no record of the topic", id))
		case recorded.buyer != is.buyer || recorded.bucket != is.bucket || !sameUnits(recorded.lines, is.lines, true):
			found = append(found, against(is.sku, "order %d: the record says buyer %s, bucket %d, %s; its row says %s, %d, %s",
				id, recorded.buyer, recorded.bucket, written(recorded.lines), is.buyer, is.bucket, written(is.lines)))
		}
	}
	return found
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
func (f *facts) mayBeDeleted(r row) bool { return f.shortened[f.bucket(r.bucket).partition] }

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
	for _, id := range slices.Sorted(maps.Keys(f.rows)) {
		r := f.rows[id]
		if b := f.buckets[r.bucket]; b == nil || b.state != sale.BucketOpen {
			continue
		}
		entry, known := f.entries[id]
		counts := known && !entry.gone
		switch same := entry.buyer == r.buyer && entry.bucket == r.bucket && sameUnits(entry.lines, r.lines, false); {
		case r.live() && (!counts || !same):
			found = append(found, against(r.sku, "order %d of buyer %s owns %s; Redis counts %s for it, of buyer %s", id, r.buyer,
				written(r.lines), written(entry.counted()), entry.buyer))
		case !r.live() && counts:
			found = append(found, against(r.sku, "order %d is %s, Redis still counts %s", id, r.status, written(entry.lines)))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.entries)) {
		if _, settled := f.rows[id]; !settled && !f.dead[id] && !f.entries[id].gone {
			found = append(found, against("", "order %d is in Redis and has no row", id))
		}
	}
	return found
}

// counted returns the lines that an entry of Redis counts.
func (r row) counted() []line {
	if r.gone {
		return nil
	}
	return r.lines
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

func compareWrites(a, b writeID) int {
	return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.sequence, b.sequence))
}

// compareTexts compares by the first pair, then by the second.
func compareTexts(a, b, c, d string) int { return cmp.Or(cmp.Compare(a, b), cmp.Compare(c, d)) }
