// Package buyers is the crowd of every suite that runs whole processes. It holds one client of the buyers' API, which
// records questions and answers in a history (package history), and two kinds of crowd. A rush sends a list of purchases as
// fast as its connections carry them and repeats those that an app repeats. A mingling crowd buys, reads, cancels and pays
// until its context ends. The seed decides which buyer buys what; the scheduler decides which requests overlap.
//
// The package signs tokens and speaks HTTP with the standard library alone, so that no test checks the engine's parser with
// the engine's own writer.
package buyers
