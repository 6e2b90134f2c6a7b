package check

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// anyDue returns a row with a payment time for which want holds, nil when there is none.
func (s *shop) anyDue(want func(*Row) bool) *Row {
	return s.anyRow(func(r *Row) bool { return r.Due != nil && want(r) })
}

func moved(r *Row) bool {
	return len(r.Due.Moves) > 0 && (r.Status == "confirmed" || r.Status == "expired")
}

var holdBreaches = []breach{
	{"an order expires while its sale is frozen", "no expiry while frozen", func(s *shop) bool {
		row := s.anyDue(func(r *Row) bool { return r.Status == "expired" })
		if row == nil {
			return false
		}
		s.Freezes = append(s.Freezes, Freeze{"s", row.Due.ExpiredUS - 1, row.Due.ExpiredUS + 1})
		return true
	}},
	{"an order expires before its time", "time to pay moves once", func(s *shop) bool {
		row := s.anyDue(func(r *Row) bool { return r.Status == "expired" })
		if row == nil {
			return false
		}
		row.Due.EndedMS = row.Due.PayByMS - 1
		return true
	}},
	{"a thaw moves an order twice", "time to pay moves once", func(s *shop) bool {
		row := s.anyDue(moved)
		if row == nil {
			return false
		}
		row.Due.PayByMS += shiftMS
		return true
	}},
	{"a thaw forgets an order", "time to pay moves once", func(s *shop) bool {
		row := s.anyDue(moved)
		if row == nil {
			return false
		}
		row.Due.PayByMS = row.Due.FirstMS
		return true
	}},
	{"a thaw moves an order that came after it", "time to pay moves once", func(s *shop) bool {
		row := s.anyDue(func(r *Row) bool { return len(r.Due.Moves) == 0 })
		row.Due.PayByMS += shiftMS
		return true
	}},
	{"the time to pay goes back", "time to pay moves once", func(s *shop) bool {
		row := s.anyDue(func(*Row) bool { return true })
		row.Due.PayByMS, row.Due.ByHand = row.Due.FirstMS-1, true
		return true
	}},
	{"an extension is not announced", "extensions are announced", func(s *shop) bool {
		row := s.anyDue(moved)
		if row == nil {
			return false
		}
		s.Events = slices.DeleteFunc(s.Events, func(e Event) bool { return e.Order == row.Order && e.Status == "extended" })
		return true
	}},
	{"an extension that did not happen", "extensions are announced", func(s *shop) bool {
		row := s.anyDue(func(r *Row) bool { return len(r.Due.Moves) == 0 })
		row.Due.PayByMS++
		s.extended(row)
		row.Due.PayByMS--
		return true
	}},
	{"an extension is announced after a later one", "extensions are announced", func(s *shop) bool {
		at := slices.IndexFunc(s.Events, func(e Event) bool { return e.Status == "extended" })
		e := s.Events[at]
		e.ID = fmt.Sprint(e.Order, ":extended:", firstPayMS)
		s.Events = slices.Insert(s.Events, at+1, e)
		return true
	}},
	{"an order is extended after its end", "events", func(s *shop) bool {
		row := s.anyRow(func(r *Row) bool { return r.Status == "paid" })
		if row == nil {
			return false
		}
		s.Events = append(s.Events, Event{row.Order + ":extended:99", row.Order, "extended", ""})
		return true
	}},
	{"an extension without its time", "events", func(s *shop) bool {
		at := slices.IndexFunc(s.Events, func(e Event) bool { return e.Status == "extended" })
		s.Events[at].ID = s.Events[at].Order + ":extended:soon"
		return true
	}},
}

// What cannot be judged accuses nobody: rows without a payment time, orders that were extended by hand, and events that were not
// read.
func TestHoldsThatAreNotJudged(t *testing.T) {
	e := &Evidence{Freezes: []Freeze{{"other", 0, 99}}, Unread: true, Rows: []Row{
		{Order: "1", Sale: "s", Status: "expired"},
		{Order: "2", Sale: "s", Status: "expired",
			Due: &Deadline{FirstMS: 5, PayByMS: 9, EndedMS: 9, ExpiredUS: 50, ByHand: true}},
		{Order: "3", Sale: "s", Status: "paid", Due: &Deadline{FirstMS: 5, PayByMS: 6, Moves: []int64{1, 1}}},
	}}
	r := &report{counts: map[string]int{}}
	checkFrozen(e, r)
	checkDeadlines(e, r)
	checkExtensions(e, r)
	require.Empty(t, r.faults)
	require.Equal(t, 2, r.counts["payment times"])
}
