// Package ledger decides what happens to the books: which orders of a batch are confirmed and which refused, whether a
// transfer moves units, what a release gives back, when a bucket has to be closed. It is given what a store has read
// under its locks and yields what the store is to write, in the same transaction. It reads no clock and no database, so
// every store, and the simulator, decides alike.
//
// Everything that counts units happens in the epoch of the bucket's row. A record of an older epoch is late: it is noted
// and changes no count. A record of a newer one means that the database has lost what others saw of it.
package ledger
