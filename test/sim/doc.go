// Package sim is the simulator: whole sales in virtual time, with the engine's own deciding code between a Redis, a queue
// and a database that are models of our own.
//
// # What is real and what is a model
//
// Real: the engine of the gateway (shelves, flows, parcels, transfers), relay, keeper, rebuilder, courier, order ids, the
// settling of records and the Lua scripts, which run in a Lua interpreter. Models: the Redis server (keys, script cache,
// replication id, snapshots of the past), the topic with its consumer group, the database (whose decisions are those of
// room ledger), the network between them, and the buyers.
//
// # Chance
//
// Everything that happens by chance is drawn from the seed of the sale: the shape of the sale, what buyers do and when, how
// long each message travels, and which faults happen at which step. A sale runs in a bubble of testing/synctest, so that
// minutes take milliseconds. A seed that fails is printed with the command that runs it again.
//
// What a seed does not determine: the order in which goroutines of one process run that wake in the same nanosecond, the
// choice of a select with several ready cases, and the order of Go's maps. Messages travel for a drawn number of
// nanoseconds, so that two of them hardly ever arrive at once; a test counts how many of its sales had the same history
// when they ran again.
package sim
