// Package protocol explores the protocol of loss and rebuild: every interleaving, within stated bounds, of gateways, relay,
// settlement, outbox applier, transfers and two control roles on a Redis that loses writes. A bucket has units of up to two
// SKUs and an order up to two lines, batches have up to two orders, quantities and limits exceed 1, also over both SKUs, and
// idempotency keys answer again, also after their order was given back. An operator adds units to the stock while the sale
// sells, and takes back what is unsold.
//
// The search checks in every state what must hold at every moment, and in every state at rest what must hold in the end:
// each answer is true, every unit of each SKU is counted once, an order counts with all its lines or with none, a stock change
// happens once, every bucket sells. No bucket is closed unless Redis lost something, and from every state fair steps (those
// that need no fault and no operator) lead to rest.
//
// It is a model and shares no code with the engine. Each of its rules has the name that a comment puts beside the engine's
// code for that rule (`rule: trim-exact`). With a rule switched off, the search finds the shortest trace that breaks the
// promise. The tests and these commands print what holds with all rules on, and the sizes searched:
//
//	go run ./test/model/cmd                      every setup, small
//	go run ./test/model/cmd -seconds 600         every setup with more faults, within the time
//	go run ./test/model/cmd -walk -seconds 600   random walks through setups with everything at once
//	go run ./test/model/cmd -rules               what breaks without each rule
//	go run ./test/model/cmd -off trim-exact      the trace that a rule prevents
package protocol
