package check

import (
	"cmp"
	"fmt"
	"slices"
)

// bucketOf names a bucket.
type bucketOf struct {
	item
	number int
}

// checkBuckets: at rest each bucket's units are where its books say, its rows and its counters agree, both stores know it as
// open in one epoch, and Redis knows as owners exactly the orders that count.
func checkBuckets(e *Evidence, r *report) {
	standing, back, owned := map[bucketOf]int64{}, map[bucketOf]int64{}, map[bucketOf][]string{}
	for i := range e.Rows {
		row := &e.Rows[i]
		of := bucketOf{item{row.Sale, row.SKU}, row.Bucket}
		switch {
		case row.stands():
			standing[of] += int64(row.Quantity)
			owned[of] = append(owned[of], fmt.Sprintf("%s %s %d", row.Buyer, row.Order, row.Quantity))
		case row.returned():
			back[of] += int64(row.Quantity)
		}
	}
	rows := e.rowsByID()
	for i := range e.Buckets {
		b := &e.Buckets[i]
		of := bucketOf{item{b.Sale, b.SKU}, b.Number}
		name := fmt.Sprintf("%s/%s/%d", b.Sale, b.SKU, b.Number)
		switch {
		case !b.Holds():
			r.fault("bucket %s: the stock equation is off by %d: %+v", name, b.Difference(), b.Stock)
		case b.InFlight != 0:
			r.fault("bucket %s: %d units in flight at rest", name, b.InFlight)
		}
		if b.Settled-b.Released != standing[of] || b.Released != back[of] {
			r.fault("bucket %s: settled %d and released %d, its rows are %d that stand and %d given back", name, b.Settled,
				b.Released, standing[of], back[of])
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

// checkOwners compares the owners in Redis with the rows that stand. A refused order is in no entry: it would count as a
// cancelled one.
func checkOwners(name string, owners []Owner, owned []string, rows map[string]*Row, r *report) {
	known := []string{}
	for _, o := range owners {
		if row := rows[o.Order]; row != nil && row.Status == "refused" {
			r.fault("bucket %s: Redis remembers order %s, which was refused: %+v", name, o.Order, o)
		} else if o.Units > 0 {
			known = append(known, fmt.Sprintf("%s %s %d", o.Buyer, o.Order, o.Units))
		}
	}
	slices.SortFunc(known, cmp.Compare[string])
	slices.SortFunc(owned, cmp.Compare[string])
	if !slices.Equal(known, owned) {
		r.fault("bucket %s: Redis knows the owners %v, the rows are of %v", name, known, owned)
	}
}

// checkWaiting: at rest nothing is on its way any more.
func checkWaiting(e *Evidence, r *report) {
	for what, n := range e.Waiting {
		if n != 0 {
			r.fault("%d %s wait", n, what)
		}
	}
}
