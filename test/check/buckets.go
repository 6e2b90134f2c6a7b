package check

import (
	"cmp"
	"fmt"
	"slices"

	"flashsale/test/buyers/history"
)

// bucketOf names a bucket, shelfOf the units of one SKU in it.
type bucketOf struct {
	sale   string
	number int
}

type shelfOf struct {
	bucketOf
	sku string
}

// checkBuckets: at rest each SKU's units in each bucket obey the stock equation, its rows and its counters agree.
// Each bucket is open in the same epoch in both stores, and Redis has exactly its confirmed and paid orders as owners.
func checkBuckets(e *Evidence, r *report) {
	standing, back, owned := map[shelfOf]int64{}, map[shelfOf]int64{}, map[bucketOf][]string{}
	for i := range e.Rows {
		row := &e.Rows[i]
		of := bucketOf{row.Sale, row.Bucket}
		for _, line := range row.Lines {
			switch {
			case row.takesUnits():
				standing[shelfOf{of, line.SKU}] += int64(line.Quantity)
			case row.returned():
				back[shelfOf{of, line.SKU}] += int64(line.Quantity)
			}
		}
		if row.takesUnits() {
			owned[of] = append(owned[of], ownerText(row.Buyer, row.Order, row.Lines))
		}
	}
	rows := e.rowsByID()
	for i := range e.Buckets {
		b := &e.Buckets[i]
		of := bucketOf{b.Sale, b.Number}
		name := fmt.Sprintf("%s/%d", b.Sale, b.Number)
		for j := range b.Shelves {
			s := &b.Shelves[j]
			at := shelfOf{of, s.SKU}
			checkShelf(name+" "+s.SKU, s, standing[at], back[at], r)
		}
		if b.State != "open" || b.RedisState != "open" || b.Epoch != b.RedisEpoch {
			r.fault("bucket %s is %s in epoch %d, in Redis %s in epoch %d", name, b.State, b.Epoch, b.RedisState, b.RedisEpoch)
		}
		if b.Owners != nil {
			checkOwners(name, b.Owners, owned[of], rows, r)
		}
	}
	r.count("buckets", len(e.Buckets))
}

func checkShelf(name string, s *Shelf, standing, back int64, r *report) {
	switch {
	case !s.Holds():
		r.fault("bucket %s: the stock equation is off by %d: %+v", name, s.Difference(), s.Stock)
	case s.InFlight != 0:
		r.fault("bucket %s: %d units in flight at rest", name, s.InFlight)
	}
	if s.Settled-s.Released != standing || s.Released != back {
		r.fault("bucket %s: settled %d and released %d, its rows are %d confirmed or paid and %d given back", name, s.Settled,
			s.Released, standing, back)
	}
}

// ownerText names an order with its lines, whatever their order.
func ownerText(buyer, order string, lines []history.Line) string {
	return buyer + " " + order + " " + history.LinesText(bySKU(lines))
}

// bySKU returns lines sorted by SKU.
func bySKU(lines []history.Line) []history.Line {
	return slices.SortedFunc(slices.Values(lines), func(a, b history.Line) int { return cmp.Compare(a.SKU, b.SKU) })
}

// checkOwners compares the owners in Redis with the confirmed and paid rows. A refused order has no entry: an entry would
// count as a cancelled order.
func checkOwners(name string, owners []Owner, owned []string, rows map[string]*Row, r *report) {
	known := []string{}
	for _, o := range owners {
		if row := rows[o.Order]; row != nil && row.Status == "refused" {
			r.fault("bucket %s: Redis remembers order %s, which was refused: %+v", name, o.Order, o)
		} else if !o.Gone {
			known = append(known, ownerText(o.Buyer, o.Order, o.Lines))
		}
	}
	slices.SortFunc(known, cmp.Compare[string])
	slices.SortFunc(owned, cmp.Compare[string])
	if !slices.Equal(known, owned) {
		r.fault("bucket %s: Redis has the owners %v, the rows have %v", name, known, owned)
	}
}

// checkWaiting: at rest no record, row or entry waits.
func checkWaiting(e *Evidence, r *report) {
	for what, n := range e.Waiting {
		if n != 0 {
			r.fault("%d %s wait", n, what)
		}
	}
}
