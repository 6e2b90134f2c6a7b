package sale

// OutboxKind says why units go back to a bucket in Redis.
type OutboxKind string

// A release gives the units of orders back, and so does a refusal by hand, of whose orders nothing is remembered; a credit
// brings the units of a transfer.
const (
	OutboxRelease OutboxKind = "release"
	OutboxRefusal OutboxKind = "refusal"
	OutboxCredit  OutboxKind = "credit"
)

// OutboxRow is a change of a bucket's stock that the database has decided and Redis has still to apply, once. Rows of a
// bucket are numbered 1, 2, 3, … under the lock of its stock row, so that their order is the order of their commits, and
// Redis remembers how far it has come by one number. A row belongs to the epoch in which it was decided: a rebuild absorbs
// the rows of the epochs before.
type OutboxRow struct {
	Bucket
	Number int64
	Epoch  int64
	Kind   OutboxKind
	Units  int64
	Orders []ReleasedOrder // of a release or a refusal
}

// ReleasedOrder is an order whose units go back.
type ReleasedOrder struct {
	OrderID  OrderID
	Quantity int
	Buyer    string
}

// Applied says that Redis has applied a bucket's outbox rows up to a number, the last of them in the write that took
// Sequence.
type Applied struct {
	Bucket
	Epoch    int64
	Number   int64
	Sequence int64
}

// OrderEvent is something that happened to orders, committed with them and still to be told on the events topic.
type OrderEvent struct {
	ID     int64 // rises in the order of the commits of one order's events
	Orders []Order
}
