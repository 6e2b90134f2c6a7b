package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Level is how bad a finding is.
type Level string

// The levels, the worst first.
const (
	Danger  Level = "danger"  // orders, units or payments may be lost, or nothing can be sold
	Warning Level = "warning" // a sale works, and something makes a failure likelier or longer
	Unknown Level = "unknown" // a server did not allow the look; Mend is what it takes
	OK      Level = "ok"
)

// Levels returns all levels, the worst first.
func Levels() []Level { return []Level{Danger, Warning, Unknown, OK} }

// Subjects of findings.
const (
	Redis    = "redis"
	Kafka    = "kafka"
	Database = "database"
	Clocks   = "clocks"
	Machine  = "machine"
)

// Stores returns the subjects in the order of a report.
func Stores() []string { return []string{Redis, Kafka, Database, Clocks, Machine} }

// Finding is the result of one check.
type Finding struct {
	Store string `json:"store"` // one of Stores
	Check string `json:"check"` // a word, unique within the store
	Level Level  `json:"level"`
	Found string `json:"found"` // what is there, with the address where there are several servers
	Why   string `json:"why"`   // why it matters
	Mend  string `json:"mend"`  // the line to type, empty where none is needed
}

// findings collects what is found in one store.
type findings struct {
	store string
	all   []Finding
}

// add appends a finding. An ok one needs no line to type.
func (f *findings) add(level Level, check, why, mend, found string, args ...any) {
	if level == OK {
		mend = ""
	}
	if len(args) > 0 {
		found = fmt.Sprintf(found, args...)
	}
	f.all = append(f.all, Finding{Store: f.store, Check: check, Level: level, Found: found, Why: why, Mend: mend})
}

// unknown appends a check that could not be made, with the right that it takes.
func (f *findings) unknown(check, why, mend string, cause error) {
	f.add(Unknown, check, why, mend, "not allowed to look: %v", cause)
}

// either returns bad when a condition holds, else OK.
func either(is bool, bad Level) Level {
	if is {
		return bad
	}
	return OK
}

// inOrder sorts by store, then by level, the worst first, and keeps the order of the checks.
func inOrder(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(Stores(), a.Store), slices.Index(Stores(), b.Store)),
			cmp.Compare(slices.Index(Levels(), a.Level), slices.Index(Levels(), b.Level)))
	})
	return all
}
