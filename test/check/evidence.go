// Package check judges the run of any suite from evidence alone: the answers that buyers, shops and operators got, the
// rows, the records of the topics, and the stock counters at rest. It does not depend on how the evidence was made. Its own
// tests break each promise once.
package check

import (
	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// Evidence is everything about some sales that are at rest: all processes are idle and nothing waits. Times are Unix
// microseconds by the machine's clock where they end in US, Unix milliseconds by Redis's clock, the same one, where they
// end in MS.
type Evidence struct {
	Sales   map[string]Sale
	Ops     []history.Op
	Rows    []Row
	Batches []Batch
	Epochs  []EpochSeen
	Peaks   []Peak
	Changes []StockChange // of stock while the sales ran
	Events  []Event
	Stock   []Stock
	Buckets []Bucket
	Paid    []Paid            // nil: not read
	Losses  []Span            // in which Redis may have lost acknowledged writes
	Outages []Span            // in which something was broken
	Paused  map[string]string // sales that the engine paused because its books did not balance, to its reason
	Fates   map[string]Fate   // by order, from a witness inside Redis; nil without a witness, then Losses decide
	Freezes []Freeze          // of the holds of sales
	Waiting map[string]int64  // what has to be 0 at rest, by its name

	RestUS    int64 // from this moment on nothing moved, so later lists are complete; 0 = unknown
	Unread    bool  // the events topic was not read: Events is not judged
	Calm      bool  // no store lost anything and no operator refused: no order may be refused
	Final     bool  // the client never repeats a key that was refused with 409, so that refusal decides the key
	ClockBack bool  // Redis's clock was set back, which revives calls that were given up: rows need no press
	Unnoticed bool  // Redis may have sold for a while after it had gone back
	NoLatch   bool  // the gateways keep no picture of the stock: sold_out is Redis's own word
	Wordless  bool  // the answers are not those of the API: they have neither scope nor SKU of a line at fault
}

// Fate is what may become of one order, by a witness inside Redis.
type Fate struct {
	MayVanish    bool // Redis lost it before its record was in the topic
	MayBeRefused bool // Redis lost it, or an operator refused it
}

// Sale is the definition of a sale, as the operator gave it.
type Sale struct {
	StartsMS, EndsMS int64
	Limit            int              // units of a buyer of each SKU
	Limits           map[string]int   // by SKU, of the items with a limit of their own
	SaleLimit        int              // units of a buyer of all SKUs, 0 = none
	Loaded           map[string]int64 // by SKU, at rest: with what was added and taken back
	Demand           map[string]bool  // SKUs that were asked for until nothing was left
}

// LimitOf returns the units of a buyer of a SKU.
func (s *Sale) LimitOf(sku string) int {
	if limit, own := s.Limits[sku]; own {
		return limit
	}
	return s.Limit
}

// Line is one SKU of an order.
type Line = history.Line

// Row is one order row with its lines.
type Row struct {
	Order, Sale, Buyer, Key string
	Bucket                  int
	Lines                   []Line
	Status, Reason, Payment string
	CreatedMS, UpdatedMS    int64

	Sums *Sums     // what the row says of its lines; nil: not read
	Due  *Deadline // its payment time; nil: not read, or it has none
}

// Sums are the members of a row that its lines must add up to.
type Sums struct {
	Lines, Units int
	TotalCents   int64
}

// StockChange is a change of a SKU's stock by the operator, between the request and the answer.
type StockChange struct {
	Sale, SKU    string
	Units        int64 // negative for units taken back
	FromUS, ToUS int64

	Key   string // its idempotency key, "" = it has none; then Asked is not judged
	Asked int64  // units, negative to take back
}

// Batch is one record of the orders topic that holds orders.
type Batch struct {
	Sale      string
	Bucket    int
	Epoch     int64
	CreatedMS int64
	Orders    []string
}

// EpochSeen is an observation: the database was in this epoch at this moment.
type EpochSeen struct {
	Sale   string
	Bucket int
	Epoch  int64
	AtUS   int64
}

// Peak is the highest number of units of confirmed and paid rows that was observed while the sale ran.
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

// Paid is what the database counts of the payments of a SKU.
type Paid struct {
	Sale, SKU     string
	Units, Orders int64
}

// Bucket is one bucket at rest: where its units are, its epoch and state in both stores, and its owners in Redis.
type Bucket struct {
	Sale              string
	Number            int
	Shelves           []Shelf
	State, RedisState string
	Epoch, RedisEpoch int64
	Owners            []Owner // nil: not read
}

// Shelf is where the units of one SKU in a bucket are.
type Shelf struct {
	SKU string
	sale.Stock
}

// Owner is one order in a bucket's entries of Redis.
type Owner struct {
	Buyer, Order string
	Lines        []Line // with SKU and quantity
	Gone         bool   // given back, remembered for its key
}

// Totals sums buckets by SKU, in the order of the first bucket of each.
func Totals(buckets []Bucket) []Stock {
	var all []Stock
	at := map[item]int{}
	for i := range buckets {
		for j := range buckets[i].Shelves {
			shelf := &buckets[i].Shelves[j]
			of := item{buckets[i].Sale, shelf.SKU}
			if _, known := at[of]; !known {
				at[of] = len(all)
				all = append(all, Stock{Sale: of.sale, SKU: of.sku})
			}
			sum := &all[at[of]]
			sum.Stock = sum.Add(shelf.Stock)
		}
	}
	return all
}

// Span is a period of time.
type Span struct{ FromUS, ToUS int64 }

// Hits reports whether the span overlaps another period.
func (s Span) Hits(from, to int64) bool { return s.FromUS <= to && from <= s.ToUS }

// takesUnits reports whether the row takes units.
func (r *Row) takesUnits() bool { return r.Status == "confirmed" || r.Status == "paid" }

// returned reports whether the row's units were given back.
func (r *Row) returned() bool { return r.Status == "cancelled" || r.Status == "expired" }

// item names a SKU of a sale.
type item struct{ sale, sku string }

// Fault is one breach of a promise.
type Fault struct {
	Check string // which promise
	Text  string
}

// Result is what Judge found.
type Result struct {
	Faults []Fault
	Counts map[string]int // how much was looked at, by what
}

// rule is one promise.
type rule struct {
	name  string
	check func(*Evidence, *report)
}

// rules in the order in which they are reported. Linearizability is not among them because it may remain undecided.
var rules = []rule{
	{"no oversell", checkOversell},
	{"no lost order", checkLost},
	{"all or nothing", checkWhole},
	{"refusals name their line", checkRefusals},
	{"limit", checkLimit},
	{"one key, one order", checkKeys},
	{"no row without an invocation", checkInvocations},
	{"a key answers", checkKeysAnswer},
	{"each stock change once", checkChanges},
	{"conservation", checkConservation},
	{"buckets agree", checkBuckets},
	{"nothing waits", checkWaiting},
	{"no undersell", checkUndersell},
	{"status moves forward", checkStatus},
	{"cancelled and paid as answered", checkEndings},
	{"payments are counted", checkPaid},
	{"nothing under a closed epoch", checkEpochs},
	{"nothing outside the window", checkWindow},
	{"nothing after pause", checkPause},
	{"events", checkEvents},
	{"no expiry while frozen", checkFrozen},
	{"time to pay moves once", checkDeadlines},
	{"extensions are announced", checkExtensions},
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
