// Package rehearse tries a sale before the sale: it sells a shadow of it on the same servers, by the same processes.
//
// The shadow has a namespace, a schema and topics of its own (sale.Shadow). Run makes them, starts gateways and settling
// processes of this binary with the shadow's settings, creates the sale from the real definition, sends a crowd (package
// loadtest), pays a share of the orders as a shop does, waits until the last row is written, has the books audited, judges,
// and removes all of it. The result is a Report: go or no-go, with a sentence for each reason.
//
// # What is never touched
//
// Of the real engine Run reads the sale, the rules, and the layout of the orders topic, and nothing else. Each function that
// removes something takes a sale.Shadow and asks its guards; a schema, topic or namespace without the mark of a rehearsal is
// refused before anything is made.
//
// # One rehearsal at a time
//
// A rehearsal holds a lock of the database server (store.ShadowLock) and notes once a second that it is alive. What a dead one
// left is removed by the next, once it has been silent for longer than silentFor. The processes that it started end by
// themselves, because their standard input ends with it.
package rehearse
