package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// schema is a Schema of few tables, as after a migration or before one.
type schema struct {
	migrated bool
	tables   []string
	foreign  []string
	lookups  []string // read on a replica
}

func (s *schema) CheckSchema(context.Context) error {
	if s.migrated {
		return nil
	}
	return fmt.Errorf("check schema: %w: it is empty", sale.ErrSchema)
}

func (s *schema) ForeignTables(context.Context) ([]string, error) { return s.foreign, nil }

func (s *schema) Tables() ([]string, error) { return s.tables, nil }

func (s *schema) ReplicaTables() []string { return s.lookups }

// finding returns the findings of a check.
func (r Report) finding(store, check string) (found []Finding) {
	for _, f := range r.Findings {
		if f.Store == store && f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// worst returns the worst finding of a check.
func worst(t *testing.T, r Report, store, check string) Finding {
	t.Helper()
	found := r.finding(store, check)
	require.NotEmpty(t, found, "%s %s", store, check)
	return found[0] // a report has the worst first
}

// dangers returns what is dangerous, as STORE CHECK: FOUND.
func dangers(r Report) (found []string) {
	for _, f := range r.Findings {
		if f.Level == Danger {
			found = append(found, f.Store+" "+f.Check+": "+f.Found)
		}
	}
	return found
}

// only returns the options without the stores that a test does not look at: their addresses are closed.
func only(t *testing.T, o Options, stores ...string) Options {
	t.Helper()
	closed := harness.Address(t)
	if !slices.Contains(stores, Redis) {
		o.RedisAddrs = []string{closed}
	}
	if !slices.Contains(stores, Kafka) {
		o.KafkaBrokers = []string{closed}
	}
	if !slices.Contains(stores, Database) {
		o.DSN = "root@tcp(" + closed + ")/none"
	}
	if o.Schema == nil {
		o.Schema = &schema{tables: []string{"orders"}}
	}
	if o.Namespace == "" {
		o.Namespace = "doc"
	}
	o.Topics = Topics{o.Namespace + ".orders", o.Namespace + ".dead", o.Namespace + ".events"}
	o.Partitions, o.BatchBytes, o.JournalOrders, o.MaxConnections = 2, 1<<20, 100_000, 10
	for _, listen := range []*string{&o.GatewayListen, &o.AdminListen, &o.SettleListen} {
		if *listen == "" {
			*listen = "127.0.0.1:0"
		}
	}
	return o
}

// typed runs a redis-cli line as an operator would type it.
func typed(t *testing.T, server *harness.RedisServer, line string) {
	t.Helper()
	host, port, _ := strings.Cut(server.Addr, ":")
	command, is := strings.CutPrefix(line, "redis-cli -h "+host+" -p "+port+" ")
	require.True(t, is, "%q is for %s", line, server.Addr)
	if strings.HasPrefix(command, "--") { // a login of the doctor's user: the harness has the default user
		_, command, _ = strings.Cut(command, "--askpass ")
	}
	server.MustDo(t, words(command)...)
}

// words splits a line as a shell does: quotes keep a word together, a # ends it.
func words(line string) (found []string) {
	word, quote, begun := "", rune(0), false
	end := func() {
		if begun {
			found = append(found, word)
		}
		word, begun = "", false
	}
	for _, r := range line {
		switch {
		case quote == 0 && r == '#' && !begun:
			return found
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			end()
		default:
			word, begun = word+string(r), true
		}
	}
	end()
	return found
}

// clientOf is a client of a real Redis, for what the harness's own cannot say.
func clientOf(t *testing.T, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true,
		ForceSingleClient: true})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// adminOf is an admin of Kafka.
func adminOf(t *testing.T, brokers []string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// engineSettings are those that migrate gives a topic.
func engineSettings() map[string]*string {
	set := map[string]*string{}
	for name, value := range map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete",
		"max.message.bytes": "2097152", "message.timestamp.type": "LogAppendTime"} {
		set[name] = &value
	}
	return set
}

// makeTopics makes the engine's topics as migrate does.
func makeTopics(t *testing.T, admin *kadm.Client, topics Topics, copies int16) {
	t.Helper()
	made, err := admin.CreateTopics(t.Context(), 2, copies, engineSettings(), topics.list()...)
	require.NoError(t, err)
	for _, topic := range made {
		require.NoError(t, topic.Err)
	}
}

// Bounds of what a test waits for.
const (
	soon  = 20 * time.Second
	often = 20 * time.Millisecond
)

func now() time.Time { return time.Now() }

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), into), text)
}
