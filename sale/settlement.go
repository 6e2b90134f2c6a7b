package sale

// Delivery is one record from the orders topic.
type Delivery struct {
	TopicID   string // id of the topic, empty for a replayed dead letter: then no position is stored
	Partition int32
	Offset    int64
	Follows   int64  // offset after the record before it, which the database has settled; 0: unknown
	Raw       []byte // the record's bytes as received
	Record    Record
	Under     SpanContext // the span that sent the record, zero when it is not sampled
}

// Position is the progress of settlement in one partition. The database stores it in the transaction of the rows.
type Position struct {
	Partition int32
	TopicID   string
	Next      int64 // offset of the next record to settle
}

// Settlement is the result of one settling transaction.
type Settlement struct {
	Rows      int      // order rows written, refused ones included
	Refused   int      // of those, rows written as refused
	Duplicate int      // batches that were settled before
	Closed    []Bucket // buckets closed because Redis and the database disagreed: they need a rebuild
}

// DeadLetterState is the state of a dead letter.
type DeadLetterState string

// A dead letter is waiting until an operator replays or refuses it.
const (
	DeadLetterWaiting  DeadLetterState = "waiting"
	DeadLetterReplayed DeadLetterState = "replayed"
	DeadLetterRefused  DeadLetterState = "refused"
)

// DeadLetter is a record that cannot settle, stored with its reason.
type DeadLetter struct {
	ID        string // "{partition}-{offset}" of the record in the orders topic
	Reason    string // one of the Poison reasons
	Detail    string
	State     DeadLetterState
	Partition int32
	Offset    int64
	Raw       []byte
	Orders    []RecordOrder // empty if the record cannot be decoded
	Batch     *Batch        // nil if the record cannot be decoded
}

// Load is what a rebuild loads into Redis for one bucket. The transaction that begins the new epoch reads it.
type Load struct {
	BucketRow               // Epoch is the new epoch
	Stock     []ShelfLoad   // of every SKU of the sale
	Owners    []RecordOrder // orders that count against the buyers' limits; their lines have numbers
	Released  []RecordOrder // orders that no longer count; Redis gets the newest MaxReleased of each buyer and SKU
	Outbox    int64         // number of the last outbox row in Stock
	Window    Window
}

// ShelfLoad is what a rebuild loads of one SKU into a bucket.
type ShelfLoad struct {
	SKU       string
	Available int64 // loaded − settled + released
	Number    int   // of the item
	Limit     int   // units per buyer
}

// Window is what the scripts of a bucket need of its sale. Redis stores a copy and replaces it only by a newer Version.
type Window struct {
	Version  int64 // catalogue version of the sale's last change
	State    State
	StartsMS int64
	EndsMS   int64
	Limit    int // units per buyer over all SKUs of the sale, 0 = none
}

// WindowOf returns the window of a sale.
func WindowOf(s *Sale) Window {
	return Window{
		Version: s.Version, State: s.State, Limit: s.SaleLimit,
		StartsMS: s.StartsAt.UnixMilli(), EndsMS: s.EndsAt.UnixMilli(),
	}
}

// Reading is what Redis has of one bucket besides its stock. It has Epoch 0 if Redis does not have the bucket.
type Reading struct {
	Epoch          int64
	Sequence       int64
	JournalOrders  int64
	OldestJournal  int64 // created_ms of the oldest journal entry, 0 if the journal is empty
	WindowsVersion int64
	Outbox         int64 // number of the last outbox row that Redis applied or a load absorbed
	Shut           bool  // the bucket is closed, or its load is not complete
}

// ShelfReading is what Redis has of one SKU in one bucket, all 0 if Redis does not have it.
type ShelfReading struct {
	SKU       string
	Available int64
	Taken     int64 // units that orders and transfers took in this epoch: a counter of its own
	Moved     int64 // of those, units that transfers took
	Returned  int64 // units that outbox rows added in this epoch, less those that take-backs removed
	Limit     int   // units per buyer
	Number    int   // of the item
	Foreign   bool  // the field holds what the engine does not write
}

// StockReading is what Redis has of one bucket. Its parts are read one after the other: they are of one moment when a second
// reading of the bucket has the same sequence and the same counters.
type StockReading struct {
	Reading
	Shelves []ShelfReading // in the order asked; all of the bucket, in no order, when no SKU was named
}

// BucketCounters is the database's view of one bucket besides its stock.
type BucketCounters struct {
	BucketRow
	Sequence int64 // highest sequence of the present epoch that settled or was applied
	Outbox   int64 // number of the bucket's last outbox row, of all epochs
}

// ShelfCounters is the database's view of one SKU's units in one bucket.
type ShelfCounters struct {
	SKU          string
	Loaded       int64
	Settled      int64
	Released     int64
	SettledEpoch int64 // units settled from batches and transfers of the present epoch, refused orders included
	MovedEpoch   int64 // of those, units of transfers
	GivenEpoch   int64 // units of the present epoch's outbox rows, applied or not, less those that take-backs removed
}

// StockCounters is the database's view of one bucket and its units, of one moment.
type StockCounters struct {
	BucketCounters
	Shelves []ShelfCounters // in the order asked; all of the bucket, sorted by SKU, when no SKU was named
}

// StockChange is an operator's change of a SKU's stock.
type StockChange struct {
	Sale, SKU string
	Key       string // idempotency key
	Asked     int64  // units, negative to take back
	Added     int64  // units added so far, negative for units taken back
	Loaded    int64  // units of the SKU that are loaded
	Done      bool   // Added is final
}

// NodeLease is the lease of a node id for order ids.
type NodeLease struct {
	Node        int64
	Holder      string
	HighWaterMS int64 // Unix ms: no earlier holder made an id after it; the next starts only when its clock has passed it
}
