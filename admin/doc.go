// Package admin is the operators' side: the life cycle of sales, the buyers' lists, preload, rules, stats and audit over
// HTTP, and the role that shows the gauges.
//
// # Who may change what
//
// The database decides every state; Redis follows. A step that writes a sale's stock or definition runs under that sale's
// control lease ("sale/{id}"), whichever process does it, so a preload, a rebuild and a change of the definition never
// interleave. pause, resume and close first move the state in the database, which every gateway reads several times a
// second, and only then wait for the lease and carry the state into Redis. So a sale can be stopped while its stock is
// being loaded, and nothing is taken once the answer is out. A step that dies half-way leaves the database ahead of Redis,
// never behind, and asking again finishes it.
//
// # What a reading of the books is worth
//
// Units are read from the database first and from Redis second. Within one epoch Redis keeps available + taken − returned
// constant, so the later Redis reading still fits the earlier books to the unit, whatever is sold in between. Units are in
// flight on both ways: taken in Redis and not settled, and given back in the database and not yet returned to Redis. What
// was given and returned between the two readings is found by a third one, of the books again, and left out: the first
// books still count it where it was. A bucket whose epochs differ, or that is not open, is being rebuilt: the audit waits
// for it and otherwise says that it could not read.
//
// So a sum that is off is off, and not a reading that was torn. When it stays off for 5 s while the sale is open, the role
// that shows the gauges pauses the sale and writes down why.
package admin
