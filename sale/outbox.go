package sale

// OutboxKind is the reason why a bucket in Redis gets units.
type OutboxKind string

// A release gives back the units of orders, and Redis remembers these orders. A refusal by an operator gives back the units
// of orders that Redis forgets. A credit adds the units of a transfer, a raise those that an operator adds to the stock. A
// take removes units that no buyer has bought, as many as asked or as Redis finds.
const (
	OutboxRelease OutboxKind = "release"
	OutboxRefusal OutboxKind = "refusal"
	OutboxCredit  OutboxKind = "credit"
	OutboxRaise   OutboxKind = "raise"
	OutboxTake    OutboxKind = "take"
)

// OutboxRow is a change of a bucket's stock that the database has committed and Redis has to apply once. The rows of a
// bucket have the numbers 1, 2, 3, …, given under the lock of its bucket row: their order is the order of their commits, so
// Redis needs only the number of the last row that it applied. A row belongs to the epoch in which it was committed; a
// rebuild absorbs the rows of earlier epochs.
type OutboxRow struct {
	Bucket
	Number int64
	Epoch  int64
	Kind   OutboxKind
	Lines  []OutboxLine    // of a credit, a raise or a take
	Orders []ReleasedOrder // of a release or a refusal
	Change string          // of a raise or a take: the idempotency key of its stock change, empty when it has none
}

// LineCount returns the lines of the row, those of its orders together: what a call of the script that applies it costs.
func (r *OutboxRow) LineCount() int {
	lines := len(r.Lines)
	for i := range r.Orders {
		lines += len(r.Orders[i].Lines)
	}
	return lines
}

// OutboxLine is a SKU of an outbox row, with what Redis needs to begin to sell it.
type OutboxLine struct {
	SKU    string
	Units  int64 // 0 to MaxStock; of a take: asked
	Number int   // of the item
	Limit  int   // units per buyer
}

// ReleasedOrder is an order that gives back its units.
type ReleasedOrder struct {
	OrderID OrderID
	Buyer   string
	Lines   []Line // with SKU and quantity
}

// Applied reports that Redis has applied the outbox rows of a bucket up to Number, the last one in the write with Sequence.
// A take is applied alone: Took has the units that Redis found, one element for each line of the row.
type Applied struct {
	Bucket
	Epoch    int64
	Number   int64
	Sequence int64
	Took     []SKUUnits // nil unless the row is a take
}

// OrderEvent is a change of orders, committed with them and to be published on the events topic.
type OrderEvent struct {
	ID     int64 // rises in the order of the commits of one order's events
	Orders []Order

	// Extended reports that the payment time of the orders, which are confirmed, has moved. Otherwise they have got their
	// status.
	Extended bool
}
