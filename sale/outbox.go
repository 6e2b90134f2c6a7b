package sale

// OutboxKind is the reason why a bucket in Redis gets units.
type OutboxKind string

// A release gives back the units of orders, and Redis remembers these orders. A refusal by an operator gives back the units
// of orders that Redis forgets. A credit adds the units of a transfer.
const (
	OutboxRelease OutboxKind = "release"
	OutboxRefusal OutboxKind = "refusal"
	OutboxCredit  OutboxKind = "credit"
)

// OutboxRow is a change of a bucket's stock that the database has committed and Redis has to apply once. The rows of a
// bucket have the numbers 1, 2, 3, …, given under the lock of its stock row: their order is the order of their commits, so
// Redis needs only the number of the last row that it applied. A row belongs to the epoch in which it was committed; a
// rebuild absorbs the rows of earlier epochs.
type OutboxRow struct {
	Bucket
	Number int64
	Epoch  int64
	Kind   OutboxKind
	Units  int64
	Orders []ReleasedOrder // only of a release or a refusal
}

// ReleasedOrder is an order that gives back its units.
type ReleasedOrder struct {
	OrderID  OrderID
	Quantity int
	Buyer    string
}

// Applied reports that Redis has applied the outbox rows of a bucket up to Number, the last one in the write with Sequence.
type Applied struct {
	Bucket
	Epoch    int64
	Number   int64
	Sequence int64
}

// OrderEvent is a change of orders, committed with them and to be published on the events topic.
type OrderEvent struct {
	ID     int64 // rises in the order of the commits of one order's events
	Orders []Order
}
