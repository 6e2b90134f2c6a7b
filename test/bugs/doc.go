// Package bugs tests the checkers: it seeds one known bug after the other into the engine and expects a check to find it.
// A check that finds nothing proves nothing until it was seen to find something.
//
// The table says which check has to catch which bug. Every package under check is compiled once with the tag `faults`;
// each check must pass without a bug and fail with its bug:
//
//	make seeded-bugs
package bugs
