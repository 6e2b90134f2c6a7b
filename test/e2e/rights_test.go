package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flashsale/test/harness"
)

// rights are the lines of the operators' page that give the engine's users what they need, for a namespace.
type rights struct {
	redis []string   // words of ACL SETUSER
	kafka [][]string // words of kafka-acls.sh behind the user, the user first
}

// documentedRights reads them from the page, so that what is tested is what operators type.
func documentedRights(t *testing.T, namespace string) (r rights) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "docs", "operations.md"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		line = strings.ReplaceAll(line, "~flashsale:*", "~"+namespace+":*")
		line = strings.ReplaceAll(line, " flashsale.", " "+namespace+".")
		if strings.HasPrefix(line, "ACL SETUSER ") {
			require.Empty(t, r.redis, "one line for Redis")
			r.redis = strings.Fields(strings.ReplaceAll(line, "PASSWORD", harness.PasswordOf("flashsale")))
		}
		if granted, found := strings.CutPrefix(line, "allow "); found {
			r.kafka = append(r.kafka, strings.Fields(granted))
		}
	}
	require.NotEmpty(t, r.redis)
	require.NotEmpty(t, r.kafka)
	return r
}

// commands are the names of the commands that the user may send.
func (r *rights) commands() (names []string) {
	for _, word := range r.redis {
		if name, allowed := strings.CutPrefix(word, "+"); allowed {
			names = append(names, name)
		}
	}
	return names
}

// users are the names in the page's lines for Kafka.
func (r *rights) users() (names []string) {
	for _, line := range r.kafka {
		if !slices.Contains(names, line[0]) {
			names = append(names, line[0])
		}
	}
	return names
}

// grant gives the users of a broker the rights of one line.
func grant(t *testing.T, kafka *harness.KafkaServer, line []string) {
	t.Helper()
	client, err := kafka.ClientOf("")
	require.NoError(t, err)
	defer client.Close()
	b := kadm.NewACLs().Allow("User:" + line[0]).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
	var operations []kadm.ACLOperation
	for i := 1; i+1 < len(line); i += 2 {
		switch option, value := line[i], line[i+1]; option {
		case "--operation":
			operation, err := kmsg.ParseACLOperation(value)
			require.NoError(t, err)
			operations = append(operations, operation)
		case "--topic":
			b.Topics(value)
		case "--group":
			b.Groups(value)
		case "--resource-pattern-type":
			require.Equal(t, "prefixed", value)
			b.ResourcePatternType(kadm.ACLPatternPrefixed)
		default:
			require.Fail(t, "an option that this test cannot carry out", "%s", option)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	results, err := kadm.NewClient(client).CreateACLs(ctx, b.Operations(operations...))
	require.NoError(t, err)
	for _, result := range results {
		require.NoError(t, result.Err)
	}
	require.Len(t, results, len(operations))
}

// as makes later processes and commands log in to Kafka as a user.
func (s *stack) as(user string) *stack {
	s.Env = append(slices.Clone(s.Env), "FLASHSALE_KAFKA_SASL_USERNAME="+user,
		"FLASHSALE_KAFKA_SASL_PASSWORD="+harness.PasswordOf(user))
	return s
}

// secured is a stack on a Redis and a Kafka with access control, where the users have exactly the rights of the page.
func secured(t *testing.T) (*stack, rights) {
	t.Helper()
	namespace := fmt.Sprintf("rights-%x", time.Now().UnixMilli())
	r := documentedRights(t, namespace)
	kafka := harness.KafkaSecured(t, append(r.users(), "shop")...)
	for _, line := range r.kafka {
		grant(t, kafka, line)
	}
	redis := harness.Redis(t)
	redis.MustDo(t, r.redis...)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka, Name: namespace, Env: []string{
		"FLASHSALE_REDIS_USERNAME=flashsale",
		"FLASHSALE_REDIS_PASSWORD=" + harness.PasswordOf("flashsale"), "FLASHSALE_KAFKA_SASL_MECHANISM=PLAIN",
		"FLASHSALE_KAFKA_SASL_USERNAME=fs-migrate", "FLASHSALE_KAFKA_SASL_PASSWORD=" + harness.PasswordOf("fs-migrate"),
		"FLASHSALE_RESERVE_RELAY_DEADLINE=100ms",
	}})
	return s, r
}

