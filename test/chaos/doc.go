// Package chaos is the fault suite: real processes of everything, a crowd of buyers, a shop and an operator who write down
// what they were told, and a nemesis that kills, freezes, rewinds and disconnects while they go on. Then everything is
// healed, the sale comes to rest, and the checkers of test/chaos/check judge what is left.
//
// Every chance comes from the seed: which fault, whom it hits, how long it lasts, what the buyers press. What the
// machine's scheduler does is not in the seed, so a seed repeats the story and not every interleaving.
//
// The servers and our processes live through a whole run. It is divided into rounds, each with sales of its own, so that
// a history stays small enough to be decided and a violation points to a few faults.
package chaos
