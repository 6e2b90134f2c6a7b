package protocol

import (
	"fmt"
	"slices"
	"strings"
)

// Named is a setup with the name under which it is printed.
type Named struct {
	Name string
	Setup
}

// Shapes of sales, without faults.
func single() Setup { // two buyers for one unit
	return Setup{Buckets: 1, Stock: 1, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 1}, {1, 1}}, {{1, 1}}}}
}

func pair() Setup { // batches of two, one unit for two buyers who press with keys
	return Setup{Buckets: 1, Stock: 2, Limit: 1, Batch: 2, Buyers: [][]Press{{{1, 1}, {1, 1}}, {{1, 0}}}}
}

func many() Setup { // limit 2, quantities of 1 and 2
	return Setup{Buckets: 1, Stock: 2, Limit: 2, Batch: 2, Buyers: [][]Press{{{1, 1}, {1, 1}}, {{2, 1}}}}
}

func twin() Setup { // two buckets of one SKU
	return Setup{Buckets: 2, Stock: 1, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0}}, {{1, 0}}}}
}

func wide() Setup { // one buyer who presses twice, without keys, for two units
	return Setup{Buckets: 1, Stock: 2, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0}, {1, 0}}, {{1, 0}}}}
}

func three() Setup { // limit 1, one unit each, three buyers without keys
	return Setup{Buckets: 1, Stock: 1, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0}, {1, 0}}, {{1, 0}, {1, 0}}}}
}

// Shapes of sales by name, without faults.
func Shapes() map[string]Setup {
	return map[string]Setup{"single": single(), "pair": pair(), "many": many(), "three": three(), "wide": wide(), "twin": twin()}
}

// ParseFaults reads faults joined by a plus.
func ParseFaults(text string) ([]Fault, error) {
	var faults []Fault
	for _, name := range strings.Split(text, "+") {
		at := slices.Index(faultNames[:], name)
		if at < 0 {
			return nil, fmt.Errorf("no fault is named %q", name)
		}
		faults = append(faults, Fault(at))
	}
	return faults, nil
}

// Small are the setups that every run of the tests explores whole.
func Small() []Named {
	return []Named{
		{"plain", many().With(Cancel)},
		{"rewind", single().With(Rewind)},
		{"rewind pair", pair().With(Rewind)},
		{"blind many", many().With(Blind)},
		{"split", single().With(Split)},
		{"unknown pair", pair().With(Unknown)},
		{"unknown blind", pair().With(Unknown, Blind)},
		{"contents", Setup{Buckets: 1, Stock: 3, Limit: 2, Batch: 2, Buyers: [][]Press{{{2, 0}, {1, 0}}, {{1, 0}}, {{1, 0}}}}.With(Unknown, Blind)},
		{"cancel rewind", single().With(Cancel, Rewind)},
		{"false alarm, cancel", pair().With(FalseAlarm, Cancel)},
		{"takeover", single().With(FalseAlarm, Takeover)},
		{"transfer", twin().With(Transfer, FalseAlarm)},
		{"transfer ask", twin().With(Transfer, Cancel, Ask)},
	}
}

// Large are setups with more faults at once, for the command.
func Large() []Named {
	return []Named{
		{"rewind cancel pair", pair().With(Rewind, Cancel)},
	}
}
