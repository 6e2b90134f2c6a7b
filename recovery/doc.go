// Package recovery keeps Redis equal to the database: it rebuilds buckets whose stock in Redis is in doubt, publishes the
// journal entries that their gateway has not published, applies the database's releases and credits to Redis, and prevents two
// engines from using one Redis. docs/recovery.md gives the reasons for every rule that the code names.
//
// # Who decides
//
// The database decides. A bucket has a row with its epoch and its state: open, closed or loading. Redis has a copy of the
// bucket with the epoch in which it was loaded, and the scripts sell from it only in that epoch. Every change of a row
// compares epoch and state and is lost when another process was faster, so every part of this package may run in several
// processes at once without harm. Leases (package lease) only save work.
//
// # The controller
//
// Controller reads the changes of the catalogue every 100 ms. It gives changed windows to the sale's buckets, and rebuilds the
// buckets that are not open, up to four sales at a time, each under the sale's lease. A bucket that fails rests for a second.
// Once a second the controller looks for losses that no gateway has reported: a server without the reserve script, and,
// through the watchdog, buckets whose sequence, epoch or state contradicts the database. It closes them in the database, and
// the next reading of the changes starts their rebuild.
//
// # The rebuild
//
// Rebuilder takes the buckets of a sale through eight steps. (a) Close them in the database. (b) Close them in Redis, so that
// no call takes units any more. (c) Publish what is left in their journals. (d) Write a fence record into each of their
// partitions and wait until settlement has committed beyond it: now the database has every order that Redis has taken. (e)
// Begin the next epoch in the database, with the state loading. (f) Load units, buyers and window into Redis. (g) Ask the
// reserve script itself, by a call without purchases, whether it would sell. (h) Open the buckets in the database. A bucket
// that another process or another loss overtakes begins again at (a), at most eight times.
//
// Step (g) loads the fenced scripts on a server that lacks them. Such a server may have lost writes of all its buckets, so
// step (g) first closes every bucket in doubt. After a crash at any point the controller finds the bucket closed or loading
// and begins again.
//
// # The relay
//
// A gateway publishes a batch and trims its journal entry when Kafka has acknowledged it. Relay publishes the entries that
// are older than 2 s, the same bytes, and trims them. Settlement drops what it has settled before, so publishing an entry
// twice does no harm. One process relays at a time, at most 2,000 buckets a second.
//
// # The outbox
//
// Settlement and the expiry of orders never write Redis. They write outbox rows, numbered per bucket, in the transaction of
// their decision. OutboxApplier applies the rows to Redis: each once, in order, in the epoch of the row. The script refuses a
// row that is out of order, and repeats its answer for a row that it has applied, so a lost reply does no harm. When Redis is
// in a later epoch, the load of that epoch has included the row. When Redis lacks what a row refers to, it has lost writes,
// and the applier reports the bucket.
//
// # Identity
//
// Identity claims the namespace of a Redis for one database and compares the owner once a second. While it does not know that
// the namespace belongs to its database, scripts.Redis.Doubt returns an error, and the process neither sells nor loads,
// releases or publishes.
package recovery
