// Package gateway is the buyers' side: HTTP in, outcome out.
//
// It is built around one ladder (purchase.go): every press of Buy walks down the refusals of sale.Outcome in their order,
// the cheapest first, and only a press that passes all of them reaches the Stock. From the socket to Stock.Reserve there are
// three calls of this package: answer, handle, purchase. Whatever the ladder needs is in local memory:
//
//   - the catalogue, an immutable snapshot behind an atomic pointer, replaced when the database reports changes;
//   - the sold-out latches, closed by Redis's own verdict and looked at ten times a second, with a filter of the owners;
//   - Bloom filters of SKUs and of listed buyers, which may let too many pass and never too few;
//   - verified tokens and the rules, read through atomics;
//   - the limits of buyers and addresses, one table in 256 parts with a lock for each (limits.go). Such a lock is taken only
//     where the rules have such a limit, and for the update of one entry.
//
// A filter, a latch or a limit never decides about stock: it only saves a call to Redis. When one is missing or out of date
// the press goes on; when the stock itself is in doubt the press is refused.
//
// fasthttp, Sentinel, bloom and JWT are imported here and by no other room that serves. Nothing of a fasthttp request
// outlives its handler: every string handed to another goroutine is a copy.
package gateway
