// Package reserve is the path of a purchase: from the request that waits for its batch to the record that Kafka has
// acknowledged. Package scripts makes the calls to Redis; package recovery repairs what a loss or a dead gateway leaves.
//
// # The path of a purchase
//
// Engine.Reserve puts the purchase into the bucketQueue of its bucket. A batchWorker, one goroutine, takes the waiting
// purchases as one batch, makes their order ids and calls the reserve script once for all of them. It answers the refused
// purchases at once, and publishes the taken ones as one record: the publication. When Kafka acknowledges the record in
// time the answer is queued, otherwise held.
//
// The worker takes the next batch when the present one is answered. A full batch starts a second worker at once. Batches
// therefore grow with the load, without a timer, and an idle bucket has no goroutine. Under load a worker waits up to
// BatchMaxWait for a fuller batch (batchfill). A batch mixes the SKUs of the sale and orders of one and several lines, up to
// the bounds of a record (batchsize). A worker alone owns its batch. The queue changes for a batch when the worker
// takes it, when the script has decided it, and when Kafka has acknowledged it.
//
// At most one press of a buyer is under way to Redis; later presses wait for it (presses). Otherwise one buyer with many
// presses could make the script read the same entries again and again, at the expense of all other buyers.
//
// # What must hold
//
// A call whose outcome is unknown is repeated with the same order ids, never with new ones, and no error undoes anything.
// Every call carries a deadline by Redis's clock, and the worker sends the next call of a batch only after it. So a call that
// was delayed in a socket takes nothing after its worker has given it up. An answer queued requires an acknowledged record
// (rule: answer-after-ack).
//
// A record without an acknowledgement is published again, the same bytes, until Kafka acknowledges it; settlement drops the
// duplicates. An acknowledged entry is deleted from the journal by its id: the next call of the bucket does it, or the
// janitor when no call follows. The relay of package recovery publishes the entries that a dead gateway leaves, and the
// records that exceed maxUnackedBytes.
//
// # Loss
//
// A reply contradicts what the gateway knows when the server lacks the script, or when epoch, state or replication id
// differ, when the sequence is lower than one seen before, or when the bucket lacks a SKU for longer than the outbox needs to
// bring a new one. Then the stock in Redis is in doubt: the worker answers fenced, and the reporter tells the database, which
// closes the bucket. The controller of package recovery rebuilds it.
//
// # Buckets of one sale
//
// A sale may have several buckets, and each buyer belongs to one of them. When that bucket has too few units for a line of a
// purchase, the purchase waits up to 950 ms at the sale's rebalancer. One goroutine does a round every 20 ms for all waiting
// purchases: it reads their SKUs in all buckets (roundSKUs), tells those purchases to try again whose buckets have enough units
// for all lines now, and moves units from the fullest buckets to the others, of several SKUs by one transfer (bringing). A
// transfer is a journal entry as a batch is, and the database credits the receiving bucket when it settles. A SKU is called
// sold out only after a stockSnapshot has proved that no bucket has units of it and none are on their way.
//
// # Order ids
//
// An order id is a Snowflake id with a node id, which OrderIDs leases from the database for 10 minutes. The row of the lease
// has a high-water mark above every id that the process can make, and the next owner of the node starts above it. Without a
// valid lease nothing is sold.
//
// # Bounds
//
// Every purchase is answered within 5 s. A queue has at most 16,384 waiting purchases and 64 of one buyer; a bucket has at
// most 8 batches at work and 32 that wait aside; records of 64 MiB wait for Kafka. What exceeds a bound is answered
// overloaded, rate limited, held or unavailable.
package reserve
