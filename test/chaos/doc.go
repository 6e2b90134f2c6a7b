// Package chaos is the fault suite. It runs real processes and servers and a crowd of buyers, a shop and an operator that records
// every answer, and a clerk who changes the stock, while a nemesis kills, freezes, rewinds and disconnects. Then the suite heals
// everything, waits until the sale is at rest, and package test/check judges the evidence.
//
//	go test -timeout 0 ./test/chaos -v -run '^TestFaults$' -args -faults N -kills K -seed S
//
// runs until at least N faults are done and these have killed at least K processes; -budget bounds the time; -only "MariaDB
// killed" or -only Redis restricts it to the kinds with that prefix. Without arguments it is a smoke test: N and K are 50.
//
// The servers and processes live through a whole run. It is divided into rounds, each with sales of its own, so that a
// history is small enough to be decided and a violation points to a few faults. In a round every part of the deployment
// (gateways, settlement, Redis, Kafka, the database, the wires, the rest) has a hand (goroutine) of the nemesis of its own,
// so that nearly every fault overlaps another one.
//
// The other half of the suite kills from inside: TestKilledAtEveryPoint does the faults "killed at crash point X", for
// every point in the source, at its first and its third passage. A kill from outside hits a process at a random moment; a
// crash point hits the moment right after one side effect. Each case is a small deployment of its own. A scripted sale
// passes the point until a process or command has died there, continues to its end, and is judged by the same checks and by
// stricter ones, because no store loses anything. A case in which nothing died at the point fails, so that every point is
// proved to be passed.
//
//	go test -timeout 0 ./test/chaos -v -run '^TestKilledAtEveryPoint$' -args -crash.budget 0 -crash.only '^relay'
//
// does the points of one room. Without arguments no case begins after 40 s, and each run orders the cases anew.
//
// The seed decides every random choice of TestFaults: which fault, its target, how long it lasts, what the buyers press. It
// does not decide what the scheduler does, so a seed repeats the faults and not every interleaving.
package chaos
