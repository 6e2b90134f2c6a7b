// Package buyers is the crowd that every suite of whole processes sends: one client of the buyers' API, which writes what
// it heard into a history (package history), and what a crowd does with it. Two behaviours exist: a rush presses a list of
// purchases as fast as its connections carry them and repeats what an app repeats; a mingling crowd presses, looks up,
// cancels and pays until it is told to end. The seed decides which buyer presses what; only the machine decides how presses
// overlap.
//
// The package signs its tokens and speaks HTTP with the standard library alone, so the engine's reading of both is never
// tested with the engine's own writing.
package buyers
