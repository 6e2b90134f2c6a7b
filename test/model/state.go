package protocol

// Bounds of a state. A step that would go beyond one is not taken and counted as cut.
const (
	maxBuckets = 2
	actors     = 2 // gateways, outbox appliers, and control roles of a bucket
	maxOrders  = 6 // ids 1 to 6
	maxJournal = 4
	maxLog     = 8
	maxMarkers = 10
	maxOutbox  = 4
	maxBuyers  = 3
	skus       = 2
)

// Kinds of records; applied is the marker that the outbox leaves in the database.
const (
	kindOrders = iota + 1
	kindTransfer
	kindFence
	kindApplied
)

// Order rows in the database.
const (
	absent = iota
	confirmed
	cancelled
	refused
)

// States of a bucket, in the database (open, closed, loading) and in Redis (all).
const (
	open = iota
	closed
	loading
	unknownBucket
)

// record is a journal entry, the Kafka record with the same bytes, or a marker. Its identity is everything but second.
type record struct {
	kind, bucket, epoch, seq uint8
	first                    uint8 // order id, transfer id, number of an outbox row, or the control role of a fence
	second                   uint8 // the batch's other order, or the units of a transfer, packed
}

func (r record) place() record { return record{0, r.bucket, r.epoch, r.seq, 0, 0} }

func (r record) identity() record { r.second = 0; return r }

// entry is the buyers hash's entry of one order: 0 for none, else 1 + sequence, with the bit given for a released order.
type entry uint8

const given entry = 0x80

func soldIn(seq uint8) entry         { return entry(seq + 1) }
func (e entry) sold() bool           { return e != 0 && e&given == 0 }
func (e entry) released() bool       { return e&given != 0 }
func (e entry) sequence() uint8      { return uint8(e&^given) - 1 }
func bit(order uint8) uint8          { return 1 << order }
func (r *redis) seenIn(o uint8) bool { return r.entries[o] != 0 }

// redis is one bucket in Redis.
type redis struct {
	epoch, loaded uint8 // loaded is a state
	script        uint8
	back          uint8 // 1: it lost writes and the script, and the script was not loaded for it since
	foreign       uint8 // 1: another replication id than meta's, not yet looked at; 2: noticed
	available     units
	seq           uint8
	outbox        uint8 // highest outbox row applied
	outboxSeq     uint8
	took          uint8 // what the last page found, if it was a take
	returned      units // less what takes found
	moved         units
	entries       [maxOrders + 1]entry
	journal       [maxJournal]record
	journaled     uint8
}

// row is a bucket in the database: its bucket row with its stock rows.
type row struct {
	epoch, state              uint8
	loaded, settled, released units
	movedEpoch, givenEpoch    units
	number                    uint8 // of the last outbox row
	seq                       uint8 // highest sequence settled or applied in this epoch
}

// Kinds of outbox rows: of one or two orders, refused by hand or not, of a transfer, and of the operator's stock changes.
const (
	rowRelease = iota + 1
	rowRefusal
	rowCredit
	rowRaise
	rowTake
)

// outboxRow changes the units of a bucket. Those of a take, of one SKU, are asked.
type outboxRow struct{ number, epoch, kind, first, second, packed uint8 }

// What a gateway is doing.
const (
	idle      = iota
	asking    // a call has no outcome yet
	producing // publications wait for Kafka
	trimming  // the first publication is acknowledged
)

type gateway struct {
	doing                uint8
	asked                [2]uint8 // order ids of the call
	askedIn, askedBucket uint8    // epoch and bucket of the call
	underway             uint8    // the call has not reached Redis yet
	publications         [2]record
	epoch, highest       [maxBuckets]uint8 // newest epoch used, highest sequence seen in it
}

type relay struct {
	doing uint8 // 0 nothing, 1 read, 2 published
	record
}

// outboxApplier applies rows of one bucket's outbox in Redis.
type outboxApplier struct {
	doing                     uint8 // 0 nothing, 1 has read rows, 2 has applied them
	bucket, from, upTo, epoch uint8
	rows                      [maxOutbox]outboxRow
	appliedNumber, appliedSeq uint8
	takes, found              uint8 // 1: the page has a take; what its last take found, packed
}

// control is one process in the middle of a bucket's rebuild; step is its next step.
type control struct {
	step    uint8
	epoch   uint8 // the one remembered at (a), from (e) on the new one
	journal [maxJournal]record
	entries uint8 // journal entries read
	loadAs
}

// loadAs is what (e) read from the database.
type loadAs struct {
	available        units
	owners, released uint8 // bits of orders
	outbox           uint8
}

// asker verifies that a SKU is sold out, see asker.go.
type asker struct {
	step, sku uint8
	emptySeen uint8 // at some moment since the request arrived no unit was free
	seen      [maxBuckets]seen
}

// seen is what the asker saw of a bucket.
type seen struct {
	epoch, seq      uint8
	moved, returned int8
}

// State is everything. All fields are single bytes, so that it has no padding and its memory can be hashed.
type State struct {
	redis            [maxBuckets]redis
	replica, old     [maxBuckets]redis // a replica that stopped following; a primary that was left behind
	hasReplica       [maxBuckets]uint8
	hasOld           [maxBuckets]uint8
	log              [maxBuckets][maxLog]record
	written, settled [maxBuckets]uint8
	rows             [maxBuckets]row
	outbox           [maxBuckets][maxOutbox]outboxRow
	markers          [maxMarkers]record // sorted: a set
	marked           uint8
	status           [maxOrders + 1]uint8
	press            [maxOrders + 1]uint8 // the press of the order, + 1
	life             [maxOrders + 1]uint8 // the epoch in which an order was taken
	orders           uint8
	transfers        uint8
	gateways         [actors]gateway
	relays           [maxBuckets]relay
	outboxAppliers   [actors]outboxApplier
	controls         [maxBuckets][actors]control
	asker            asker
	pressed          [maxBuyers]uint8
	raised, taken    units // by the operator's stock changes
	takes, decided   uint8 // take-backs that the operator asked for, and those that the database has decided

	// The answers queued, held and told (refused after an unknown outcome) are bits of orders. lost: Redis may have lost an
	// acknowledged write. mislaid: orders that Redis journaled and lost. forked: a gateway made a batch at a sequence that
	// it had seen before. accused: a bucket was closed although Redis lost nothing. sold: a server that had gone back was
	// sold from. deadLetters: orders that were refused by hand.
	queued, held, told, lost, mislaid, forked, accused, sold, deadLetters uint8
	// the last epoch of which Redis may have lost a write
	lostIn [maxBuckets]uint8
	left   [faultKinds]uint8
}
