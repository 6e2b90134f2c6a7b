package bugs

import (
	"slices"
	"strconv"
)

// Check is a test that has to catch a bug: the package it lives in, the tests to run, further flags.
type Check struct {
	Package string
	Run     string
	Flags   []string
}

// Bug is one seeded bug.
type Bug struct {
	Name   string        // which faults.Bug compares with the name in FLASHSALE_BUG
	What   string        // what the engine does wrong
	Seeds  []Replacement // which together make the bug
	Checks []Check       // each of them has to catch it
}

// Replacement is an exact change of one file of the product. Replacements of Go files are compiled into one program
// together, so they must not touch each other's old text, and the new text asks faults.Bug. Replacements of scripts are
// made when the process starts, for the chosen bug only.
type Replacement struct {
	File string // from the root of the module, with slashes
	Old  string // is in the file exactly once
	New  string
}

// Bugs returns the table, in the order in which a purchase passes through the engine.
func Bugs() []Bug {
	return slices.Concat(scriptBugs, reserveBugs, recoveryBugs, bookBugs, holdBugs, settleBugs, gatewayBugs)
}

// Names returns the names of all bugs.
func Names() []string {
	var names []string
	for _, b := range Bugs() {
		names = append(names, b.Name)
	}
	return names
}

// check is the check by one test, or by several, of a package.
func check(pkg, run string) Check { return Check{Package: pkg, Run: run} }

// drawn is the check by a test of random cases: many of them, and the same ones in every run, so that a bug is met by the
// number of cases and not by luck.
func drawn(pkg, run string) Check {
	return Check{pkg, run, []string{"-rapid.checks=2000", "-rapid.seed=1"}}
}

// simulated is the check of whole sales under faults in virtual time, for bugs that show in one sale of twenty or so.
func simulated() Check { return simulatedFor(300) }

// simulatedFor is simulated with more sales, for bugs that show in one of a hundred or so.
func simulatedFor(sales int) Check {
	return Check{"test/sim", "^TestSales$", []string{"-sim.n=" + strconv.Itoa(sales)}}
}

// instead replaces text.
func instead(file, old, with string) Replacement { return Replacement{file, old, with} }

// before puts statements before a piece of code.
func before(file, place, code string) Replacement {
	return Replacement{file, place, code + "\n" + place}
}

// after puts statements after a piece of code.
func after(file, place, code string) Replacement {
	return Replacement{file, place, place + "\n" + code}
}
