package audit

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// threeStores are real stores with one sale at rest: an order of two lines, and one that was cancelled.
type threeStores struct {
	t       *testing.T
	name    string
	db      *sql.DB
	redis   *harness.RedisServer
	kafka   *kgo.Client
	options Options
	auditor *Auditor
}

const settledRecord = "fs2 batch rush 0 1 1 41 1 2\n41 case:1:10,phone:2:100 ann k1\n42 phone:1:100 bob\n"

func newThreeStores(t *testing.T, name string) *threeStores {
	t.Helper()
	s := &threeStores{t: t, name: name, redis: harness.SharedRedis(t), db: harness.SharedMariaDB(t).Open(t, name)}
	brokers := harness.SharedKafka(t).Brokers
	s.options = Options{DSN: harness.SharedMariaDB(t).DSN(name), Namespace: name, Topic: name + ".orders",
		RedisAddrs: []string{s.redis.Addr}, KafkaBrokers: brokers}
	s.sql(tables...)
	s.sql("ALTER TABLE sales ADD per_buyer_sale_limit INT DEFAULT 3, ADD starts_at DATETIME DEFAULT '2026-01-01', "+
		"ADD state VARCHAR(9) DEFAULT 'open'", "DELETE FROM outbox", "DELETE FROM order_lines", "DELETE FROM dead_letters",
		"UPDATE stock SET settled = 3, released = 1 WHERE sku = 'phone'", "UPDATE stock SET settled = 1 WHERE sku = 'case'",
		"INSERT INTO orders VALUES ('rush', 41, 0, 'ann', NULL, 3, NULL, 210, 2, 'confirmed', 'k1'), "+
			"('rush', 42, 0, 'bob', 'phone', 1, 100, 100, 1, 'cancelled', '')",
		"INSERT INTO order_lines VALUES (41, 1, 'case', 1, 10), (41, 2, 'phone', 2, 100)",
		"INSERT INTO batches VALUES ('rush', 0, 1, 1, 41), ('rush', 0, 1, 2, -1)", "INSERT INTO positions VALUES (0, 1)")
	s.do("HSET", "meta", "epoch", "1", "seq", "2")
	s.do("HSET", "stock", "phone", "8 3 2 1 0 1", "case", "4 1 1 2 0 0")
	s.do("HSET", "buyers", "ann", "15,1:2+2,k1,1,0", "bob", "16,-1,,1,0")
	t.Cleanup(func() {
		for _, part := range []string{"meta", "stock", "buyers", "journal"} {
			s.do("DEL", part)
		}
	})
	var err error
	s.kafka, err = kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(s.options.Topic))
	require.NoError(t, err)
	t.Cleanup(s.kafka.Close)
	made, err := kadm.NewClient(s.kafka).CreateTopic(t.Context(), 1, 1, nil, s.options.Topic)
	require.NoError(t, err)
	require.NoError(t, made.Err)
	s.produce(settledRecord)
	s.auditor, err = Open(s.options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.auditor.Close()) })
	return s
}

func (s *threeStores) sql(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		_, err := s.db.Exec(statement)
		require.NoError(s.t, err, statement)
	}
}

// do runs a command on one of the bucket's keys.
func (s *threeStores) do(command, part string, args ...string) {
	s.t.Helper()
	s.redis.MustDo(s.t, append([]string{command, s.name + ":{rush:0}:" + part}, args...)...)
}

func (s *threeStores) produce(text string) {
	s.t.Helper()
	require.NoError(s.t, s.kafka.ProduceSync(s.t.Context(), &kgo.Record{Value: []byte(text)}).FirstErr())
}

// read reads all sales once.
func (s *threeStores) read(whole bool) (*reading, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	sales, err := s.auditor.database.sales(ctx)
	require.NoError(s.t, err)
	return s.auditor.read(ctx, sales, whole)
}

