package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

// Tables is the content of the database. Tests read it; only the database changes it.
type Tables struct {
	Version   int64 // of the catalogue
	Sales     map[string]*Sale
	Buckets   map[sale.Bucket]*Row
	Stock     map[sale.Shelf]*ledger.Units
	Changes   map[ChangeID]*ledger.Change // of stock
	Orders    map[sale.OrderID]*Order
	Markers   map[ledger.WriteID]sale.OrderID
	Forks     map[ledger.Mark]bool
	Outbox    map[sale.Bucket][]sale.OutboxRow // in the order of their numbers
	Events    []Event                          // in the order of their ids
	Fences    map[string]bool
	Positions map[int32]sale.Position
	Counted   map[int32]int64 // orders settled, by partition
	Letters   map[string]*sale.DeadLetter
	Payments  map[sale.OrderID]string // of orders without a row
	Leases    map[string]Lease
	Nodes     map[int64]Node
	Gateways  map[string]Gateway
	Archives  map[string]sale.Archive
	Rules     sale.Rules
	Brake     Brake

	rulesVersion int64                     // of the catalogue, when the rules were last put
	lastEvent    int64                     // id of the newest event
	owners       map[ledger.Owner][]*Order // every order of a buyer
}

// ChangeID names a change of stock.
type ChangeID struct{ Sale, SKU, Key string }

// Sale is a row of the sales table with its list of buyers.
type Sale struct {
	sale.Sale
	Listed  []string // sorted
	started int64    // number of the newest list whose upload has begun
	Thaws   []Thaw   // that have begun
	thawing bool     // the last of them has not ended
}

// Row is a row of the buckets table.
type Row struct {
	ledger.Row
	ClosedReason string // why the bucket was closed, empty once a rebuild has begun
	Version      int64  // of the catalogue, when epoch or state last changed
}

// Order is a row of the orders table.
type Order struct {
	sale.Order
	Number     int // of its bucket
	Key        string
	FirstPayBy *sale.Time // the end of the payment time at the confirmation, nil when it has not moved since
	ThawNo     int64      // the last thaw that the payment time takes into account
}

// Bucket returns the bucket that the order was sold from.
func (o *Order) Bucket() sale.Bucket { return sale.Bucket{Sale: o.Sale, Number: o.Number} }

func (o *Order) owner() ledger.Owner { return ledger.Owner{Sale: o.Sale, Buyer: o.BuyerID} }

// Counts reports whether the order's units belong to its buyer.
func (o *Order) Counts() bool { return o.Status == sale.StatusConfirmed || o.Status == sale.StatusPaid }

// Event is a row of the events table.
type Event struct {
	ID     int64
	Status sale.OrderStatus
	AtMS   int64 // Unix milliseconds
	Orders []sale.OrderID
	PayBy  []sale.Time // of each order, when the event is that they were extended
}

// extended is the status of an event that the payment time of orders has moved.
const extended sale.OrderStatus = "extended"

// Lease is a named lease.
type Lease struct {
	Holder string
	Until  time.Time
}

// Node is a node id for order ids that was leased at least once.
type Node struct {
	Lease
	HighWaterMS int64
}

// Gateway is the version of the catalogue by which a gateway sells.
type Gateway struct {
	Version int64
	Seen    time.Time
}

func emptyTables() Tables {
	return Tables{
		Sales: map[string]*Sale{}, Buckets: map[sale.Bucket]*Row{}, Stock: map[sale.Shelf]*ledger.Units{},
		Changes: map[ChangeID]*ledger.Change{}, Orders: map[sale.OrderID]*Order{},
		Markers: map[ledger.WriteID]sale.OrderID{}, Forks: map[ledger.Mark]bool{}, Outbox: map[sale.Bucket][]sale.OutboxRow{},
		Fences: map[string]bool{}, Positions: map[int32]sale.Position{}, Counted: map[int32]int64{},
		Letters:  map[string]*sale.DeadLetter{},
		Payments: map[sale.OrderID]string{}, Leases: map[string]Lease{}, Nodes: map[int64]Node{},
		Gateways: map[string]Gateway{}, Archives: map[string]sale.Archive{}, Rules: sale.DefaultRules(),
		owners: map[ledger.Owner][]*Order{},
	}
}

// clone copies all that a reader sees.
func (t *Tables) clone() Tables {
	c := *t
	c.Sales, c.Buckets, c.Stock = copies(t.Sales), copies(t.Buckets), copies(t.Stock)
	c.Changes, c.Orders = copies(t.Changes), copies(t.Orders)
	c.Markers, c.Forks, c.Fences = maps.Clone(t.Markers), maps.Clone(t.Forks), maps.Clone(t.Fences)
	c.Outbox = maps.Clone(t.Outbox)
	for bucket, rows := range c.Outbox {
		c.Outbox[bucket] = slices.Clone(rows)
	}
	c.Events, c.Positions, c.Letters = slices.Clone(t.Events), maps.Clone(t.Positions), copies(t.Letters)
	c.Counted = maps.Clone(t.Counted)
	c.Payments, c.Leases = maps.Clone(t.Payments), maps.Clone(t.Leases)
	c.Nodes, c.Gateways, c.Archives = maps.Clone(t.Nodes), maps.Clone(t.Gateways), maps.Clone(t.Archives)
	c.owners = nil
	return c
}

func copies[K comparable, V any](of map[K]*V) map[K]*V {
	all := make(map[K]*V, len(of))
	for key, value := range of {
		copied := *value
		all[key] = &copied
	}
	return all
}

// SortedBuckets returns all bucket rows in the order of their buckets.
func (t *Tables) SortedBuckets() []*Row {
	return slices.SortedFunc(maps.Values(t.Buckets), func(a, b *Row) int { return compareBuckets(a.Bucket, b.Bucket) })
}

// Shelves returns the stock rows of a bucket, sorted by SKU.
func (t *Tables) Shelves(bucket sale.Bucket) (found []*ledger.Units) {
	for shelf, units := range t.Stock {
		if shelf.Bucket == bucket {
			found = append(found, units)
		}
	}
	slices.SortFunc(found, func(a, b *ledger.Units) int { return cmp.Compare(a.SKU, b.SKU) })
	return found
}

// SortedOrders returns all order rows in the order of their ids.
func (t *Tables) SortedOrders() []*Order {
	return slices.SortedFunc(maps.Values(t.Orders), func(a, b *Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
}

// Waiting counts the outbox rows that Redis has still to apply.
func (t *Tables) Waiting() (rows int) {
	for _, waiting := range t.Outbox {
		rows += len(waiting)
	}
	return rows
}

func compareBuckets(a, b sale.Bucket) int {
	return cmp.Or(cmp.Compare(a.Sale, b.Sale), cmp.Compare(a.Number, b.Number))
}
