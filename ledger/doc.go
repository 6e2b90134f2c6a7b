// Package ledger decides what the database writes: which orders of a batch are confirmed and which are refused, whether a
// transfer moves units, what a release gives back, when a bucket is closed. A store reads a State under its locks, the
// ledger makes a Plan of it, and the store writes the plan in the same transaction. It reads no clock and no database, so
// every store, and the simulator, decides alike.
//
// Everything that counts units happens in the epoch of the bucket's row. A record of an older epoch is late: it is noted
// and changes no count. A record of a newer one means that the database has lost what others saw of it.
package ledger
