// Package brake slows purchases while rows, events or journals lag, before anything is full.
//
// One process at a time keeps the brake, under the lease "brake". Once a second it measures what waits for settlement (the
// ends of the orders topic less the positions of the database, in orders), the orders of events that the events topic does
// not have, and the orders in the fullest journal. The law decides from that how many purchases a second the engine may take.
// The database has the brake as one row of the catalogue; gateways apply it as a flow rule beside the operators' rules.
//
// A brake carries its end by the database's clock and is renewed well before. When the governor dies, another process goes on
// with the same brake; when there is none, the brake runs out. Decision 32 gives the reasons.
package brake
