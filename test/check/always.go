package check

// always lists the promises that the database keeps at every moment, not only at rest.
var always = []rule{
	{"no oversell", checkOversell},
	{"all or nothing", checkWhole},
	{"limit", checkLimit},
	{"counters agree", checkCounters},
}

// Moment judges the database while a sale runs. The evidence needs Sales, Rows and Buckets; of Stock it reads no counter of
// Redis.
func Moment(e *Evidence) []Fault {
	r := &report{counts: map[string]int{}}
	for _, rule := range always {
		r.name = rule.name
		rule.check(e, r)
	}
	return r.faults
}

// checkCounters: a bucket never sells more units than it has loaded, buckets move loaded units only among each other, and
// settled minus released is exactly the units of the confirmed and paid rows.
func checkCounters(e *Evidence, r *report) {
	for i := range e.Buckets {
		b := &e.Buckets[i]
		for _, s := range b.Shelves {
			if s.Settled-s.Released > s.Loaded || s.Loaded < 0 {
				r.fault("bucket %s/%d, %s: %d settled less %d released are more than %d loaded", b.Sale, b.Number, s.SKU,
					s.Settled, s.Released, s.Loaded)
			}
		}
	}
	standing := e.standing()
	for _, s := range Totals(e.Buckets) {
		if loaded := e.Sales[s.Sale].Loaded[s.SKU]; s.Loaded != loaded {
			r.fault("the buckets of %s/%s have %d units loaded, the item has %d", s.Sale, s.SKU, s.Loaded, loaded)
		}
		if units := standing[item{s.Sale, s.SKU}]; units != s.Settled-s.Released {
			r.fault("orders own %d units of %s/%s, by the counters they are %d", units, s.Sale, s.SKU, s.Settled-s.Released)
		}
	}
}
