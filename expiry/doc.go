// Package expiry ends unpaid orders when their time to pay is over.
//
// The database decides which orders are due and arbitrates between a payment and the expiry: the one that commits first
// wins. The units of an expired order go back on sale through the outbox, like every release. One process at a time
// runs the reaper, under the lease "expiry", because two would only wait for each other's locks.
package expiry
