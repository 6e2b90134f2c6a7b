package sale

import "time"

// BrakeReason names what lags while purchases are slowed.
type BrakeReason string

// The reasons of a brake.
const (
	BrakeRows    BrakeReason = "rows"    // orders in the orders topic that are not settled
	BrakeEvents  BrakeReason = "events"  // orders' events that the events topic does not have
	BrakeJournal BrakeReason = "journal" // orders in the fullest journal, which Kafka does not have
)

// Brake slows the purchases of the whole engine while rows, events or journals lag. It never stops them: each gateway lets at
// least one purchase a second pass.
type Brake struct {
	Since      Time          `json:"since"` // by the database's clock
	Reason     BrakeReason   `json:"reason"`
	PerSecond  int64         `json:"per_second"` // purchases of all gateways together; 0: there is no brake
	PerGateway int64         `json:"-"`          // the share of one gateway, at least 1
	Left       time.Duration `json:"-"`          // how long it lasts from this reading on unless it is renewed
}

// On reports whether the brake slows purchases, by the database's clock at the reading.
func (b *Brake) On() bool { return b != nil && b.PerSecond > 0 && b.Left > 0 }

// Headway is how far the database has settled one partition, with the number of orders in the records that it has settled
// since it began to count. The count tells how many orders a record has and how many settle in a second; records that are
// delivered again may count twice.
type Headway struct {
	Partition int32
	Next      int64 // offset of the next record to settle
	Orders    int64
}
