// Package sim is the simulator. It runs whole sales in virtual time: the engine's own deciding code on models of Redis,
// Kafka and the database.
//
// # What is real and what is a model
//
// Real: the engine of the gateway (bucket queues, batch workers, publications, transfers), relay, controller, rebuilder,
// outbox applier, order ids, the settling of records and the Lua scripts, which run in a Lua interpreter. Models: the Redis
// server (keys, script cache, replication id, snapshots of the past), the topic with its consumer group, the database
// (package memory, which decides by package ledger, and which may lose settlements that it has answered), the network between
// them, and the buyers.
//
// # The sale
//
// A sale has one to six SKUs, one to four buckets, a limit of each SKU and perhaps one of the sale. Buyers press for one to
// three SKUs at once, cancel, pay or let orders expire. While the sale sells, operators pause it, raise stock and take it back
// under keys, put the sale with another stock or one more item, and refuse or replay dead letters. They repeat what was not
// answered, and sometimes two ask for the same change at once.
//
// # Chance
//
// The seed of a sale decides everything random: the shape of the sale, what people do and when, how long each message
// travels, and which faults happen at which step. A sale runs in a bubble of testing/synctest, so that minutes take
// milliseconds. A failing sale prints its seed and the command that repeats it.
//
// Sales run one after the other on one processor, in as many processes as there are processors. A seed does not determine
// the choice of a select with several ready cases, the order of Go's maps, and where the garbage collector interrupts.
// Messages travel for a random number of nanoseconds, so that two of them rarely arrive at once; a test counts how many of
// its sales have the same history in a second run.
//
// # What is checked
//
// At every transaction: units and counters of the stock rows, the limits of every buyer, statuses that only move forward. At
// every journal entry: no order is taken while the sale is paused, before it starts, or in an epoch that is over. When all
// faults have ended and the sale is at rest: every order in an answer has its row with all its lines, every row has its
// press, a key has one order, each refusal names what refuses the purchase, each stock change happened once, Redis and the
// database agree to the unit of each SKU in each bucket, and all stock is sold. Porcupine checks the history of every few
// sales for linearizability, all SKUs together; a history that takes too long counts as undecided, not as passed.
//
// Two losses are allowed. An order that was held and not yet in the log may be lost with Redis. A Redis that went back with
// its scripts may take more orders than there are units, when it went back too fast to be detected or when nothing shows it
// (a hidden replication id, an old primary that was never demoted): each order of the surplus has a row with the status
// refused.
package sim
