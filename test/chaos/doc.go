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
// Every chance comes from the seed: which fault, whom it hits, how long it lasts, what the buyers press. What the
// machine's scheduler does is not in the seed, so a seed repeats the story and not every interleaving.
package chaos
