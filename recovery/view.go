package recovery

import (
	"iter"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// view is the controller's copy of the catalogue: sales and bucket rows, updated by version. It keeps the pending work apart,
// so that finding none costs nothing, however many sales there are.
type view struct {
	mu      sync.Mutex
	version int64
	sales   map[string]*saleView
	shut    map[sale.Bucket]struct{} // buckets that are not open
	changed map[string]struct{}      // sales whose buckets may lack the newest window
	order   []*bucketView            // every bucket; live sorts it
	mixed   bool                     // order is not sorted
}

// saleView is one sale with its buckets.
type saleView struct {
	sale  sale.Sale
	known bool // the sale itself is in the view, not only buckets of it
	rows  map[sale.Bucket]*bucketView
}

// bucketView is one bucket with its sale.
type bucketView struct {
	sale.BucketRow
	of *saleView
}

func newView() *view {
	return &view{sales: map[string]*saleView{}, shut: map[sale.Bucket]struct{}{}, changed: map[string]struct{}{}}
}

// update adds changes to the view. A row never changes to an older epoch: pages of changes may overlap. An archived sale leaves
// the view with all its buckets.
func (v *view) update(c sale.Changes) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.version = max(v.version, c.Version)
	for _, s := range c.Sales {
		if s.State == sale.StateArchived {
			v.forget(s.ID)
			continue
		}
		of := v.of(s.ID)
		of.sale, of.known = s, true
		v.changed[s.ID] = struct{}{}
	}
	for _, row := range c.Buckets {
		if row.State == sale.BucketArchived {
			v.forget(row.Sale) // the sale itself is in these changes or in the next
			continue
		}
		known := v.bucket(row.Bucket)
		if row.Epoch < known.Epoch {
			continue
		}
		known.BucketRow = row
		delete(v.shut, row.Bucket)
		if row.State != sale.BucketOpen {
			v.shut[row.Bucket] = struct{}{}
		}
	}
}

// forget removes a sale.
func (v *view) forget(id string) {
	s := v.sales[id]
	if s == nil {
		return
	}
	for b := range s.rows {
		delete(v.shut, b)
	}
	v.order = slices.DeleteFunc(v.order, func(b *bucketView) bool { return b.of == s })
	delete(v.changed, id)
	delete(v.sales, id)
}

func (v *view) of(id string) *saleView {
	if v.sales[id] == nil {
		v.sales[id] = &saleView{rows: map[sale.Bucket]*bucketView{}}
	}
	return v.sales[id]
}

func (v *view) bucket(b sale.Bucket) *bucketView {
	s := v.of(b.Sale)
	if s.rows[b] == nil {
		s.rows[b] = &bucketView{of: s}
		v.order, v.mixed = append(v.order, s.rows[b]), true
	}
	return s.rows[b]
}

// live returns the buckets of live sales in order; the caller has the lock during the iteration.
func (v *view) live() iter.Seq[*bucketView] {
	if v.mixed {
		slices.SortFunc(v.order, func(a, b *bucketView) int { return compareBuckets(a.Bucket, b.Bucket) })
		v.mixed = false
	}
	return func(yield func(*bucketView) bool) {
		for _, b := range v.order {
			if b.of.live() && !yield(b) {
				return
			}
		}
	}
}

// since is the version from which to read the next changes.
func (v *view) since() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version
}

// live reports whether the controller is responsible for the sale's buckets: those of a draft belong to the operator alone
// until the preload has finished.
func (s *saleView) live() bool { return s.known && s.sale.State != sale.StateDraft }

// broken returns, by sale, the rows of live sales that are not open.
func (v *view) broken() map[string][]sale.BucketRow {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := map[string][]sale.BucketRow{}
	for b := range v.shut {
		if s := v.sales[b.Sale]; s.live() {
			found[b.Sale] = append(found[b.Sale], s.rows[b].BucketRow)
		}
	}
	return found
}

// open returns all open rows of live sales.
func (v *view) open() []sale.BucketRow {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []sale.BucketRow
	for b := range v.live() {
		if b.State == sale.BucketOpen {
			found = append(found, b.BucketRow)
		}
	}
	return found
}

// moving returns, in order, the open buckets of live sales that have begun and are not closed: after the end of a sale released
// units still return.
func (v *view) moving(now time.Time) []sale.Bucket {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []sale.Bucket
	for b := range v.live() {
		s := &b.of.sale
		if b.State == sale.BucketOpen && s.State != sale.StateClosed && !now.Before(s.StartsAt.Time) {
			found = append(found, b.Bucket)
		}
	}
	return found
}

// unapplied returns the live sales whose newest window has not been given to their buckets.
func (v *view) unapplied() []sale.Sale {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []sale.Sale
	for id := range v.changed {
		if s := v.sales[id]; s.live() {
			found = append(found, s.sale)
		}
	}
	return found
}

// applied notes that every bucket of a sale has the window of a version.
func (v *view) applied(id string, version int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.sales[id]; s != nil && s.sale.Version == version {
		delete(v.changed, id)
	}
}

// hasWindow notes the version of the window that a bucket has. When it is older than the sale's, the window is given to the
// sale's buckets again.
func (v *view) hasWindow(b sale.Bucket, version int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.sales[b.Sale]; s != nil && s.known && version < s.sale.Version {
		v.changed[b.Sale] = struct{}{}
	}
}

// saleOf returns a sale and its buckets.
func (v *view) saleOf(id string) (sale.Sale, []sale.Bucket) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.sales[id]
	if s == nil {
		return sale.Sale{}, nil // it was archived
	}
	buckets := make([]sale.Bucket, 0, len(s.rows))
	for b := range s.rows {
		buckets = append(buckets, b)
	}
	return s.sale, buckets
}

// watched returns, in order, the buckets that may have a journal at a moment: those of sales that have begun. Watched.Done
// marks the sales that are over.
func (v *view) watched(now time.Time) []Watched {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []Watched
	for b := range v.live() {
		s := &b.of.sale
		if b.Epoch == 0 || now.Before(s.StartsAt.Time) {
			continue
		}
		done := s.State == sale.StateClosed || now.After(s.EndsAt.Add(relayAfterEnd))
		found = append(found, Watched{BucketRow: b.BucketRow, Version: s.Version, Done: done})
	}
	return found
}
