package check

import (
	"cmp"
	"fmt"
	"slices"

	"flashsale/test/buyers/history"
)

// bucketOf names a bucket.
type bucketOf struct {
	sale   string
	number int
}

// shelfOf names the units of a SKU in a bucket.
type shelfOf struct {
	bucketOf
	sku string
}

// checkBuckets: at rest the units of each SKU in each bucket obey the stock equation, the rows and the counters of the bucket
// agree, it is open in the same epoch in both stores, and Redis has exactly its confirmed and paid orders as owners.
func checkBuckets(e *Evidence, r *report) {
	standing, back, owned := map[shelfOf]int64{}, map[shelfOf]int64{}, map[bucketOf][]string{}
	for i := range e.Rows {
		row := &e.Rows[i]
		of := bucketOf{row.Sale, row.Bucket}
		if row.takesUnits() {
			owned[of] = append(owned[of], fmt.Sprintf("%s %s %s", row.Buyer, row.Order, history.Text(row.Lines)))
		}
		for _, line := range row.Lines {
			switch {
			case row.takesUnits():
				standing[shelfOf{of, line.SKU}] += int64(line.Quantity)
			case row.returned():
				back[shelfOf{of, line.SKU}] += int64(line.Quantity)
			}
		}
	}
	rows := e.rowsByID()
	for i := range e.Buckets {
		b := &e.Buckets[i]
		of := bucketOf{b.Sale, b.Number}
		name := fmt.Sprintf("%s/%d", b.Sale, b.Number)
		for j := range b.Shelves {
			at := shelfOf{of, b.Shelves[j].SKU}
			checkShelf(name, &b.Shelves[j], standing[at], back[at], r)
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

// checkShelf compares the counters of a SKU in a bucket with the units of its rows.
func checkShelf(bucket string, s *Shelf, standing, back int64, r *report) {
	switch {
	case !s.Holds():
		r.fault("bucket %s: the stock equation of %s is off by %d: %+v", bucket, s.SKU, s.Difference(), s.Stock)
	case s.InFlight != 0:
		r.fault("bucket %s: %d units of %s in flight at rest", bucket, s.InFlight, s.SKU)
	}
	if s.Settled-s.Released != standing || s.Released != back {
		r.fault("bucket %s: settled %d and released %d of %s, its rows are %d confirmed or paid and %d given back", bucket,
			s.Settled, s.Released, s.SKU, standing, back)
	}
}

// checkOwners compares the owners in Redis with the confirmed and paid rows. A refused order has no entry: an entry would
// count as a cancelled order.
func checkOwners(name string, owners []Owner, owned []string, rows map[string]*Row, r *report) {
	known := []string{}
	for _, o := range owners {
		if row := rows[o.Order]; row != nil && row.Status == "refused" {
			r.fault("bucket %s: Redis remembers order %s, which was refused: %+v", name, o.Order, o)
		} else if !o.Released {
			known = append(known, fmt.Sprintf("%s %s %s", o.Buyer, o.Order, history.Text(o.Lines)))
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
