// Package check judges the run of any suite from evidence alone: what buyers, shops and operators were told, the
// rows, the records of the topics, and what the stock counters say at rest. It knows nothing of how any of it was made,
// and it is itself tested with histories that break each promise once.
package check

import (
	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// Evidence is everything about some sales that have come to rest. Times are Unix microseconds by the machine's clock
// where they end in US, Unix milliseconds by Redis's clock, the same one, where they end in MS.
type Evidence struct {
	Sales   map[string]Sale
	Ops     []history.Op
	Rows    []Row
	Batches []Batch
	Epochs  []EpochSeen
	Peaks   []Peak
	Events  []Event
	Stock   []Stock
	Buckets []Bucket
	Losses  []Span            // in which Redis may have lost acknowledged writes
	Outages []Span            // in which something was broken
	Paused  map[string]string // sales that the engine paused because its books did not balance, to its reason
	Fates   map[string]Fate   // by order: what a witness inside Redis knows; nil where there was none, then Losses speak
	Waiting map[string]int64  // what has to be 0 at rest, by its name

	RestUS    int64 // from this moment on nothing moved, so later lists are complete; 0 = unknown
	Unread    bool  // the events topic was not read: Events says nothing
	Calm      bool  // no store lost anything and no operator refused: no order may be refused
	Final     bool  // a key whose press was refused with 409 is not pressed again, so that refusal is the last word about it
	ClockBack bool  // Redis's clock was set back, which revives calls that were given up: rows need no press
	Unnoticed bool  // Redis may have sold for a while after it had gone back
	NoLatch   bool  // the gateways keep no picture of the stock: sold_out is Redis's own word
}

// Fate is what a witness inside Redis knows of one order.
type Fate struct {
	MayVanish    bool // Redis lost it before its record was in the topic
	MayBeRefused bool // Redis lost it, or an operator refused it
}

// Sale is what the operator defined.
type Sale struct {
	StartsMS, EndsMS int64
	Limit            int
	Loaded           map[string]int64 // by SKU
	Demand           map[string]bool  // SKUs that were asked for until nothing was left
}

// Row is one order row.
type Row struct {
	Order, Sale, SKU, Buyer, Key string
	Bucket, Quantity             int
	Status, Reason, Payment      string
	CreatedMS, UpdatedMS         int64
}

// Batch is one record of the orders topic.
type Batch struct {
	Sale, SKU string
	Bucket    int
	Epoch     int64
	CreatedMS int64
	Orders    []string
}

// EpochSeen says that the database was known to be in this epoch at this moment.
type EpochSeen struct {
	Sale, SKU string
	Bucket    int
	Epoch     int64
	AtUS      int64
}

// Peak is the most units of standing rows that were seen while the sale ran.
type Peak struct {
	Sale, SKU string
	Units     int64
}

// Event is one record of the events topic, in the order of its partition.
type Event struct {
	ID, Order, Status string
	Data              string
}

// Stock is where the units of a SKU are at rest, read counter by counter.
type Stock struct {
	Sale, SKU string
	sale.Stock
}

// Bucket is one bucket at rest: where its units are, its life in both stores, and whom Redis knows as owners.
type Bucket struct {
	Sale, SKU string
	Number    int
	sale.Stock
	State, RedisState string
	Epoch, RedisEpoch int64
	Owners            []Owner // nil: not read
}

// Owner is one order in a bucket's entries of Redis.
type Owner struct {
	Buyer, Order string
	Units        int // below 0: given back, remembered for its key
}

// Totals sums buckets by SKU, in the order of the first bucket of each.
func Totals(buckets []Bucket) []Stock {
	var all []Stock
	at := map[item]int{}
	for i := range buckets {
		b := &buckets[i]
		of := item{b.Sale, b.SKU}
		if _, known := at[of]; !known {
			at[of] = len(all)
			all = append(all, Stock{Sale: b.Sale, SKU: b.SKU})
		}
		sum := &all[at[of]]
		sum.Stock = sum.Add(b.Stock)
	}
	return all
}

// Span is a stretch of time.
type Span struct{ FromUS, ToUS int64 }

// Hits reports whether the span and another stretch have a moment in common.
func (s Span) Hits(from, to int64) bool { return s.FromUS <= to && from <= s.ToUS }

// stands reports whether the row takes units.
func (r *Row) stands() bool { return r.Status == "confirmed" || r.Status == "paid" }

// returned reports whether the row's units went back.
func (r *Row) returned() bool { return r.Status == "cancelled" || r.Status == "expired" }

// item names a SKU of a sale.
type item struct{ sale, sku string }

// Fault is one breach of a promise.
type Fault struct {
	Check string // which promise
	Text  string
}

// Result of a judgement.
type Result struct {
	Faults []Fault
	Counts map[string]int // how much was looked at, by what
}

// rule is one promise.
type rule struct {
	name  string
	check func(*Evidence, *report)
}

// rules in the order in which they are reported. Linearizability stands apart because it may remain undecided.
var rules = []rule{
	{"no oversell", checkOversell},
	{"no lost order", checkLost},
	{"limit", checkLimit},
	{"one key, one order", checkKeys},
	{"no row without an invocation", checkInvocations},
	{"a key answers", checkKeysAnswer},
	{"conservation", checkConservation},
	{"buckets agree", checkBuckets},
	{"nothing waits", checkWaiting},
	{"no undersell", checkUndersell},
	{"status moves forward", checkStatus},
	{"cancelled and paid as answered", checkEndings},
	{"nothing under a closed epoch", checkEpochs},
	{"nothing outside the window", checkWindow},
	{"nothing after pause", checkPause},
	{"events", checkEvents},
	{"lists are complete", checkLists},
}

// Promises returns the names of all checks but linearizability.
func Promises() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// Judge applies every promise.
func Judge(e *Evidence) Result {
	r := &report{counts: map[string]int{}}
	for _, rule := range rules {
		r.name = rule.name
		rule.check(e, r)
	}
	return Result{Faults: r.faults, Counts: r.counts}
}
