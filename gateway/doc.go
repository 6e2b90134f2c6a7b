// Package gateway is the HTTP server of the buyers.
//
// Its center is one ladder of checks (purchase.go). A purchase request gets the first refusal of sale.Outcome that applies,
// the cheapest first, and only a request that passes all checks reaches the Stock. From the socket to Stock.Reserve there are
// three calls of this package: answer, handle, purchase. All checks use local memory:
//
//   - the catalogue, an immutable snapshot behind an atomic pointer, which the gateway replaces when the database reports
//     changes;
//   - the sold-out latches, which an answer of Redis closes and the latch watcher checks ten times a second, with a filter of
//     the owners;
//   - Bloom filters of SKUs and of listed buyers, which may let too many pass and never too few;
//   - verified tokens and the rules, read through atomics;
//   - the limits of buyers and addresses, one table in 256 parts with a lock for each (limits.go). The gateway takes such a
//     lock only if the rules have such a limit, and only for the update of one entry.
//
// A filter, a latch or a limit never decides about stock: it only saves a call to Redis. If one is missing or out of date,
// the request passes. If the stock itself is in doubt, the gateway refuses the request.
//
// Of the rooms that serve, only this one imports fasthttp, Sentinel, bloom and JWT. No memory of a fasthttp request outlives
// its handler: every string for another goroutine is a copy.
package gateway
