package protocol

import (
	"fmt"
	"strings"
)

// Fault is a kind of fault, which may happen a bounded number of times.
type Fault uint8

// The faults, and the actions that may or may not happen, such as Cancel and Transfer.
const (
	Rewind    Fault = iota // Redis goes back to a replica's state: another replication id, no script
	Blind                  // it goes back to a node that still has the script, and its replication id is not checked yet
	Wipe                   // it is empty, as a new process or flushed
	Split                  // a replica is promoted while the old primary still answers some clients; then perhaps fail-back
	Crash                  // a gateway, relay or outbox applier dies
	Duplicate              // a record is written twice
	Redeliver              // a settled record is settled again
	Takeover               // a control role takes over while the old one still works
	ControlDies
	FalseAlarm
	Unknown // the answer of a call is lost
	Held    // Kafka stays away and the gateway answers held
	Cancel
	Expire // two orders in one transaction
	Refuse // a record that cannot settle is refused by hand
	Transfer
	Zombie // a second outbox applier at work
	Ask    // a buyer's request needs to know whether a SKU is sold out
	Raise  // the operator adds a unit to the stock
	Take   // the operator takes two units back, or as many as are unsold
	Repeat // the operator's request for a stock change arrives again
	faultKinds
)

var faultNames = [faultKinds]string{"rewind", "blind", "wipe", "split", "crash", "duplicate", "redeliver", "takeover",
	"control-dies", "false-alarm", "unknown", "held", "cancel", "expire", "refuse", "transfer", "zombie", "ask", "raise",
	"take", "repeat"}

// String returns the fault's name.
func (f Fault) String() string { return faultNames[f] }

// Press is one press of a buyer: a quantity of each SKU, and a key, 0 for none.
type Press struct{ First, Second, Key uint8 }

// Setup is one configuration to explore.
type Setup struct {
	Buckets   int
	Stock     units     // loaded into each bucket
	Limit     int       // units of each SKU a buyer
	SaleLimit int       // units of all SKUs a buyer, 0 for none
	Batch     int       // purchases in one call, 1 or 2
	Buyers    [][]Press // each buyer's presses, in order; buyer b lives in bucket b modulo Buckets
	Faults    [faultKinds]uint8
	Hidden    bool     // the server hides its replication id, as managed ones do
	Kept      int      // released orders of each SKU that Redis remembers of a buyer, 0 for all
	Steady    bool     // the second bucket gives no units away and suffers nothing
	Shared    bool     // both buckets are on one server, and go back together
	After     []string // what has happened when the search begins: beginnings of the labels of steps
	Off       Off
}

// With returns the setup with faults allowed once more each.
func (s Setup) With(faults ...Fault) Setup {
	for _, f := range faults {
		s.Faults[f]++
	}
	return s
}

// String describes the setup in one line.
func (s *Setup) String() string {
	text := fmt.Sprintf("%d bucket(s) of %s, limit %d", s.Buckets, s.Stock, s.Limit)
	if s.SaleLimit > 0 {
		text += fmt.Sprintf(" and %d in all", s.SaleLimit)
	}
	text += fmt.Sprintf(", batches of %d, presses", s.Batch)
	for _, presses := range s.Buyers {
		text += " "
		for i, p := range presses {
			if i > 0 {
				text += "+"
			}
			text += units{int8(p.First), int8(p.Second)}.String()
			if p.Key > 0 {
				text += "k" + fmt.Sprint(p.Key)
			}
		}
	}
	var faults []string
	for f, n := range s.Faults {
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%s×%d", Fault(f), n))
		}
	}
	if s.Kept > 0 {
		text += fmt.Sprintf(", %d released kept", s.Kept)
	}
	if s.Hidden {
		text += ", replication id hidden"
	}
	if s.Steady {
		text += ", the second bucket steady"
	}
	if s.Shared {
		text += ", one server"
	}
	if len(s.After) > 0 {
		text += fmt.Sprintf(", after %d given steps", len(s.After))
	}
	return text + "; " + strings.Join(faults, ", ")
}

// start is the first state: every bucket open in epoch 1.
func (s *Setup) start() State {
	var first State
	first.left = s.Faults
	for k := range s.Buckets {
		first.redis[k] = redis{epoch: 1, loaded: open, script: 1, available: s.Stock}
		first.rows[k] = row{epoch: 1, loaded: s.Stock}
	}
	for k := s.Buckets; k < maxBuckets; k++ {
		first.redis[k].loaded = unknownBucket
	}
	return first
}

// suffers reports whether something may happen to a bucket.
func (s *Setup) suffers(k int) bool { return k == 0 || !s.Steady }

// pressed is a press with what follows from its place.
type pressed struct {
	buyer, bucket int
	lines         units
	key           uint8
}

// presses numbers the presses of all buyers, buyer after buyer.
func (s *Setup) presses() (flat []pressed, first []int) {
	for b, presses := range s.Buyers {
		first = append(first, len(flat))
		for _, p := range presses {
			flat = append(flat, pressed{buyer: b, bucket: b % s.Buckets, lines: units{int8(p.First), int8(p.Second)}, key: p.Key})
		}
	}
	return flat, first
}

// skusSold is the number of SKUs that the setup sells.
func (s *Setup) skusSold() int {
	for _, presses := range s.Buyers {
		for _, p := range presses {
			if p.Second > 0 {
				return skus
			}
		}
	}
	if s.Stock[1] > 0 {
		return skus
	}
	return 1
}
