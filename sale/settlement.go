package sale

// Delivery is one record from the orders topic.
type Delivery struct {
	TopicID   string // id of the topic, empty for a replayed dead letter: then no position is stored
	Partition int32
	Offset    int64
	Raw       []byte // the record's bytes as received
	Record    Record
}

// Position is where settlement stands in one partition by the database's own count, committed with the rows.
type Position struct {
	Partition int32
	TopicID   string
	Next      int64 // offset of the next record to settle
}

// Settlement is what one settling transaction did.
type Settlement struct {
	Rows      int      // order rows written, refused ones included
	Refused   int      // of those, rows written as refused
	Duplicate int      // batches whose marker was there already
	Closed    []Bucket // buckets set closed because Redis and the database disagreed: they need a rebuild
}

// DeadLetterState is where a dead letter is in its life.
type DeadLetterState string

// A dead letter waits for the operator, who replays or refuses it.
const (
	DeadLetterWaiting  DeadLetterState = "waiting"
	DeadLetterReplayed DeadLetterState = "replayed"
	DeadLetterRefused  DeadLetterState = "refused"
)

// DeadLetter is a record that cannot settle, kept with its reason.
type DeadLetter struct {
	ID        string // "{partition}-{offset}" of the record in the orders topic
	Reason    string // one of the Poison reasons
	Detail    string
	State     DeadLetterState
	Partition int32
	Offset    int64
	Raw       []byte
	Orders    []RecordOrder // empty when the record could not be decoded
	Batch     *Batch        // nil when the record could not be decoded
}

// Load is what a rebuild loads into Redis for one bucket: the database's view, read in the transaction that began the
// new epoch.
type Load struct {
	BucketRow               // Epoch is the new one
	Available int64         // loaded − settled + released
	Owners    []RecordOrder // orders that count against the buyers' limits
	Released  []RecordOrder // orders that count no more; the newest of each buyer are loaded, see MaxReleased
	Outbox    int64         // number of the last outbox row that is absorbed in Available
	Window    Window
}

// Window is what a bucket's script call needs to know of its sale; Redis keeps a copy and takes a newer Version only.
type Window struct {
	Version  int64 // catalogue version of the sale
	State    State
	StartsMS int64
	EndsMS   int64
	Limit    int // units per buyer
}

// WindowOf returns the window of a sale.
func WindowOf(s *Sale) Window {
	return Window{
		Version: s.Version, State: s.State, Limit: s.PerBuyerLimit,
		StartsMS: s.StartsAt.UnixMilli(), EndsMS: s.EndsAt.UnixMilli(),
	}
}

// Reading is what Redis knows of one bucket, read in one step. A bucket that Redis does not know has Epoch 0.
type Reading struct {
	Epoch          int64
	Sequence       int64
	Available      int64
	Taken          int64 // units taken in this epoch by orders and transfers, counted on its own
	Moved          int64 // of those, units taken by transfers
	Returned       int64 // units that the outbox brought in this epoch
	JournalOrders  int64
	OldestJournal  int64 // created_ms of the oldest journal entry, 0 when the journal is empty
	WindowsVersion int64
	Outbox         int64 // number of the last outbox row applied, or absorbed by the load
	Shut           bool  // the bucket is closed, or its load has not come to its end
}

// BucketCounters is the database's view of one bucket's units.
type BucketCounters struct {
	BucketRow
	Loaded       int64
	Settled      int64
	Released     int64
	SettledEpoch int64 // units settled from batches and transfers of the present epoch, refused orders included
	MovedEpoch   int64 // of those, units of transfers
	GivenEpoch   int64 // units of the present epoch's outbox rows, applied or not
	Sequence     int64 // highest sequence of the present epoch that settled or was applied
	Outbox       int64 // number of the bucket's last outbox row, of all epochs
}

// NodeLease is a leased node id for order ids.
type NodeLease struct {
	Node        int64
	Holder      string
	HighWaterMS int64 // no id of this node was made after this moment; refuse to start before the clock has passed it
}
