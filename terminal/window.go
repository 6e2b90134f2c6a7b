package terminal

import (
	"time"

	"flashsale/sale"
)

// window says where now is in the window of a sale: "starts in 2h", "ends in 5m" or "ended". It is empty for a sale that is
// closed or archived, because its window means nothing any more, and where the sale has no times.
func window(state sale.State, starts, ends sale.Time, now time.Time) string {
	switch {
	case state == sale.StateClosed, state == sale.StateArchived, starts.IsZero():
		return ""
	case now.Before(starts.Time):
		return "starts in " + Span(starts.Sub(now))
	case now.Before(ends.Time):
		return "ends in " + Span(ends.Sub(now))
	}
	return "ended"
}

// stateInWindow is the state with the window, such as "open, ends in 5m".
func stateInWindow(state sale.State, starts, ends sale.Time, now time.Time) string {
	if in := window(state, starts, ends, now); in != "" {
		return string(state) + ", " + in
	}
	return string(state)
}
