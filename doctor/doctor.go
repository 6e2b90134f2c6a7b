package doctor

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of the looks at servers.
const (
	dialTimeout = 3 * time.Second
	callTimeout = 4 * time.Second  // one call
	lookTimeout = 15 * time.Second // all calls to one store
)

// Schema is what the engine's own store knows of its schema.
type Schema interface {
	// CheckSchema returns an error that wraps sale.ErrSchema unless the schema is this binary's.
	CheckSchema(ctx context.Context) error
	// ForeignTables names the tables that have the engine's names and are not the engine's.
	ForeignTables(ctx context.Context) ([]string, error)
	// Tables names the tables that the migrations make.
	Tables() ([]string, error)
	// ReplicaTables names those that gateways read on a replica.
	ReplicaTables() []string
}

// Options are the addresses and settings that are examined.
type Options struct {
	Namespace   string
	DSN         string      // of the database, in the form of the Go MySQL driver
	ReadDSN     string      // of the replica for reads of orders; empty: none
	DatabaseTLS *tls.Config // nil: as the DSN says; for the replica too
	Schema      Schema      // on the same database

	ReadMaxLag time.Duration // of the replica, from which on gateways do not use it

	RedisAddrs                   []string
	RedisUsername, RedisPassword string
	Sentinel                     Sentinel
	RedisTLS                     *tls.Config // nil: not encrypted

	KafkaBrokers                 []string
	KafkaTLS                     *tls.Config // nil: not encrypted
	KafkaMechanism               string      // empty, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	KafkaUsername, KafkaPassword string
	Topics                       Topics
	Partitions                   int // of the orders topic, as the settings have it

	BatchBytes    int // settle.batch_max_bytes
	JournalOrders int // reserve.journal_max_orders

	GatewayListen, AdminListen, SettleListen string
	TrustedProxies                           []netip.Prefix
	MaxConnections                           int    // of buyers to one gateway
	Descriptors                              uint64 // that a process may have open; the largest value: no limit

	Certificates []Certificate
}

// Certificate is a file with certificates by which a store is reached.
type Certificate struct {
	Setting, File string
	Authority     bool // verifies the store; else it names the engine
	Ends          time.Time
}

// Sentinel is how Redis Sentinel finds the primary; without Master the addresses are those of the servers.
type Sentinel struct{ Master, Username, Password string }

// Topics are the names of the engine's topics.
type Topics struct{ Orders, Dead, Events string }

func (t Topics) list() []string { return []string{t.Orders, t.Dead, t.Events} }

// Report is the result of an examination.
type Report struct {
	Findings []Finding // by store, the worst first
	Answered int       // of Redis, Kafka and the database, how many answered
}

// Dangerous reports whether a finding is a Danger.
func (r Report) Dangerous() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Danger })
}

// Examine makes every check. It returns within half a minute, also when servers do not answer, and earlier when ctx ends.
func Examine(ctx context.Context, o Options) Report {
	var redis redisFacts
	var kafka kafkaFacts
	var database databaseFacts
	var all sync.WaitGroup
	all.Go(func() { within(ctx, func(ctx context.Context) { redis = lookAtRedis(ctx, o) }) })
	all.Go(func() { within(ctx, func(ctx context.Context) { kafka = lookAtKafka(ctx, o) }) })
	all.Go(func() { within(ctx, func(ctx context.Context) { database = lookAtDatabase(ctx, o) }) })
	all.Wait()

	times := readClocks(redis, kafka, database, time.Now())
	found := slices.Concat(judgeRedis(redis, database.sales, o), judgeKafka(kafka, database, o), judgeDatabase(database, o),
		judgeClocks(times), judgeMachine(lookAtMachine(o), o))
	r := Report{Findings: inOrder(found)}
	for _, err := range []error{redis.err, kafka.err, database.err} {
		if err == nil {
			r.Answered++
		}
	}
	return r
}

func within(ctx context.Context, look func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	look(ctx)
}
