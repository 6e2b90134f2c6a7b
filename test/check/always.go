package check

// always are the promises that the database keeps at every moment, not only at rest.
var always = []rule{
	{"no oversell", checkOversell},
	{"limit", checkLimit},
	{"counters agree", checkCounters},
}

// Moment judges the database as it is while a sale runs. The evidence has its Sales, its Rows and its Buckets, whose Stock
// needs no counter of Redis.
func Moment(e *Evidence) []Fault {
	r := &report{counts: map[string]int{}}
	for _, rule := range always {
		r.name = rule.name
		rule.check(e, r)
	}
	return r.faults
}

// checkCounters: a bucket never gives away more than it has loaded, buckets only hand loaded units to each other, and the
// counters know exactly the units of the rows that stand.
func checkCounters(e *Evidence, r *report) {
	for i := range e.Buckets {
		b := &e.Buckets[i]
		if b.Settled-b.Released > b.Loaded || b.Loaded < 0 {
			r.fault("bucket %s/%s/%d: %d settled less %d released are more than %d loaded", b.Sale, b.SKU, b.Number, b.Settled,
				b.Released, b.Loaded)
		}
	}
	standing := e.standing()
	for _, s := range Totals(e.Buckets) {
		if loaded := e.Sales[s.Sale].Loaded[s.SKU]; s.Loaded != loaded {
			r.fault("the buckets of %s/%s have %d units loaded, the item has %d", s.Sale, s.SKU, s.Loaded, loaded)
		}
		if units := standing[item{s.Sale, s.SKU}]; units != s.Settled-s.Released {
			r.fault("orders own %d units of %s/%s, the counters say %d", units, s.Sale, s.SKU, s.Settled-s.Released)
		}
	}
}
