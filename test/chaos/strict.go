package chaos

import (
	"fmt"

	"flashsale/sale"
	"flashsale/test/chaos/check"
	"flashsale/test/chaos/history"
)

// strict names the breaches that only a run without lost writes can have: there is no excuse for an order that is refused,
// and every definite answer to a key tells exactly the order that the key has in the end.
func strict(e *check.Evidence) []check.Fault {
	s := &strictness{ofKey: map[string]*check.Row{}}
	for i := range e.Rows {
		s.row(&e.Rows[i])
	}
	for i := range e.Ops {
		if op := &e.Ops[i]; op.Verb == history.Buy && definite(op) {
			s.answer(op)
		}
	}
	return s.faults
}

// definite reports whether an answer to a purchase is the last word about its key.
func definite(op *history.Op) bool {
	return op.End == history.OK || op.End == history.Refused && op.Status == 409 && op.Code != sale.OutcomeNotStarted.String()
}

type strictness struct {
	ofKey  map[string]*check.Row // by buyer and key: the order that stands or stood
	faults []check.Fault
}

func (s *strictness) fault(format string, args ...any) {
	s.faults = append(s.faults, check.Fault{Check: "nothing is lost", Text: fmt.Sprintf(format, args...)})
}

func (s *strictness) row(r *check.Row) {
	key := r.Buyer + " " + r.Key
	switch other := s.ofKey[key]; {
	case r.Status == "refused":
		s.fault("order %s of %s was refused although no store lost anything", r.Order, r.Buyer)
		return
	case other != nil:
		s.fault("orders %s and %s of %s have one key", other.Order, r.Order, r.Buyer)
	}
	s.ofKey[key] = r
}

func (s *strictness) answer(op *history.Op) {
	r, told := s.ofKey[op.Buyer+" "+op.Key], op.Order().Order
	switch {
	case told == "" && r != nil:
		s.fault("%s was refused (operation %d) and has order %s", op.Buyer, op.N, r.Order)
	case told != "" && r == nil:
		s.fault("%s was told of order %s (operation %d), which is lost", op.Buyer, told, op.N)
	case told != "" && r.Order != told:
		s.fault("%s was told of order %s (operation %d) and has %s", op.Buyer, told, op.N, r.Order)
	}
}

// bucket is what the database and Redis know of one bucket at rest.
type bucket struct {
	sale.Stock
	State, RedisState  string
	Epoch, RedisEpoch  int64
	Standing, Returned int64 // units of its rows that stand, and of those that were given back
	Entries            int64 // units that the buyers' entries in Redis count
	Journaled          int64 // orders whose journal entries are not trimmed
}

// faults names what is wrong with the bucket of a sale that is at rest and open.
func (b bucket) faults(k int) (faults []check.Fault) {
	fault := func(format string, args ...any) {
		text := fmt.Sprintf("bucket %d: ", k) + fmt.Sprintf(format, args...)
		faults = append(faults, check.Fault{Check: "every bucket balances", Text: text})
	}
	if !b.Holds() || b.InFlight != 0 {
		fault("%+v: off by %d", b.Stock, b.Difference())
	}
	if b.Settled-b.Released != b.Standing || b.Released != b.Returned {
		fault("settled %d, released %d, but its rows are %d that stand and %d given back",
			b.Settled, b.Released, b.Standing, b.Returned)
	}
	if b.State != "open" || b.RedisState != "open" || b.Epoch != b.RedisEpoch {
		fault("is %s in epoch %d, in Redis %s in epoch %d", b.State, b.Epoch, b.RedisState, b.RedisEpoch)
	}
	if b.Journaled != 0 || b.Entries != b.Standing {
		fault("%d orders journaled, %d units in entries, %d in rows", b.Journaled, b.Entries, b.Standing)
	}
	return faults
}
