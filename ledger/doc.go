// Package ledger decides what the database writes: which orders of a batch are confirmed and which are refused, whether a
// transfer moves units, what a release gives back, how a change of stock is spread over the buckets, when a bucket is closed. A
// store reads a State under its locks, the ledger makes a Plan from it, and the store writes the plan in the same transaction.
// The ledger reads no clock and no database, so that every store and the simulator decide alike.
//
// An order, a transfer and a refusal are decided whole: all their lines, or none. The units of each SKU in each bucket have
// counters of their own.
//
// Counts of units change only in the epoch of the bucket's row. A record of an older epoch is late: the plan marks it and
// changes no count. A record of a newer epoch means that the database has lost epochs that other stores have seen.
package ledger
