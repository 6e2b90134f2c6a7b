// Package scripts is the engine's access to Redis: the Lua files that change stock, a typed Go call beside each file, and
// what these calls share: the client, the keys, Redis's clock and the check that the namespace belongs to this engine. No
// other room sends a command to Redis, except audit, which reads the stock by code of its own, and the baseline of loadtest.
//
// # Scripts and calls
//
// One file holds one verb: reserve.lua decides a batch of purchases, and reserve.go encodes its arguments and decodes its
// reply. Each Lua file begins with its contract: purpose, every key with its type, every argument with its unit, every
// reply, the invariant and the cost. A test reads these headers. All keys of one call carry one hash tag, so every call
// runs on one node of a cluster. A script makes every check before its first write, because Redis does not roll a script
// back. The scripts behave alike on a real Redis and on the embedded one.
//
// # The fence of the scripts
//
// Reserve, release and transfer move stock, and are fenced: the engine calls them by EVALSHA and never sends their source
// with a call. InstallFenced alone loads them, and only a rebuild calls it. A Redis that restarted or was promoted has lost
// its scripts, and possibly its last writes. It answers NOSCRIPT, the typed call returns the code fenced, and nothing is
// sold from it before a rebuild has compared it with the database. The other scripts move no stock, and their source is
// sent to a server that lacks it.
//
// # Calls whose outcome is unknown
//
// The client never repeats a command by itself: a write whose reply is lost may have happened, and only the caller knows
// the order ids to ask again with. Definite reports whether a failed call certainly changed nothing. A reserve or transfer
// call carries a deadline by Redis's clock, and the script refuses a call that arrives after it. So a caller that waits
// until the deadline has passed knows that the earlier call cannot take anything any more. Clock provides that time: this
// process's monotonic clock plus an offset, which it learns from the replies.
//
// # Bounds
//
// At most 512 calls and pipelines are in flight, and one pipeline has at most 500 commands. A command or a pipeline ends
// after 3 s; a purchase ends within the time that its call gives. Where a key holds what the engine does not write there,
// the error is sale.ErrForeign.
//
// # Ownership of the namespace
//
// Two engines on one Redis would overwrite each other's buckets. The key `<namespace>:engine` therefore holds the id of
// the database that the namespace belongs to; Claim writes it once and returns it from then on. Until recovery.Identity has
// compared it with the id of the own database, Doubt returns an error, and nothing is sold, loaded, released or published.
package scripts