// violated returns the evidence of one reading at rest.
func (s *threeStores) violated() (texts []string) {
	s.t.Helper()
	read, err := s.read(false)
	require.NoError(s.t, err)
	require.True(s.t, read.resting)
	for _, line := range read.report(Servers{}).Invariants {
		if line.Verdict == Violated {
			texts = append(texts, line.Invariant+": "+line.Detail)
		}
	}
	return texts
}

// TestAuditOfThreeStores reads real stores whose books are in order, then a fault in each of them.
func TestAuditOfThreeStores(t *testing.T) {
	s := newThreeStores(t, "audit_three")
	report, err := s.auditor.Run(t.Context(), "rush")
	require.NoError(t, err)
	require.Equal(t, Holds, report.Verdict, "%+v", report.Invariants)
	require.Len(t, report.Invariants, len(invariants))
	require.Equal(t, Counts{Records: 1, Orders: 2, Entries: 2, Rows: map[string]int64{"confirmed": 1, "cancelled": 1}},
		report.Counts)
	require.NotContains(t, []string{"", "unknown"}, report.Servers.Redis)
	require.NotContains(t, []string{"", "unknown"}, report.Servers.Kafka)
	require.NotEmpty(t, report.Servers.Database)

	s.do("HSET", "buyers", "ann", "15,1+2,k1,1,0")
	require.Equal(t, []string{"redis_matches_rows: order 41 of buyer ann owns 1 of case at 10, 2 of phone at 100; " +
		"Redis counts 1 of case at 0, 1 of phone at 0 for it, of buyer ann"}, s.violated())
	s.do("HSET", "buyers", "ann", "15,1:2+2,k1,1,0")
	s.sql("INSERT INTO paid_units VALUES ('rush', 'phone', 1, 1, 1), ('rush', 'phone', 2, 2, 1)")
	require.Equal(t, []string{"paid_matches_rows: paid_units counts 3 units of 2 orders; the paid orders sum up to 0 of 0"},
		s.violated())
	s.sql("DELETE FROM paid_units", "UPDATE orders SET buyer_id = 'eve' WHERE order_id = 42")
	require.Equal(t, []string{"every_row_recorded: order 42: the record says buyer bob, bucket 0, 1 of phone at 100; " +
		"its row says eve, 0, 1 of phone at 100"}, s.violated())
	s.sql("UPDATE orders SET buyer_id = 'bob' WHERE order_id = 42", "INSERT INTO order_lines VALUES (42, 1, 'case', 1, 0)")
	require.Contains(t, s.violated(), "orders_are_whole: order 42: its row says 1 lines, 1 units, 100 cents; "+
		"its lines are 1 of case at 0, 1 of phone at 100")
	s.sql("DELETE FROM order_lines WHERE order_id = 42", "UPDATE positions SET next_offset = 2")
	s.produce("fs2 batch rush 0 1 3 43 1 1\n43 phone:1:100 cid\n")
	require.Equal(t, []string{"every_record_settled: record 43 of bucket 0, epoch 1, sequence 3 has no marker",
		"every_record_settled: order 43 is in the topic and has no row"}, s.violated())
}

// A sale in motion ends a reading before the orders are read, but for the last attempt, which judges what one store shows.
func TestASaleInMotion(t *testing.T) {
	s := newThreeStores(t, "audit_motion")
	for name, moving := range map[string][2]func(){
		"a record is not settled": {func() { s.sql("UPDATE positions SET next_offset = 0") },
			func() { s.sql("UPDATE positions SET next_offset = 1") }},
		"a release waits": {func() { s.sql("INSERT INTO outbox VALUES ('rush', 0)") }, func() { s.sql("DELETE FROM outbox") }},
		"the journal has an entry": {func() { s.do("XADD", "journal", "1-1", "r", "x") },
			func() { s.do("DEL", "journal") }},
	} {
		moving[0]()
		read, err := s.read(false)
		require.NoError(t, err, name)
		require.False(t, read.resting, name)
		require.Empty(t, read.facts, "%s: the reading did not end", name)
		read, err = s.read(true)
		require.NoError(t, err, name)
		require.False(t, read.resting, name)
		report := read.report(Servers{})
		require.Equal(t, NotJudged, report.Verdict, name)
		require.EqualValues(t, 2, report.Counts.Orders, name)
		moving[1]()
		require.Empty(t, s.violated(), name)
	}
	s.sql("UPDATE positions SET next_offset = 0")
	report, err := s.auditor.Run(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, NotJudged, report.Verdict, "after %d attempts", maxReadings)
}

