// Package sim is the simulator: whole sales in virtual time, with the engine's own deciding code between a simulated Redis,
// queue and database.
//
// # What is real and what is a model
//
// Real: the engine of the gateway (queues, workers, publications, transfers), relay, controller, rebuilder, outbox applier,
// order ids, the settling of records and the Lua scripts, which run in a Lua interpreter. Models: the Redis server (keys,
// script cache, replication id, snapshots of the past), the topic with its consumer group, the database (whose decisions are
// those of room ledger), the network between them, and the buyers.
//
// # Chance
//
// Everything that happens by chance is drawn from the seed of the sale: the shape of the sale, what buyers do and when, how
// long each message travels, and which faults happen at which step. A sale runs in a bubble of testing/synctest, so that
// minutes take milliseconds. A seed that fails is printed with the command that runs it again.
//
// Sales run one after the other on one processor, in as many processes as there are processors. What a seed does not
// determine: the choice of a select with several ready cases, the order of Go's maps, and where the garbage collector
// interrupts. Messages travel for a drawn number of nanoseconds, so that two of them hardly ever arrive at once; a test
// counts how many of its sales had the same history when they ran again.
//
// # What is checked
//
// At every transaction: units and counters of the books, the limit of every buyer, statuses that only move forward. At
// every entry of a journal: nothing is taken while the sale is paused, before it starts, or in an epoch that is over. When
// all faults have ended and the sale is at rest: every order that a buyer was told has its row, every row has a press, a key
// has one order, Redis and books agree to the unit, and every unit for sale is sold. Porcupine puts the history of every few
// sales in order; histories that take too long are counted, not passed.
//
// Two losses are allowed. An order that was held and is not yet in Kafka may be lost with Redis. And a Redis that went back
// with its scripts, faster than any process could notice or without a sign of it (a hidden replication id, an old primary that
// was never demoted), may take more than there is: the surplus has a row that says refused.
package sim
