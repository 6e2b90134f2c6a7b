package sale

import "slices"

// DeadLetterStates returns the states that a dead letter may have.
func DeadLetterStates() []DeadLetterState {
	return []DeadLetterState{DeadLetterWaiting, DeadLetterReplayed, DeadLetterRefused}
}

// Known reports whether a dead letter may have the state.
func (s DeadLetterState) Known() bool { return slices.Contains(DeadLetterStates(), s) }

// LetterPosition is a place in the list of dead letters, which is sorted by these members: behind the letter that has them.
type LetterPosition struct {
	State     DeadLetterState
	Partition int32
	Offset    int64
	ID        string
}

// Position returns the place behind the letter.
func (l *DeadLetter) Position() LetterPosition {
	return LetterPosition{l.State, l.Partition, l.Offset, l.ID}
}

// LetterQuery selects dead letters.
type LetterQuery struct {
	State DeadLetterState // empty: every state
	After *LetterPosition // nil: from the first letter on
	Limit int             // most letters of a page, at least 1
}

// LetterPage is a part of the list of dead letters.
type LetterPage struct {
	Letters []DeadLetter
	Next    *LetterPosition // nil: there is no further page
}

// LetterChange is the trail's change of a dead letter that an operator has decided.
func LetterChange(letter *DeadLetter, verb string, state DeadLetterState) Change {
	before, after := map[string]any{"state": letter.State}, map[string]any{"state": state}
	for _, values := range []map[string]any{before, after} {
		values["orders"] = len(letter.Orders)
	}
	return Change{Sale: letter.Sale(), Verb: verb, Target: TargetLetter(letter.ID), Before: before, After: after}
}

// Sale returns the id of the sale of the letter's record, empty where the record cannot be decoded or has none.
func (l *DeadLetter) Sale() string {
	record, err := DecodeRecord(l.Raw)
	switch {
	case err != nil:
		return ""
	case record.Batch != nil:
		return record.Batch.Sale
	case record.Transfer != nil:
		return record.Transfer.Sale
	}
	return ""
}
