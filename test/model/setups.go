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
	return Setup{Buckets: 1, Stock: units{1}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0, 1}, {1, 0, 1}}, {{1, 0, 1}}}}
}

func pair() Setup { // batches of two, one unit for two buyers who press with keys
	return Setup{Buckets: 1, Stock: units{2}, Limit: 1, Batch: 2, Buyers: [][]Press{{{1, 0, 1}, {1, 0, 1}}, {{1, 0, 0}}}}
}

func many() Setup { // limit 2, quantities of 1 and 2
	return Setup{Buckets: 1, Stock: units{2}, Limit: 2, Batch: 2, Buyers: [][]Press{{{1, 0, 1}, {1, 0, 1}}, {{2, 0, 1}}}}
}

func lines() Setup { // two SKUs, orders of both and of one, with keys
	return Setup{Buckets: 1, Stock: units{1, 1}, Limit: 1, Batch: 2,
		Buyers: [][]Press{{{1, 1, 1}, {1, 1, 1}}, {{0, 1, 0}, {1, 0, 0}}}}
}

func limited() Setup { // two SKUs, with a limit of two units in all, and a key pressed for other lines
	return Setup{Buckets: 1, Stock: units{2, 2}, Limit: 2, SaleLimit: 2, Batch: 2,
		Buyers: [][]Press{{{1, 0, 1}, {0, 1, 1}}, {{1, 1, 0}, {0, 1, 0}}}}
}

func both() Setup { // two buckets of two SKUs
	return Setup{Buckets: 2, Stock: units{1, 1}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 1, 0}}, {{0, 1, 0}}}}
}

func twin() Setup { // two buckets of one SKU
	return Setup{Buckets: 2, Stock: units{1}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0, 0}}, {{1, 0, 0}}}}
}

func wide() Setup { // one buyer who presses twice, without keys, for two units
	return Setup{Buckets: 1, Stock: units{2}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0, 0}, {1, 0, 0}}, {{1, 0, 0}}}}
}

func three() Setup { // limit 1, one unit each, three buyers without keys
	return Setup{Buckets: 1, Stock: units{1}, Limit: 1, Batch: 1,
		Buyers: [][]Press{{{1, 0, 0}, {1, 0, 0}}, {{1, 0, 0}, {1, 0, 0}}}}
}

func plenty() Setup { // as many, with a unit for each press
	s := many()
	s.Stock = units{3}
	return s
}

func crowded() Setup { // two buckets of two; both buyers live in the first
	return Setup{Buckets: 2, Stock: units{2}, Limit: 1, Batch: 1, Buyers: [][]Press{{{1, 0, 0}}, {}, {{1, 0, 0}}}}
}

// returned is a buyer whose request has read the first of two buckets as empty, because of an order that is only in its
// journal, when that bucket goes back.
func returned() Setup {
	s := forgotten().With(Transfer)
	s.After = append(s.After, "[0] a buyer asks", "[0] sees the bucket empty", "[0] REDIS GOES BACK")
	return s
}

