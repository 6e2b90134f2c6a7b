// Package stack is one deployment of the engine as real processes: the servers that it uses, its namespace and schema, the
// environment, gateways and settle processes, and the commands and requests of its operator. The end-to-end suite, the
// fault suite and the benchmarks start their processes here and nowhere else.
//
// New prepares a deployment, Migrate makes its schema and topics, Run starts processes and waits until they are ready:
//
//	s := stack.New(t, stack.Options{}).Migrate().Run(2, 1)
//
// Servers that Options does not name are the shared ones of package harness, so the test package needs harness.Main in its
// TestMain. Options also put a link into every connection (Wires), give every process a clock of its own (Clocks), choose
// another build of the binary (Build), and arm processes to kill themselves at a crash point (Armed). A test that needs
// more sets the fields of a Process between NewGateway or NewSettle and Start.
//
// Every process is killed when its test ends.
package stack
