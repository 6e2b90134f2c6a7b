package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
)

// Bounds of an audit.
const (
	dialTimeout = 3 * time.Second
	readTimeout = 20 * time.Second
	scanCount   = 1000
	fetchBytes  = 4 << 20 // of records in one answer of a broker
	maxReadings = 5       // attempts to read while the sale is at rest
	restPause   = 500 * time.Millisecond
)

// Options are the addresses and credentials of the stores.
type Options struct {
	DSN         string      // of the database, in the form of the Go MySQL driver
	DatabaseTLS *tls.Config // nil: as the DSN says
	Namespace   string
	Topic       string // the orders topic

	RedisAddrs                   []string
	RedisUsername, RedisPassword string
	Sentinel                     Sentinel
	RedisTLS                     *tls.Config // nil: not encrypted

	KafkaBrokers                 []string
	KafkaTLS                     *tls.Config // nil: not encrypted
	KafkaMechanism               string      // empty, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	KafkaUsername, KafkaPassword string
}

// Sentinel is how Redis Sentinel finds the primary; without Master the addresses are those of the servers.
type Sentinel struct{ Master, Username, Password string }

// Servers are the versions of the stores.
type Servers struct {
	Redis    string `json:"redis"`
	Kafka    string `json:"kafka"`
	Database string `json:"database"`
}

// Counts are how many items the audit read, over all its sales.
type Counts struct {
	// batches and transfers of these sales in the topic, repeated ones included
	Records      int64            `json:"records"`
	Unreadable   int64            `json:"unreadable"` // records that are neither a batch, a transfer nor a fence
	Orders       int64            `json:"orders"`     // distinct orders in the topic
	Rows         map[string]int64 `json:"rows"`       // rows of the orders table by status
	Entries      int64            `json:"entries"`    // orders in Redis, including those that no longer count
	Journal      int64            `json:"journal"`    // journal entries that Redis does not know to be in Kafka
	DeadLetters  int64            `json:"dead_letters"`
	Forks        int64            `json:"forks"`
	SequenceGaps int64            `json:"sequence_gaps"` // sequence numbers that Redis lost before Kafka had their records
}

// Report is the result of an audit.
type Report struct {
	Verdict    Verdict   `json:"verdict"` // violated if any line is, else not_judged if any line is, else holds
	At         sale.Time `json:"at"`
	Servers    Servers   `json:"servers"`
	Counts     Counts    `json:"counts"`
	Invariants []Line    `json:"invariants"`
}

// Auditor reads the stores.
type Auditor struct {
	options  Options
	database *database
	redis    rueidis.Client
	topic    *kgo.Client
}

// Open prepares the connections to the stores. An error means that the audit could not be read.
func Open(o Options) (*Auditor, error) {
	a := &Auditor{options: o}
	var err error
	if a.database, err = openDatabase(o); err == nil {
		a.topic, err = openTopic(o)
	}
	if err == nil {
		a.redis, err = openRedis(o)
		err = o.redisFault(err)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Auditor) databaseFault(err error) error { return DatabaseFault(a.options.DSN, "SELECT", err) }

// Close closes the connections.
func (a *Auditor) Close() error {
	if a.redis != nil {
		a.redis.Close()
	}
	if a.topic != nil {
		a.topic.Close()
	}
	if a.database != nil {
		return a.database.db.Close()
	}
	return nil
}

// Run audits one sale, or, when id is empty, every sale with stock that is not archived. It tries maxReadings times to read the
// stores while the sale is at rest, and but for the last time it stops as soon as it finds the sale in motion; invariants that
// need rest are not judged otherwise. A sale without stock has nothing to
// judge. The error names the store that could not be read, its address and the next
// step.
func (a *Auditor) Run(ctx context.Context, id string) (*Report, error) {
	servers, err := a.versions(ctx)
	if err != nil {
		return nil, err
	}
	sales, err := a.database.sales(ctx)
	if err != nil {
		return nil, a.databaseFault(fmt.Errorf("list the sales: %w", err))
	}
	sales = slices.DeleteFunc(sales, func(s saleRow) bool { return id == "" && s.archived || id != "" && s.id != id })
	for attempt := 1; ; attempt++ {
		last := attempt == maxReadings
		read, err := a.read(ctx, sales, last)
		if err != nil {
			return nil, err
		}
		if read.resting || last {
			return read.report(servers), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(restPause):
		}
	}
}

func (a *Auditor) versions(ctx context.Context) (s Servers, err error) {
	if s.Database, err = a.database.version(ctx); err != nil {
		return s, a.databaseFault(fmt.Errorf("read its version: %w", err))
	}
	if s.Redis, err = a.redisVersion(ctx); err != nil {
		return s, a.options.redisFault(err)
	}
	found, err := kadm.NewClient(a.topic).ApiVersions(ctx)
	if err != nil {
		return s, a.options.kafkaFault(fmt.Errorf("read its version: %w", err))
	}
	s.Kafka = "unknown"
	for _, broker := range found.Sorted() {
		s.Kafka = broker.VersionGuess()
	}
	return s, nil
}
