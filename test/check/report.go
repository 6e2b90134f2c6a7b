package check

import (
	"fmt"

	"flashsale/test/buyers/history"
)

// maxFaultsOfOne bounds the faults that one check reports: the first ones show what is wrong, thousands hide it.
const maxFaultsOfOne = 20

// report collects what the checks find.
type report struct {
	name     string
	faults   []Fault
	reported int
	last     string
	counts   map[string]int
}

func (r *report) fault(format string, args ...any) {
	if r.last != r.name {
		r.last, r.reported = r.name, 0
	}
	if r.reported++; r.reported <= maxFaultsOfOne {
		r.faults = append(r.faults, Fault{Check: r.name, Text: fmt.Sprintf(format, args...)})
	}
}

func (r *report) count(what string, n int) { r.counts[what] += n }

// rowsByID indexes the rows.
func (e *Evidence) rowsByID() map[string]*Row {
	rows := make(map[string]*Row, len(e.Rows))
	for i := range e.Rows {
		rows[e.Rows[i].Order] = &e.Rows[i]
	}
	return rows
}

// lost reports whether Redis may have lost an order that it took at that moment.
func (e *Evidence) lost(createdUS int64) bool { return anyHits(e.Losses, createdUS, createdUS) }

// mayVanish reports whether an order that was answered held may have no row. row is nil when it has none.
func (e *Evidence) mayVanish(id string, row *Row, op *history.Op) bool {
	if e.Fates != nil {
		return e.Fates[id].MayVanish
	}
	return e.lost(created(row, op))
}

// mayBeRefused reports whether an order that was promised may be refused.
func (e *Evidence) mayBeRefused(id string, row *Row, op *history.Op) bool {
	if e.Fates != nil {
		return e.Fates[id].MayBeRefused
	}
	return e.lost(created(row, op))
}

func anyHits(spans []Span, from, to int64) bool {
	for _, s := range spans {
		if s.Hits(from, to) {
			return true
		}
	}
	return false
}

// buys calls each for every press that ended.
func (e *Evidence) buys(each func(*history.Op)) {
	for i := range e.Ops {
		if op := &e.Ops[i]; op.Verb == history.Buy {
			each(op)
		}
	}
}

// perhaps reports whether the outcome of the operation is unknown.
func perhaps(op *history.Op) bool { return op.End == history.Perhaps || op.End == history.Open }

// created returns when an order was taken, in microseconds: by its row, else by the answer, else the moment it was asked
// for.
func created(row *Row, op *history.Op) int64 {
	switch {
	case row != nil:
		return row.CreatedMS * 1000
	case op.Order().CreatedMS != 0:
		return op.Order().CreatedMS * 1000
	}
	return op.Invoke
}

// Codes counts how presses ended, by the code of the answer.
func Codes(ops []history.Op) map[string]int {
	codes := map[string]int{}
	for i := range ops {
		op := &ops[i]
		switch {
		case op.Verb != history.Buy:
		case op.End == history.OK && op.Status == 202:
			codes[op.Order().Status]++
		case op.End == history.OK:
			codes["replayed"]++
		default:
			codes[op.Code]++
		}
	}
	return codes
}
