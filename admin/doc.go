// Package admin is the operators' API: the life cycle of sales, the buyers' lists, preload, rules, stats and audit over
// HTTP, and the role that exports the stock gauges.
//
// # Who may change what
//
// The database decides every state; Redis follows. A step that writes a sale's stock or definition runs under that
// sale's control lease ("sale/{id}"), in whichever process, so a preload, a rebuild and a change of the definition
// never interleave. A change of one SKU's stock needs no lease: the database decides it under the locks of the buckets,
// whatever step runs beside it. pause, resume and close first change the state in the database, which every gateway reads
// several times a second; then they wait for the lease and write the state into Redis. So an operator can stop a sale
// while its stock is being loaded, and after the answer no unit is taken. A step that fails half-way leaves the database
// ahead of Redis, never behind, and repeating the request finishes it.
//
// # Why a reading of the stock equation is exact
//
// Units are read from the database first and from Redis second. Within one epoch available + taken − returned of a SKU
// is constant in Redis, so the later Redis reading fits the earlier books to the unit, whatever is sold between them.
// Units are in flight on both ways: taken in Redis and not settled, and released in the database and not yet returned
// to Redis, or taken back in Redis and not yet in the database. Units that were released and returned between the two
// readings are found by a third reading, of the books again, and left out: the first books still count them in their
// former place. A bucket that is not open, or whose epochs differ, is being rebuilt: the audit waits for it and otherwise
// answers that it could not read.
//
// The equation holds for every SKU over its buckets, and therefore for the sale; the sale's sum alone would not show
// units of one SKU that were counted for another.
//
// So an equation that is off is a fault, and not a torn reading. When it stays off for 3 s while the sale is open, the
// role that exports the gauges pauses the sale and stores the reason.
package admin
