package audit

import (
	"cmp"
	"context"
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
	maxReadings = 5 // attempts to read while the sale is at rest
	restPause   = 500 * time.Millisecond
)

// Options are the addresses and credentials of the stores.
type Options struct {
	DSN       string // of the database, in the form of the Go MySQL driver
	Namespace string
	Topic     string // the orders topic

	RedisAddrs                   []string
	RedisUsername, RedisPassword string
	RedisTLS                     bool

	KafkaBrokers                 []string
	KafkaTLS                     bool
	KafkaMechanism               string // empty, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	KafkaUsername, KafkaPassword string
}

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
	if a.database, err = openDatabase(o.DSN); err == nil {
		a.topic, err = openTopic(o)
	}
	if err == nil {
		a.redis, err = openRedis(o)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

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
// stores while the sale is at rest; invariants that need rest are not judged otherwise. A sale without stock has nothing to
// judge. The error names what could not be read.
func (a *Auditor) Run(ctx context.Context, id string) (*Report, error) {
	servers, err := a.versions(ctx)
	if err != nil {
		return nil, err
	}
	sales, err := a.database.sales(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the sales: %w", err)
	}
	sales = slices.DeleteFunc(sales, func(s saleRow) bool { return id == "" && s.archived || id != "" && s.id != id })
	for attempt := 1; ; attempt++ {
		read, err := a.read(ctx, sales)
		if err != nil {
			return nil, err
		}
		if read.resting || attempt == maxReadings {
			return read.report(servers), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(restPause):
		}
	}
}

// reading is the result of one pass over the stores.
type reading struct {
	facts      []*facts
	records    int64
	unreadable int64
	resting    bool
}

// read passes over the stores once: the end offsets of the topic, then Redis and the database, then the topic up to
// those ends, then Redis's sequence numbers and the ends again. When nothing has moved in between and nothing is in
// flight, the sale was at rest.
func (a *Auditor) read(ctx context.Context, sales []saleRow) (*reading, error) {
	before, err := a.ends(ctx)
	if err != nil {
		return nil, err
	}
	r := &reading{resting: true}
	bySale := map[string]*facts{}
	from := time.Now()
	for _, s := range sales {
		snap, err := a.database.read(ctx, s)
		if err != nil {
			return nil, err
		}
		f := snap.facts
		if err := a.readRedis(ctx, f); err != nil {
			return nil, err
		}
		bySale[s.id] = f
		r.facts = append(r.facts, f)
		r.resting = r.resting && f.quiet(snap.moved, before)
		if s.starts.Before(from) {
			from = s.starts
		}
	}
	err = a.readTopic(ctx, from, before, func(value []byte) { r.note(bySale, string(value)) })
	if err != nil {
		return nil, err
	}
	shortened, err := a.shortened(ctx, from)
	if err != nil {
		return nil, err
	}
	if r.resting, err = a.unmoved(ctx, r, before); err != nil {
		return nil, err
	}
	for _, f := range r.facts {
		f.resting, f.shortened = r.resting, shortened
	}
	slices.SortFunc(r.facts, func(a, b *facts) int { return cmp.Compare(a.sale, b.sale) })
	return r, nil
}

// note files one record of the topic. It skips records of sales that are not audited.
func (r *reading) note(bySale map[string]*facts, text string) {
	found, ok := parseRecord(text)
	if !ok {
		if !isFence(text) {
			r.unreadable++
		}
		return
	}
	f := bySale[found.sale]
	if f == nil {
		return
	}
	r.records++
	if !slices.Contains(f.records[found.at], found.id) {
		f.records[found.at] = append(f.records[found.at], found.id)
	}
	for id, order := range found.orders {
		f.orders[id] = order
	}
}

// unmoved reports whether Redis and the topic have not changed since the reading began.
func (a *Auditor) unmoved(ctx context.Context, r *reading, before map[int32]int64) (bool, error) {
	if !r.resting {
		return false, nil
	}
	after, err := a.ends(ctx)
	if err != nil {
		return false, err
	}
	for partition, end := range after {
		if before[partition] != end {
			return false, nil
		}
	}
	for _, f := range r.facts {
		for number, b := range f.buckets {
			var again bucketFacts
			if err := a.readMeta(ctx, f.sale, number, &again); err != nil {
				return false, fmt.Errorf("read bucket %s:%d in redis: %w", f.sale, number, err)
			}
			if again.redisEpoch != b.redisEpoch || again.redisSequence != b.redisSequence {
				return false, nil
			}
		}
	}
	return true, nil
}

// report judges a reading.
func (r *reading) report(servers Servers) *Report {
	report := &Report{Verdict: Holds, At: sale.Time{Time: time.Now()}, Servers: servers, Invariants: []Line{}}
	report.Counts = Counts{Records: r.records, Unreadable: r.unreadable, Rows: map[string]int64{}}
	for _, f := range r.facts {
		report.Counts.add(f)
		report.Invariants = append(report.Invariants, judge(f)...)
	}
	for _, line := range report.Invariants {
		switch {
		case line.Verdict == Violated:
			report.Verdict = Violated
		case line.Verdict == NotJudged && report.Verdict == Holds:
			report.Verdict = NotJudged
		}
	}
	return report
}

func (c *Counts) add(f *facts) {
	c.Orders += int64(len(f.orders))
	for _, r := range f.rows {
		c.Rows[string(r.status)]++
	}
	c.Entries += int64(len(f.entries))
	for _, b := range f.buckets {
		c.Journal += b.journal
	}
	c.DeadLetters += int64(len(f.dead))
	for _, ids := range f.forks {
		c.Forks += int64(len(ids))
	}
	c.SequenceGaps += f.gaps()
}

func (a *Auditor) versions(ctx context.Context) (s Servers, err error) {
	if s.Database, err = a.database.version(ctx); err != nil {
		return s, fmt.Errorf("read the version of the database: %w", err)
	}
	if s.Redis, err = a.redisVersion(ctx); err != nil {
		return s, err
	}
	found, err := kadm.NewClient(a.topic).ApiVersions(ctx)
	if err != nil {
		return s, fmt.Errorf("read the version of kafka: %w", err)
	}
	s.Kafka = "unknown"
	for _, broker := range found.Sorted() {
		s.Kafka = broker.VersionGuess()
	}
	return s, nil
}