// Shapes of sales by name, without faults.
func Shapes() map[string]Setup {
	return map[string]Setup{"single": single(), "pair": pair(), "many": many(), "three": three(), "wide": wide(), "twin": twin(),
		"plenty": plenty(), "crowded": crowded(), "lines": lines(), "limited": limited(), "both": both()}
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

// hidden is the setup on a Redis that hides its replication id.
func (s Setup) hidden() Setup {
	s.Hidden = true
	return s
}

// steady is the setup with a second bucket that gives no units away and suffers nothing.
func (s Setup) steady() Setup {
	s.Steady = true
	return s
}

// shared is the setup with both buckets on one server.
func (s Setup) shared() Setup {
	s.Shared = true
	return s
}

// Small are the setups that every run of the tests explores whole.
func Small() []Named {
	return []Named{
		{"quantities, expire", plenty().With(Cancel, Expire)},
		{"rewind", single().With(Rewind)},
		{"rewind, batches", pair().With(Rewind)},
		{"hoarder, cancel, false alarm", hoarder().With(Cancel, Cancel, FalseAlarm)},
		{"rewind twice", three().With(Rewind, Rewind)},
		{"rewind, held, crash", three().With(Rewind, Held, Crash)},
		{"rewind, cancel", single().With(Rewind, Cancel)},
		{"refuse, cancel, false alarm", single().With(Refuse, Cancel, FalseAlarm)},
		{"refuse, hoarder", hoarder().With(Refuse, Cancel)},
		{"refuse, batches, rewind", pair().With(Refuse, Rewind)},
		{"refuse, unknown", single().With(Refuse, Unknown)},
		{"refuse, blind", single().With(Refuse, Blind)},
		{"rewind hidden", single().With(FalseAlarm, Rewind).hidden()},
		{"blind, quantities", many().With(Blind)},
		{"blind, cancel", couple(2).With(Blind, Cancel)},
		{"blind, unknown", three().With(Blind, Unknown)},
		{"blind, takeover", three().With(Blind, Takeover)},
		{"split", single().With(Split)},
		{"wipe, batches", pair().With(Wipe)},
		{"wipe, cancel", single().With(Wipe, Cancel)},
		{"unknown, batches", pair().With(Unknown)},
		{"duplicate, redeliver", pair().With(Duplicate, Redeliver)},
		{"false alarm, cancel", pair().With(FalseAlarm, Cancel)},
		{"control dies", single().With(FalseAlarm, ControlDies, Duplicate)},
		{"takeover", single().With(FalseAlarm, Takeover)},
		{"zombie outbox applier", plenty().With(Cancel, Expire, Zombie, Crash)},
		{"transfer, false alarm", twin().With(Transfer, FalseAlarm)},
		{"transfer, rewind", twin().With(Transfer, Rewind)},
		{"one server, rewind", beside().With(Rewind).shared().hidden()},
		{"transfer, wipe", twin().With(Transfer, Wipe).steady()},
		{"sold out, went back", returned()},
		{"transfer, ask", twin().With(Transfer, Cancel, Ask)},
		{"lines, rewind", lines().With(Rewind)},
		{"lines, cancel, false alarm", lines().With(Cancel, FalseAlarm)},
		{"lines, blind", basket().With(Blind, Cancel)},
		{"lines, limits", limited().With(Cancel, Unknown)},
		{"lines, forgetful", forgetful().With(Cancel, Cancel, FalseAlarm)},
		{"lines, transfer, ask", both().With(Transfer, Ask)},
		{"take, cancel, false alarm", couple(1).With(Take, Cancel, FalseAlarm)},
		{"take, blind", alone(1, 1).With(Take, Blind)},
		{"take, rewind", couple(2).With(Take, Rewind)},
		{"take, zombie, crash", pressing(2, Press{1, 1, 0}).With(Take, Take, Zombie, Crash, Unknown)},
		{"raise, take, repeat", couple(1).With(Raise, Take, Repeat, Unknown)},
		{"raise, cancel, false alarm", couple(1).With(Raise, Cancel, FalseAlarm)},
		{"raise, take, ask", twin().With(Raise, Take, Ask)},
		{"take, transfer", twin().With(Take, Transfer).steady()},
	}
}

// Rich are setups with everything at once, for random walks.
func Rich() []Named {
	busy := Setup{Buckets: 1, Stock: units{3}, Limit: 2, Batch: 2,
		Buyers: [][]Press{{{1, 0, 1}, {1, 0, 1}}, {{2, 0, 1}, {1, 0, 0}}, {{1, 0, 0}}}}.
		With(Cancel, Expire, Unknown, Held, Crash, Duplicate, Redeliver, Zombie, FalseAlarm, Takeover, ControlDies)
	moving := Setup{Buckets: 2, Stock: units{2}, Limit: 2, Batch: 2,
		Buyers: [][]Press{{{1, 0, 1}, {1, 0, 1}}, {{2, 0, 0}}, {{1, 0, 0}}}}.
		With(Transfer, Transfer, Cancel, Unknown, Held, Crash, Duplicate, Redeliver, Zombie).
		With(FalseAlarm, Takeover, ControlDies, Ask)
	several := busy.With(Raise, Take, Take, Repeat)
	several.Stock, several.SaleLimit = units{3, 2}, 2
	several.Buyers = [][]Press{{{1, 0, 1}, {0, 1, 1}}, {{2, 0, 1}}, {{1, 1, 0}, {1, 0, 0}}}
	rich := moving.With(Raise, Take, Take, Repeat)
	rich.Stock, rich.Buyers = units{2, 1}, [][]Press{{{1, 1, 1}, {1, 0, 1}}, {{1, 1, 0}}, {{0, 1, 0}}}
	return []Named{
		{"lines, failover", several.With(Split, Rewind)},
		{"lines, blind, hidden", several.With(Blind, Rewind).hidden()},
		{"lines, moving, blind", rich.With(Blind, Rewind)},
		{"failover, fail-back", busy.With(Split, Rewind)},
		{"blind", busy.With(Blind, Blind)},
		{"blind, hidden", busy.With(Blind, Rewind).hidden()},
		{"empty", busy.With(Wipe, Rewind)},
		{"moving, failover", moving.With(Split, Rewind)},
		{"moving, blind, hidden", moving.With(Blind, Rewind).hidden()},
		{"moving, one server", moving.With(Rewind, Split, Wipe).shared()},
		{"moving, one server, hidden", moving.With(Rewind, Split).shared().hidden()},
	}
}

// Large are setups with more at once, for the command. Most are explored whole within a minute or two each.
func Large() []Named {
	return []Named{
		{"blind, unknown, batches", pair().With(Blind, Unknown)},
		{"rewind, cancel, batches", pair().With(Rewind, Cancel)},
		{"rewind hidden, batches", pair().With(FalseAlarm, Rewind).hidden()},
		{"rewind, takeover, cancel", three().With(Rewind, Takeover, Cancel)},
		{"rewind, control dies", many().With(Rewind, ControlDies, Cancel)},
		{"wipe, takeover, cancel", single().With(Wipe, Takeover, Cancel)},
		{"blind, cancel, batches", many().With(Blind, Cancel)},
		{"blind, cancel twice", three().With(Blind, Cancel, Cancel)},
		{"blind, crash, unknown", three().With(Blind, Crash, Unknown)},
		{"blind, redeliver", wide().With(Blind, Redeliver, Duplicate)},
		{"split, cancel", three().With(Split, Cancel)},
		{"split, unknown", three().With(Split, Unknown)},
		{"split, takeover", three().With(Split, Takeover)},
		{"split, rewind", single().With(Split, Rewind)},
		{"transfer, blind", twin().With(Transfer, Blind)},
		{"transfer, blind, crowded", crowded().With(Transfer, Blind).steady()},
		{"transfer, cancel, rewind", twin().With(Transfer, Cancel, Rewind)},
		{"transfer, cancel, alarm", twin().With(Transfer, Cancel, FalseAlarm, ControlDies)},
		{"transfer, cancel, split", twin().With(Transfer, Cancel, Split).steady()},
		{"one server, false alarm", beside().With(Rewind, FalseAlarm).shared()},
		{"transfer, one server", twin().With(Transfer, Rewind).shared().hidden()},
		{"cancel, one server", twin().With(Cancel, Rewind).shared()},
		{"split, one server", twin().With(Split).shared()},
		{"two transfers, false alarm", crowded().With(Transfer, Transfer, FalseAlarm)},
		{"two transfers, ask", crowded().With(Transfer, Transfer, Cancel, Ask)},
		{"transfer, ask, blind", twin().With(Transfer, Ask, Blind, Held).steady()},
		{"lines, rewind, cancel", lines().With(Rewind, Cancel)},
		{"lines, blind, unknown", lines().With(Blind, Unknown)},
		{"lines, transfer, rewind", both().With(Transfer, Rewind)},
		{"lines, transfer, cancel, ask", both().With(Transfer, Cancel, Ask)},
		{"take, blind, uneven", uneven().With(Take, Blind, Cancel)},
		{"take, split", couple(2).With(Take, Split)},
		{"take, takeover", couple(2).With(Take, FalseAlarm, Takeover, ControlDies)},
		{"take, transfer, rewind", twin().With(Take, Transfer, Rewind).steady()},
		{"raise, take, blind", couple(1).With(Raise, Take, Blind)},
		{"raise, take, zombie, ask", twin().With(Raise, Take, Zombie, Ask)},
	}
}