// TestExactRights: with exactly the rights that the page names, a sale goes from migration to audit, through a lost script,
// transfers, a list of buyers, cancellation, payment and a topic that grows. No call is refused, and every granted command
// is used.
func TestExactRights(t *testing.T) {
	s, r := secured(t)
	s.Env = append(s.Env, "FLASHSALE_KAFKA_PARTITIONS=9")
	s.Succeed("migrate") // the topics are there: their settings are set again, and one grows
	redis := s.Redis[0]
	redis.MustDo(t, "CONFIG", "RESETSTAT")
	s.as("fs-settle").Launch(0, 1)
	s.as("fs-gateway").Launch(1, 0)
	s.Settles[0].Ready()
	s.Gateways[0].Ready()
	listedSale(s)
	s.as("fs-audit").audit("rush")

	called := calledCommands(t, redis)
	for _, name := range r.commands() {
		if name == "cluster|shards" || name == "cluster|slots" {
			continue // a server is asked for one of them, from Redis 8 on for shards
		}
		if name == "hdel" {
			continue // called when a dead letter of a whole buyer is refused, which this test does not do
		}
		assert.Contains(t, called, name, "granted, and nothing uses it")
	}
	assert.Empty(t, redis.MustDo(t, "ACL", "LOG"), "refused by Redis")
	for _, log := range []string{s.Gateways[0].Stderr(), s.Settles[0].Stderr()} {
		assert.NotRegexp(t, `(?i)NOPERM|not authorized|authorization`, log)
	}
	grant(t, s.Kafka, []string{"shop", "--operation", "Read", "--topic", s.Name + ".events"})
	assert.Contains(t, s.firstEvents("shop", 3), "flashsale.order.confirmed")

	last := homeBuyer(2, 9)
	bought := s.refused(s.buy(ask{buyer: last}), 409, "already_bought", boughtMembers...)
	require.Equal(t, 200, s.cancel(order{Sale: "rush", SKU: "phone", OrderID: bought["order_id"].(string)}, last).status)
	s.soon("the unit is back", func() bool { return !s.shownSoldOut(0) }) // a gateway refuses by itself what is sold out
	redis.MustDo(t, "ACL", "SETUSER", "flashsale", "-info")
	s.notReady(s.Gateways[0], "engine", "INFO is refused", "fenced", "ACL SETUSER flashsale +info")
	assert.Contains(t, fmt.Sprint(s.refused(s.buy(ask{buyer: homeBuyer(2, 10)}), 503, "fenced")), "fenced")
	redis.MustDo(t, "ACL", "SETUSER", "flashsale", "+info")
	s.Gateways[0].Ready()
	s.sells(0, homeBuyer(2, 10))
}

// listedSale is a sale for listed buyers in four buckets, in which everything happens that reaches a store: all units are
// bought by buyers of one bucket, one is paid, one is cancelled and bought again, and Redis forgets its scripts.
func listedSale(s *stack) {
	d := bucketed(8)
	d.Eligibility = "list"
	s.create("rush", d)
	var list strings.Builder
	for n := range 12 {
		fmt.Fprintln(&list, homeBuyer(2, n))
	}
	require.Equal(s.t, 200, s.operate("PUT", "/admin/v1/sales/rush/buyers", list.String()).status)
	s.move("rush", "preload")
	s.move("rush", "open")
	s.eventuallyState(s.Gateways[0], "rush", "open")
	s.refused(s.buy(ask{buyer: "stranger"}), 403, "not_eligible")
	first := s.confirmed(homeBuyer(2, 0))
	require.Equal(s.t, 200, s.pay(first.OrderID, "pay-1").status)
	s.Settles[0].Pause()
	second := s.becomes(s.taken(ask{buyer: homeBuyer(2, 1)}), homeBuyer(2, 1), "queued")
	assert.Equal(s.t, "queued", s.shown(second.OrderID)["status"], "the gateway reads it from Kafka")
	s.Settles[0].Continue()
	second = s.becomes(second, homeBuyer(2, 1), "confirmed")
	for n := 2; n < 8; n++ {
		s.sells(0, homeBuyer(2, n))
	}
	s.soldOutEverywhere(homeBuyer(2, 8))
	require.Equal(s.t, 200, s.read(ask{}.path(), homeBuyer(2, 3)).status)
	require.Equal(s.t, 200, s.cancel(second, homeBuyer(2, 1)).status)
	s.Redis[0].MustDo(s.t, "SCRIPT", "FLUSH")
	s.sells(0, homeBuyer(2, 9))
}

// calledCommands are the commands that a Redis has carried out since its statistics were reset.
func calledCommands(t *testing.T, redis *harness.RedisServer) (names []string) {
	t.Helper()
	for field, value := range redis.Info(t, "commandstats") {
		if name, is := strings.CutPrefix(field, "cmdstat_"); is && !strings.HasPrefix(value, "calls=0,") {
			names = append(names, name)
		}
	}
	return names
}

// firstEvents reads n events as a user and returns them as text.
func (s *stack) firstEvents(user string, n int) string {
	s.t.Helper()
	client, err := s.Kafka.ClientOf(user, kgo.ConsumeTopics(s.Name+".events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var text strings.Builder
	for got := 0; got < n; {
		fetches := client.PollFetches(ctx)
		require.NoError(s.t, fetches.Err0())
		fetches.EachRecord(func(record *kgo.Record) { got++; text.Write(record.Value) })
	}
	return text.String()
}
