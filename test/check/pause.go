package check

import (
	"slices"

	"flashsale/test/buyers/history"
)

// checkPause: between the answer to a pause and the next resume that was asked for, nothing is taken.
func checkPause(e *Evidence, r *report) {
	for id := range e.Sales {
		for _, p := range pauses(e, id) {
			r.count("pauses", 1)
			for _, b := range e.Batches {
				if b.Sale == id && b.CreatedMS*1000 > p.FromUS && (b.CreatedMS+1)*1000 <= p.ToUS {
					r.fault("%s: batch of %v was taken at %d ms, between pause (answered at %d us) and resume (asked at %d us)",
						id,
						b.Orders, b.CreatedMS, p.FromUS, p.ToUS)
				}
			}
		}
	}
}

// pauses returns the stretches in which a sale was certainly paused. A resume counts from the moment it was asked, and
// so does one whose answer is unknown.
func pauses(e *Evidence, id string) []Span {
	var moves []history.Op
	for _, op := range e.Ops {
		if op.Sale == id && (op.Verb == history.Pause || op.Verb == history.Resume) {
			moves = append(moves, op)
		}
	}
	slices.SortFunc(moves, func(a, b history.Op) int { return int(a.Invoke - b.Invoke) })
	var spans []Span
	for i, op := range moves {
		if op.Verb != history.Pause || op.End != history.OK {
			continue
		}
		span := Span{FromUS: op.Return, ToUS: e.Sales[id].EndsMS * 1000}
		overlapped := false
		for j, other := range moves {
			if other.Verb != history.Resume {
				continue
			}
			// An earlier resume that may still arrive can end this pause at any moment.
			if j < i && (other.Return == 0 || other.Return > op.Invoke || other.End == history.Perhaps) &&
				!followedByOK(moves[j+1:i]) {
				overlapped = true
			}
			if j > i {
				span.ToUS = min(span.ToUS, other.Invoke)
			}
		}
		if !overlapped && span.FromUS < span.ToUS {
			spans = append(spans, span)
		}
	}
	return spans
}

// followedByOK reports whether a later resume was answered: the unknown one before it is over then.
func followedByOK(moves []history.Op) bool {
	return slices.ContainsFunc(moves, func(op history.Op) bool {
		return op.Verb == history.Resume && op.End == history.OK
	})
}
