package sale

import "time"

// Purchase is one press of Buy that passed every check a gateway can make alone. All strings are copies: nothing of the
// HTTP request is kept.
type Purchase struct {
	Bucket      Bucket
	Epoch       int64
	Partition   int32
	Buckets     int // that the SKU has; with more than one, units move to where buyers ask for them
	Buyer       string
	Key         string // idempotency key, empty when the buyer sent none
	Quantity    int    // 1 to MaxQuantity
	ListVersion int64  // the list the buyer must be on, 0 for an open sale
	ListSize    int64  // buyers on that list
	Grief       Grief  // the rule against buyers who take units and do not pay

	ArrivedAt time.Time // when the gateway had read the request; it bounds the whole purchase. Zero: the time of Reserve
}

// Answer is what became of a purchase. Which members are set depends on the outcome.
type Answer struct {
	Outcome   Outcome
	OrderID   OrderID     // taken, replayed, key reused, already bought (the latest), unknown
	Quantity  int         // taken, replayed
	CreatedAt time.Time   // by Redis's clock; zero for a replay of an order that is in the database
	Status    OrderStatus // replayed: held while journaled, queued otherwise
	Limit     int         // over limit, already bought; too many cancellations: of the orders that count in Unpaid
	Unpaid    int         // too many cancellations: the buyer's orders of the SKU that were cancelled or expired
	Bought    int         // already bought: units this buyer holds
	Available int64       // not enough: units left of the SKU, in all its buckets
	Reason    string      // fenced: what was found; for the log, not for buyers
}

// MaxReleased is how many cancelled or expired orders of a buyer are remembered for a SKU, the newest; their keys go on
// answering. A buyer who has so many takes nothing more, so that what is remembered of him is bounded.
const MaxReleased = 8

// Holding is one order of a buyer as Redis knows it, whether or not the database has its row.
type Holding struct {
	OrderID   OrderID
	Quantity  int
	Key       string
	CreatedAt time.Time   // zero when the database has the row
	Status    OrderStatus // held while journaled, queued otherwise
}

// Changes is what changed in the catalogue since a version: whole sales and whole bucket rows.
type Changes struct {
	Version int64 // the newest version covered; ask with it next time
	Sales   []Sale
	Buckets []BucketRow
	Rules   *Rules // nil when unchanged
}
