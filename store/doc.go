// Package store keeps the engine's durable state in SQL: catalogue, stock, orders, markers, dead letters, leases, rules.
//
// The database is the arbiter, and Redis follows it: it decides the present epoch of a bucket, the units that the bucket may
// sell, and which orders of a buyer count. One Store runs on MySQL, MariaDB and TiDB with one set of portable statements, and
// on SQLite for the embedded engine; a dialect has the few fragments that differ. One conformance suite runs on every dialect.
//
// Every transaction takes its locks in the same order, so that no two wait for each other in a circle:
//
//	sales rows → bucket rows, sorted by (sale, bucket) → rows of stock, orders, markers, outbox and events →
//	rows of paid units, sorted by key → positions → counter of the catalogue
//
// The lock of a bucket's row covers the stock rows, the orders and the limits of the bucket: no transaction changes them
// without it, so the store reads them without a lock of their own, by statements that begin after it. Each change counts
// itself in the bucket's row, so that a cluster of several writers, which checks rows at the commit, finds two changes as a
// conflict. A payment moves no units and locks only the order's row and the rows that count its units as paid. Package ledger
// decides what a record, a release or a change of stock does; this package reads the state and writes the plan under guards.
//
// A transaction locks the counter last and until the commit, so that catalogue versions become visible in their order: a
// reader of the changes since version n never misses a change that commits later.
//
// Where a duplicate has a meaning, the store uses plain INSERT, lets the unique key decide, and reads the row. It uses the
// count of affected rows only for guarded UPDATEs that change at least one column. It runs a transaction again after a
// deadlock or a lock wait timeout. After a lost connection the caller may repeat the call: every operation is repeatable.
//
// The numbers of the migrations only rise, the same in every dialect, and none is used again: Migrate fails when a file is not
// applied and has a lower number than one that is. No migration 4 was ever made, and the number stays free.
package store
