// Package protocol explores the protocol of loss and rebuild as it is built: every interleaving of gateways, relay,
// settlement, outbox applier, transfers and two control roles over a Redis that forgets, within stated bounds. Batches hold up
// to two orders, quantities and limits go above 1, idempotency keys answer again, also after their order was given back.
//
// Every state is checked for what must hold at every moment, and every state at rest for what must hold in the end: each
// answer is true, every unit is counted once, every bucket sells. No bucket is closed for a loss that was none, and from
// every state steps that happen by themselves lead to rest.
//
// It is a model: it shares no code with the engine, and each of its rules carries the name that stands beside the code
// that implements the rule (`rule: trim-exact`). A rule can be switched off; the search then finds the shortest way in
// which the promise breaks. What holds with all rules on, and the sizes searched, are printed by the tests and by
//
//	go run ./test/model/cmd                      every setup, small
//	go run ./test/model/cmd -seconds 600         every setup with more faults, as far as the time goes
//	go run ./test/model/cmd -walk -seconds 600   random walks through setups with everything at once
//	go run ./test/model/cmd -rules               what breaks without each rule
//	go run ./test/model/cmd -off trim-exact      the trace that a rule prevents
package protocol
