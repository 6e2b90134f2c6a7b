// Package chaos is the fault suite: real processes of everything, a crowd of buyers, a shop and an operator who write down
// what they were told, and a nemesis that kills, freezes, rewinds and disconnects while they go on. Then everything is
// healed, the sale comes to rest, and the checkers of test/check judge what is left.
//
//	go test -timeout 0 ./test/chaos -v -run '^TestFaults$' -args -faults N -kills K -seed S
//
// goes on until N faults are done and K processes are killed; -budget bounds the time, and -only "MariaDB killed" or
// -only Redis does the kinds alone that begin so. Without arguments it is a smoke: 50 of each.
//
// The servers and our processes live through a whole run. It is divided into rounds, each with sales of its own, so that
// a history stays small enough to be decided and a violation points to a few faults. In a round every part of the
// deployment (gateways, settlement, Redis, Kafka, the database, the wires, the rest) has a hand of the nemesis to itself,
// so nearly every fault meets another one.
//
// The other half of the suite kills from inside: TestKilledAtEveryPoint does the faults "killed at crash point X", for every
// point that the source names, the first and the third time. Outside, a kill hits whatever a process does just then; at a
// point it hits the moment behind one side effect. Each case is a small deployment of its own, in which a scripted sale
// passes the point until a process or command has died there, goes on to its end, and is judged by the same checks, and by
// stricter ones, because no store loses anything. A case in which nothing has died at the point fails: so each point is
// known to be passed.
//
//	go test -timeout 0 ./test/chaos -v -run '^TestKilledAtEveryPoint$' -args -crash.budget 0 -crash.only '^relay'
//
// does the points of one room; without arguments no case begins after 40 s, and each run has its own order of cases.
//
// Every chance of TestFaults comes from the seed: which fault, whom it hits, how long it lasts, what the buyers press. What the
// machine's scheduler does is not in the seed, so a seed repeats the story and not every interleaving.
package chaos
