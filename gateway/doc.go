// Package gateway is the buyers' side: HTTP in, outcome out.
//
// It is built around one ladder (purchase.go): every press of Buy walks down the refusals of sale.Outcome in their order,
// the cheapest first, and only what passes all of them is handed to the Stock. Whatever the ladder needs is in local
// memory and read without locks:
//
//   - the catalogue, an immutable snapshot behind an atomic pointer, replaced when the database reports changes;
//   - the sold-out latches, closed by Redis's own verdict and looked at ten times a second, with a filter of the owners;
//   - Bloom filters of SKUs and of listed buyers, which may let too many pass and never too few;
//   - verified tokens, rules and limits.
//
// A filter, a latch or a limit is never the arbiter: it only saves a trip to Redis. When one is missing or out of date
// the press goes on; when the stock itself is in doubt the press is refused.
//
// fasthttp, Sentinel, bloom and JWT live here and nowhere else. Nothing of a fasthttp request outlives its handler: every
// string handed to another goroutine is a copy.
package gateway
