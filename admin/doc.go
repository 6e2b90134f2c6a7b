// Package admin is the operators' side: the life cycle of sales, the buyers' lists, preload, rules, stats and audit over
// HTTP, the client that the commands use, and the control role's gauges.
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
// Units are read from the database first and from Redis second. Within one epoch Redis keeps available + taken constant,
// so the later Redis reading still fits the earlier books to the unit, whatever is sold in between. A bucket whose two
// epochs differ, or that is not open, is being rebuilt: the audit waits for it and otherwise says that it could not read.
package admin
