// Package reserve takes stock: it is the only package that speaks to Redis, and it owns the way of a batch from the
// requests that wait for it to the record that Kafka has acknowledged.
//
// # The path of a purchase
//
// Engine.Reserve puts the purchase on the shelf of its bucket. A flow, one goroutine, takes what lies on the shelf, makes
// order ids, asks the reserve script about the whole batch in one call, answers the refused, publishes the taken as one
// record and answers them when Kafka has acknowledged (queued) or has not in time (held). The next batch of a bucket
// starts when the one before is through, or when a full batch waits: batches grow with the load, without a timer, and an
// idle bucket has no goroutine.
//
// # What must hold
//
// A call whose outcome is unknown is asked again with the same order ids, never with new ones, and nothing is undone
// because of an error. Every call carries a deadline by Redis's clock, and the next one is sent only after it, so a call
// that was delayed in a socket cannot take anything behind the back of its gateway. A record that Kafka did not
// acknowledge is published again, the same bytes, until it is; what a dead gateway leaves in the journal is published by
// the Relay. Acknowledged entries are deleted exactly, by the next call of the bucket or by the janitor.
//
// # Loss
//
// A reply that does not fit what the gateway knows (no script, another epoch, state or replication id, a sequence that
// went back) is answered fenced and reported; the Keeper notices closed buckets, and by comparing sequences with the
// database those that nobody asked, and the Rebuilder brings them back from the database in the next epoch. Only the
// Rebuilder loads the scripts that move stock. Identity sees to it that no two engines share one Redis: until a process
// knows that it is its own, everything is fenced.
//
// # Giving back
//
// The database decides what comes back to a bucket and numbers it; the Courier carries it to Redis, each number once and
// in order, in its own epoch.
package reserve