// What moves while the stores are read is seen: a release that Redis applies, a record, a bucket that was not there before.
func TestMotionWhileReading(t *testing.T) {
	s := newThreeStores(t, "audit_moves")
	config, err := mysql.ParseDSN(s.options.DSN)
	require.NoError(t, err)
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	var at string
	var move func()
	pool := sql.OpenDB(strict{connector, func(query string) {
		if move != nil && strings.Contains(query, at) {
			now := move
			move = nil
			now()
		}
	}})
	require.NoError(t, s.auditor.database.db.Close())
	s.auditor.database = &database{pool}
	require.Empty(t, s.violated(), "nothing moves")
	for _, tc := range []struct {
		name, at string
		move     func()
	}{
		{"a release is applied before the snapshot", "FROM positions", func() { s.do("HINCRBY", "meta", "seq", "1") }},
		{"a release is applied after the snapshot", "FROM orders", func() { s.do("HINCRBY", "meta", "seq", "1") }},
		{"a rebuild ends", "FROM orders", func() { s.do("HSET", "meta", "epoch", "2") }},
		{"a record comes", "FROM batches", func() { s.produce(settledRecord) }},
		{"a bucket comes", "FROM positions", func() { s.sql("INSERT INTO buckets VALUES ('rush', 1, 1, 'open', 0)") }},
	} {
		at, move = tc.at, tc.move
		read, err := s.read(true)
		require.NoError(t, err, tc.name)
		require.Nil(t, move, "%s: it did not move", tc.name)
		require.False(t, read.resting, tc.name)
	}
}

// Of several sales each is judged by itself; lines of no order belong to none and are shown for each.
func TestSeveralSales(t *testing.T) {
	s := newThreeStores(t, "audit_several")
	s.sql("INSERT INTO sales VALUES ('other', 1, 0, '2026-01-01', 'open'), ('past', 1, 0, '2026-01-01', 'archived'), "+
		"('plan', 1, 0, '2026-01-01', 'draft')", "INSERT INTO order_lines VALUES (7, 1, 'phone', 1, 1)")
	report, err := s.auditor.Run(t.Context(), "")
	require.NoError(t, err)
	var loose []Line
	for _, line := range report.Invariants {
		require.Contains(t, []string{"rush", "other"}, line.Sale)
		if line.Verdict == Violated {
			loose = append(loose, line)
		}
	}
	const text = "order 7 has lines and no row"
	require.Equal(t, []Line{{"other", "", "orders_are_whole", Violated, text}, {"rush", "", "orders_are_whole", Violated, text}},
		loose)
	report, err = s.auditor.Run(t.Context(), "nowhere")
	require.NoError(t, err)
	require.Empty(t, report.Invariants)
}

// A store that cannot be read ends the whole reading with its error.
func TestAReadingThatFails(t *testing.T) {
	s := newThreeStores(t, "audit_fails")
	s.do("HSET", "buyers", "cid", "no entry")
	_, err := s.read(false)
	require.ErrorContains(t, err, "redis at "+s.redis.Addr+": read bucket rush:0: buyer cid: entry \"no entry\"")
	s.do("DEL", "buyers")
	s.do("SET", "buyers", "text")
	_, err = s.read(false)
	require.ErrorContains(t, err, "another program uses the keys of this namespace")
	s.do("DEL", "buyers")
	s.sql("DROP TABLE batches")
	_, err = s.read(false)
	require.ErrorContains(t, err, "run flashsale migrate")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.auditor.Run(ended, "rush")
	require.ErrorIs(t, err, context.Canceled)
}
