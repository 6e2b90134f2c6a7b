// Package tidy keeps the rules of the house as tests: which package may import which, how long files and functions and how
// wide lines are, what a script's header says, which words are used, that go.mod is tidy, and that outcomes, settings,
// metrics, rooms and documentation name the same things.
//
// Every rule is a function from a tree of files to findings, so that a test can apply it to a small wrong tree first: a
// rule without findings proves nothing unless it has been seen to find something.
package tidy
