package check

import (
	"slices"
	"strconv"
	"strings"
)

// Freeze is a time in which no unpaid order of a sale may expire: from the answer of the freeze to the request of the thaw.
type Freeze struct {
	Sale         string
	FromUS, ToUS int64
}

// Deadline is the end of the payment time of a row and what moved it. Times in milliseconds are by the clock that decides.
type Deadline struct {
	FirstMS, PayByMS int64   // at the confirmation, and at rest
	Moves            []int64 // by how much each thaw moves it: those that began after the confirmation and before the row's end
	ByHand           bool    // it was extended, or an extension has no answer: Moves is not judged
	EndedMS          int64   // when the order expired; 0: it did not
	ExpiredUS        int64   // by when the order had expired, by the clock of the operations
}

// checkFrozen: no order expires while the holds of its sale are frozen.
func checkFrozen(e *Evidence, r *report) {
	for i := range e.Rows {
		row := &e.Rows[i]
		if row.Due == nil || row.Status != "expired" {
			continue
		}
		for _, f := range e.Freezes {
			if f.Sale == row.Sale && f.FromUS < row.Due.ExpiredUS && row.Due.ExpiredUS < f.ToUS {
				r.fault("order %s expired at %d us, while its sale was frozen from %d to %d us", row.Order, row.Due.ExpiredUS,
					f.FromUS, f.ToUS)
			}
		}
	}
	r.count("freezes", len(e.Freezes))
}

// checkDeadlines: an order expires only after its payment time, which never moves back; each thaw moves it once, by the time of
// the freeze: an order that waits or has expired has all moves, another one those up to its end.
func checkDeadlines(e *Evidence, r *report) {
	for i := range e.Rows {
		row := &e.Rows[i]
		due := row.Due
		if due == nil {
			continue
		}
		r.count("payment times", 1)
		if row.Status == "expired" && due.EndedMS < due.PayByMS {
			r.fault("order %s expired at %d, before its payment time was over at %d", row.Order, due.EndedMS, due.PayByMS)
		}
		if due.PayByMS < due.FirstMS {
			r.fault("the payment time of order %s went back from %d to %d", row.Order, due.FirstMS, due.PayByMS)
		}
		if due.ByHand {
			continue
		}
		sums := []int64{due.FirstMS}
		for _, by := range due.Moves {
			sums = append(sums, sums[len(sums)-1]+by)
		}
		if row.Status == "confirmed" || row.Status == "expired" {
			sums = sums[len(due.Moves):]
		}
		if !slices.Contains(sums, due.PayByMS) {
			r.fault("order %s (%s) had the payment time %d, the thaws moved it by %v, and it has %d", row.Order, row.Status,
				due.FirstMS, due.Moves, due.PayByMS)
		}
		r.count("payment times moved by thaws", min(len(due.Moves), 1))
	}
}

// extendedTo returns the payment time in the id of an event that an order was extended, and whether the id has that form.
func extendedTo(event *Event) (ms int64, ok bool) {
	text, ok := strings.CutPrefix(event.ID, event.Order+":extended:")
	if !ok || event.Status != "extended" {
		return 0, false
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return ms, err == nil
}

// checkExtensions: the payment times that were announced of an order rise, and the last one is that of the row.
func checkExtensions(e *Evidence, r *report) {
	if e.Unread {
		return
	}
	rows, last, known := e.rowsByID(), map[string]int64{}, map[string]bool{}
	for i := range e.Events {
		event := &e.Events[i]
		ms, is := extendedTo(event)
		if !is || known[event.ID] || rows[event.Order] == nil {
			continue
		}
		known[event.ID] = true
		if ms <= last[event.Order] {
			r.fault("order %s was announced as extended to %d after %d", event.Order, ms, last[event.Order])
		}
		last[event.Order] = ms
		r.count("extensions announced", 1)
	}
	for id, row := range rows {
		if row.Due == nil {
			continue
		}
		told, moved := last[id], row.Due.PayByMS != row.Due.FirstMS
		if moved && told != row.Due.PayByMS || !moved && told != 0 {
			r.fault("order %s has the payment time %d, at first %d, and %d was announced last", id, row.Due.PayByMS,
				row.Due.FirstMS, told)
		}
	}
}
