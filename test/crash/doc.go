// Package crash kills the engine at every named point. The names are read from the source: each side effect of gateway,
// relay, settlement, rebuild, release and transfer is followed by faults.Point. For every point the real processes, built
// with the tag `faults`, run through a sale that passes it; the one that does so the first time (and in another case, the
// third time) dies there, is started again, the sale goes on to its end, and the books are checked in the database and in
// Redis. A case in which nobody has died at the point fails: so each point is known to be passed.
//
//	go test ./test/crash -v                                   as many cases as fit into the budget, others each time
//	go test ./test/crash -v -args -crash.budget 0             all of them (make crash)
//	go test ./test/crash -v -args -crash.budget 0 -crash.only '^relay'   the points of one room
package crash
