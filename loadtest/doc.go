// Package loadtest presses Buy as a crowd does, and judges afterwards whether the engine kept its promise.
//
//   - Crowd: distinct buyers with a signed token each, made here (Signer) or read from a file.
//   - Rush: an open-loop generator. Presses follow a schedule that does not wait for answers, and every latency counts
//     from the moment at which the press was due, so a stalled server cannot hide behind a stalled client (coordinated
//     omission). Answers with an unknown outcome and requests to retry are repeated under the same idempotency key.
//   - WriteTargets: the same crowd as targets for vegeta. rush.js and retry.js are the same crowd for k6.
//   - Judge: the verdict. It reads the order rows, the stock equation and, when there is one, the history of the answers
//     to buyers: Rush's own, k6's JSON output or vegeta's results.
//
// The package uses a gateway only through the contract that every shop has; the subpackage bench measures the engine
// against bare baselines.
package loadtest
