// Package memory is the engine's database in memory, for tests: the one that the simulator sells on and that the rooms'
// unit tests use in place of a server.
//
// # What it shares with the real store, and what it does not
//
// Package ledger decides what a record, a release or a rebuild changes, here as in package store. This package reads and
// writes maps instead of tables, a transaction at a time under one lock. Package store's tests run the same operations on
// both and compare every answer, so a test that passes here relies on nothing that the real store does otherwise. The
// format of a wrapped error is not compared, the error's kind is.
//
// # Faults and time
//
// A test makes calls fail before or after they happen, delays them, or has the database refuse a record's values, all by
// Hooks. Time is Options.Now: no method reads another clock.
//
// # What the database checks about itself
//
// A unique key, the guard over a bucket's stock or the order of an order's statuses that a plan breaks is a mistake of the
// engine. The real database refuses such a write; this one reports it to Hooks.Violated, or panics where no test listens.
package memory
