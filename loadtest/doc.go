// Package loadtest presses Buy the way a crowd does, and judges afterwards whether the engine kept its promise.
//
//   - Crowd: distinct buyers with a signed token each, made here (Signer) or read from a file.
//   - Rush: an open-loop generator. Presses arrive on a schedule that does not wait for answers, and every latency is
//     counted from the moment the press was meant to leave, so a stalled server cannot hide behind a stalled client
//     (coordinated omission). Perhaps-answers and invitations to come back are repeated under the same idempotency key.
//   - WriteTargets: the same crowd as targets for vegeta. rush.js and retry.js are the same crowd for k6.
//   - Judge: the verdict. It reads the books (order rows and the stock equation) and, where there is one, the history
//     of what buyers were told: Rush's own, k6's JSON output or vegeta's results.
//
// The package speaks to a gateway from outside only, through the contract every shop has; the subpackage bench measures
// the engine against bare baselines.
package loadtest
