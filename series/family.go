package series

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// MaxSales bounds the sales with series of their own. While sales are replaced, MaxLeaving more have theirs.
	MaxSales = 100
	// Other is the label of all other sales together, and of what concerns no sale. A sale that is named so is one of them.
	Other = "other"
)

// row has a count for each kind.
type row []atomic.Int64

func (r row) sum() (all int64) {
	for i := range r {
		all += r[i].Load()
	}
	return all
}

// Family is one counter by sale and kind. It is a prometheus.Collector.
type Family struct {
	desc  *prometheus.Desc
	kinds []string
	none  row // of no sale

	mu      sync.Mutex
	sales   map[string]*Sale
	shown   map[*Sale]bool      // have series
	leaving map[*Sale]time.Time // have series until then, and are counted by Other
	retired []int64             // what forgotten sales have added to Other, by kind
}

// Sale counts what happens to one sale.
type Sale struct {
	id    string
	any   atomic.Bool // whether anything was counted: an idle sale costs a reader one load
	named atomic.Bool // whether own counts: the sale has series
	own   row         // its series
	away  row         // what it has counted without series

	// Guarded by the lock of the family.
	heat float64 // counts of the last minutes, the older the less
	seen int64   // the count at the last judgement
}

// New returns a family without sales. kind is the name of the second label, kinds are its values.
func New(opts prometheus.CounterOpts, kind string, kinds []string) *Family {
	return &Family{
		desc:  prometheus.NewDesc(opts.Name, opts.Help, []string{"sale", kind}, nil),
		kinds: kinds, none: make(row, len(kinds)), retired: make([]int64, len(kinds)),
		sales: map[string]*Sale{}, shown: map[*Sale]bool{}, leaving: map[*Sale]time.Time{},
	}
}

// Sale returns the counts of a sale, new ones for a new id. A new sale gets series at once when fewer than MaxSales have them.
func (f *Family) Sale(id string) *Sale {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sales[id]
	if s == nil {
		both := make(row, 2*len(f.kinds))
		s = &Sale{id: strings.Clone(id), own: both[:len(f.kinds)], away: both[len(f.kinds):]}
		f.sales[s.id] = s
		if len(f.shown) < MaxSales && id != Other { // its series would be those of Other
			f.show(s)
		}
	}
	return s
}

// Forget ends the series of a sale that is counted no more.
func (f *Family) Forget(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sales[id]
	if s == nil {
		return
	}
	for i := range s.away {
		f.retired[i] += s.away[i].Load()
	}
	delete(f.sales, id)
	delete(f.shown, s)
	delete(f.leaving, s)
}

// Add counts n of a kind for no sale, by the index of the kind.
func (f *Family) Add(kind int, n int64) { f.none[kind].Add(n) }

// Add counts n of a kind for the sale.
func (s *Sale) Add(kind int, n int64) {
	if !s.any.Load() { // read first: a write of each count would pass the line from core to core
		s.any.Store(true)
	}
	if s.named.Load() {
		s.own[kind].Add(n)
		return
	}
	s.away[kind].Add(n)
}

// Any reports whether anything was counted.
func (s *Sale) Any() bool { return s.any.Load() }

// Total returns the count of a kind since the first one, with and without series.
func (s *Sale) Total(kind int) int64 { return s.own[kind].Load() + s.away[kind].Load() }

// show gives a sale series. The caller has the lock.
func (f *Family) show(s *Sale) {
	f.shown[s] = true
	delete(f.leaving, s)
	s.named.Store(true)
}

// Describe is part of prometheus.Collector.
func (f *Family) Describe(out chan<- *prometheus.Desc) { out <- f.desc }

// Collect is part of prometheus.Collector.
func (f *Family) Collect(out chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	other := make([]int64, len(f.kinds))
	for i := range other {
		other[i] = f.none[i].Load() + f.retired[i]
	}
	for _, s := range f.sales {
		if !s.Any() {
			continue
		}
		for i := range other {
			other[i] += s.away[i].Load()
		}
	}
	send := func(id string, value func(kind int) int64) {
		for i, kind := range f.kinds {
			out <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(value(i)), id, kind)
		}
	}
	send(Other, func(kind int) int64 { return other[kind] })
	for s := range f.shown {
		send(s.id, func(kind int) int64 { return s.own[kind].Load() })
	}
	for s := range f.leaving {
		send(s.id, func(kind int) int64 { return s.own[kind].Load() })
	}
}
