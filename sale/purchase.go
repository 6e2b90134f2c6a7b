package sale

import "time"

// Purchase is one purchase request that passed every check of the gateway. All strings are copies: it shares no memory with
// the HTTP request.
type Purchase struct {
	Bucket      Bucket
	Epoch       int64
	Partition   int32
	Buckets     int // buckets of the sale; with more than one, transfers move units to the buckets of the demand
	Buyer       string
	Key         string // idempotency key, empty when the buyer sent none
	Lines       []Line // 1 to MaxLines, of distinct SKUs, with the numbers of their items
	ListVersion int64  // the list the buyer must be on, 0 for an open sale
	ListSize    int64  // buyers on that list
	Grief       Grief  // the rule against buyers who take units and do not pay

	Trace *PurchaseTrace // nil when the purchase is not sampled; the Stock adds the batches

	ArrivedAt time.Time // when the gateway had read the request: the deadline of the purchase counts from it. Zero: from Reserve
}

// Answer is the result of a purchase. The outcome decides which members are set.
type Answer struct {
	Outcome   Outcome
	OrderID   OrderID     // taken, replayed, key reused, already bought (the latest), unknown
	BatchID   OrderID     // taken: the batch that took the units
	SKU       string      // of the line at fault: limits of scope sku, too many cancellations, not enough, sold out
	Scope     Scope       // over limit, already bought: whose limit it is
	CreatedAt time.Time   // by Redis's clock; zero for a replay of an order with a row in the database
	Status    OrderStatus // replayed: held while journaled, queued otherwise
	Limit     int         // over limit, already bought: units per buyer of the scope; too many cancellations: limit of Unpaid
	Unpaid    int         // too many cancellations: the buyer's orders of the SKU that were cancelled or expired
	Bought    int         // already bought: units of the buyer's orders
	Available int64       // not enough: units left of the SKU, in all buckets of the sale
	Reason    string      // fenced: the cause, for the log and not for buyers
}

// Scope is what a limit counts.
type Scope string

// A limit of scope sku counts the units of one SKU, a limit of scope sale those of all SKUs of the sale.
const (
	ScopeSKU  Scope = "sku"
	ScopeSale Scope = "sale"
)

// MaxReleased is how many cancelled or expired orders of a buyer Redis remembers for a SKU, the newest ones; their
// idempotency keys still get an answer. A buyer with this many gets no more orders of the SKU, so the memory per buyer is
// bounded.
const MaxReleased = 8

// Holding is one order of a buyer in Redis, with or without a row in the database.
type Holding struct {
	OrderID   OrderID
	Lines     []Line // with number and quantity only: Redis has neither SKU nor price in its entries
	Key       string
	CreatedAt time.Time   // zero when the database has the row
	Status    OrderStatus // held while journaled, queued otherwise
}

// Changes is what changed in the catalogue since a version: whole sales and whole bucket rows.
type Changes struct {
	Version int64 // the newest version in it, for the next call
	Sales   []Sale
	Buckets []BucketRow
	Rules   *Rules // nil when unchanged
	Brake   *Brake // nil when unchanged; one that is not on has ended
}
