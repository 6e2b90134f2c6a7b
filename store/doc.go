// Package store keeps the engine's durable state in SQL: catalogue, stock, orders, markers, dead letters, leases, rules.
//
// It is the arbiter. Redis follows what stands here, never the other way round: which epoch of a bucket lives, how many
// units it may sell, which order of a buyer counts. One Store runs on MySQL, MariaDB and TiDB through one set of
// portable statements, and on SQLite for the embedded engine; a dialect holds the few fragments that differ. One
// conformance suite runs on every dialect.
//
// Locks are always taken in the same order, so that no two transactions wait for each other in a circle:
//
//	sales row → stock rows, sorted by (sale, SKU, bucket) → rows of orders, markers, outbox and events → positions → counter
//	of the catalogue
//
// A payment moves no units and locks the order's row alone. Package ledger decides what a record or a release changes;
// this package reads, writes and guards it.
//
// The counter comes last and is held until the commit: catalogue versions become visible in their own order, and a
// reader who asks for all that changed since version n can never miss a change that commits later.
//
// Plain INSERT is used wherever a duplicate means something; the unique keys decide, and the row is read back. Affected
// rows are trusted only for guarded UPDATEs that change at least one column. Transactions that lost a deadlock or a lock
// wait are run again here; a lost connection is the caller's to repeat, as every operation can be repeated.
package store
