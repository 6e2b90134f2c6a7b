package lease

// Name is the name of a lease in the database. Roles that must exclude each other use the same name; every name is one of
// this file.
type Name string

// Names of the roles that one process at a time has. Old and new processes share the database while a release is rolled
// out, so a name never changes.
const (
	Relay  Name = "relay"  // publishes overdue journal entries
	Outbox Name = "outbox" // applies the outbox to Redis
	Events Name = "events" // publishes order events
	Expiry Name = "expiry" // ends unpaid orders
	Gauges Name = "gauges" // shows the stock equation as metrics

	Retention Name = "retention" // deletes old records from the topics
	Trail     Name = "trail"     // chains the trail
	Brake     Name = "brake"     // slows purchases while something lags
	Replica   Name = "replica"   // writes the beat by which gateways measure the lag of a replica
)

// Sale returns the name of a sale's lease. Every step of any process that writes the sale's stock or definition runs under it:
// preload, rebuild, and changes of the definition and the state.
func Sale(id string) Name { return Name("sale/" + id) }
