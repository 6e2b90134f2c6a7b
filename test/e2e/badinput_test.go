package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// These tests change the stores behind the engine. Each time the engine logs what it found and what to do, and sells
// nothing until the operator has done it.

// notReady waits until the text of a gateway's check contains all of these, and checks that the gateway sells nothing.
func (s *stack) notReady(g *gateway, check string, parts ...string) {
	s.t.Helper()
	g.WaitReady("http://" + g.Buyers + "/livez")
	require.Eventually(s.t, func() bool {
		answer := s.request("GET", "http://"+g.Operators+"/readyz", nil)
		checks, _ := answer.json(s)["checks"].(object)
		return answer.status == 503 && containsAll(fmt.Sprint(checks[check]), parts)
	}, 20*time.Second, 20*time.Millisecond, "check %s does not contain %q", check, parts)
	require.Contains(s.t, g.Stderr(), parts[0], "the log has it too")
	answer := s.refused(s.request("GET", "http://"+g.Buyers+"/readyz", nil), 503, "unavailable")
	require.Equal(s.t, "the gateway is not ready", answer["detail"], "buyers get no names and no addresses")
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// sellsNothing presses for a while and requires that no purchase is taken.
func (s *stack) sellsNothing(g int) {
	s.t.Helper()
	for i := range 20 {
		answer := s.buy(ask{gateway: g, buyer: fmt.Sprintf("nobody-%d", i)})
		require.NotEqual(s.t, 202, answer.status, "%s", answer.body)
		require.Contains(s.t, []any{"unavailable", "fenced", "sale_not_found", "overloaded"}, answer.json(s)["code"], "%s",
			answer.body)
	}
}

// sells waits until a press is taken.
func (s *stack) sells(g int, buyer string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.buy(ask{gateway: g, buyer: buyer}).status == 202 }, 30*time.Second,
		50*time.Millisecond)
}

// gaveUp waits for a settle process to end by itself, and returns its log.
func (s *stack) gaveUp(w *worker) string {
	s.t.Helper()
	select {
	case <-w.Done():
	case <-time.After(30 * time.Second):
		s.t.Fatalf("settle still runs:\n%s", w.Stderr())
	}
	require.Equal(s.t, 1, w.ExitCode())
	return w.Stderr()
}

// TestForeignRedis: Redis has keys of another program, some of them under the engine's own names.
func TestForeignRedis(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}})
	owner, tag := s.Name+":engine", s.Name+":{rush:0}:"
	redis.MustDo(t, "SET", "sessions", "of another program")
	redis.MustDo(t, "RPUSH", owner, "a", "list")
	s.Launch(1, 1)
	s.notReady(s.Gateways[0], "engine", owner, "namespace", "delete the key")
	s.sellsNothing(0)
	assert.EqualValues(t, 2, redis.MustDo(t, "LLEN", owner), "nothing of it was touched")
	redis.MustDo(t, "DEL", owner)
	s.Gateways[0].Ready()
	s.Settles[0].Ready()

	for key, kind := range map[string][]string{"meta": {"SET", "text"}, "stock": {"SADD", "set"}, "buyers": {"RPUSH", "list"},
		"journal": {"SADD", "set"}} {
		redis.MustDo(t, kind[0], tag+key, kind[1])
		sale := "rush"
		if s.operate("GET", "/admin/v1/sales/rush", nil).status == 404 {
			s.create(sale, lasting(phone(5)))
		}
		answer := s.operate("POST", "/admin/v1/sales/rush/preload", nil)
		detail := fmt.Sprint(s.refused(answer, 503, "unavailable")["detail"])
		assert.Contains(t, detail, tag+key)
		assert.Contains(t, detail, "namespace")
		redis.MustDo(t, "DEL", tag+key)
	}
	s.move("rush", "preload")
	s.move("rush", "open")
	s.sells(0, "first")
	s.audit("rush")
	assert.Equal(t, "of another program", redis.MustDo(t, "GET", "sessions"))
}

// TestEmptyRedis: Redis loses everything while a sale runs. What was sold stays sold, and the rest is sold after a rebuild
// from the database.
func TestEmptyRedis(t *testing.T) {
	const stock, before = 12, 5
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(stock)))
	for i := range before {
		s.confirmed(fmt.Sprintf("before-%d", i))
	}
	redis.MustDo(t, "FLUSHALL")
	redis.MustDo(t, "SCRIPT", "FLUSH")
	for i := range stock - before {
		s.sells(0, fmt.Sprintf("after-%d", i))
	}
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "late"}).json(s)["code"] == "sold_out" }, 10*time.Second,
		20*time.Millisecond)
	again := s.buy(ask{buyer: "before-0"})
	assert.EqualValues(t, 1, s.refused(again, 409, "already_bought", boughtMembers...)["bought"])
	s.audit("rush")
	assert.Equal(t, stock, s.orderRows("rush").units["phone"])
}

// TestTwoEnginesOnOneRedis: a second database is pointed at the Redis and the namespace of an engine that sells.
func TestTwoEnginesOnOneRedis(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	s.sells(0, "one")
	id := redis.MustDo(t, "GET", s.Name+":engine")

	deployment := *s.Stack
	second := &stack{&deployment, t}
	second.Name, second.Gateways, second.Settles = s.Name+"-2", nil, nil
	second.Env = append(append([]string{}, s.Env...), "FLASHSALE_MYSQL_DSN="+s.MariaDB.DSN(second.Name))
	second.Succeed("migrate")
	second.Launch(1, 1)
	second.notReady(second.Gateways[0], "engine", "belongs to another engine", fmt.Sprint(id), "namespace")
	second.create("rush", lasting(phone(1_000)))
	second.refused(second.operate("POST", "/admin/v1/sales/rush/preload", nil), 503, "unavailable")
	second.sellsNothing(0)
	s.sells(0, "two")
	for i := range 8 {
		s.sells(0, fmt.Sprintf("more-%d", i))
	}
	s.audit("rush")
	assert.Equal(t, 10, s.orderRows("rush").units["phone"])
	assert.Empty(t, second.orderRows("rush").rows, "no record of the one was settled into the other")
	assert.Equal(t, id, redis.MustDo(t, "GET", s.Name+":engine"))
}

// TestRecreatedTopic: the orders topic was deleted and created again, empty, while the database has batches of the old one.
func TestRecreatedTopic(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(20)))
	for i := range 5 {
		s.sells(0, fmt.Sprintf("before-%d", i))
	}
	s.audit("rush")
	s.recreateTopic() // under running processes
	log := s.gaveUp(s.Settles[0])
	for _, part := range []string{"recreated", "nothing is sold", "kafka-consumer-groups.sh", "DELETE FROM positions"} {
		assert.Contains(t, log, part)
	}
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "still"}).status == 503 }, 10*time.Second, 20*time.Millisecond)
	s.sellsNothing(0)

	s.Gateways[0].Kill()
	s.Gateways[0].Restart()
	s.Settles[0].Restart()
	s.notReady(s.Gateways[0], "topics", "recreated", "nothing is sold")
	assert.Contains(t, s.gaveUp(s.Settles[0]), "recreated")
	s.sellsNothing(0)
	assert.Len(t, s.orderRows("rush").rows, 5)
}

func (s *stack) recreateTopic() {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...))
	require.NoError(s.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	deleted, err := kadm.NewClient(client).DeleteTopic(ctx, s.Name+".orders")
	require.NoError(s.t, err)
	require.NoError(s.t, deleted.Err)
	require.Eventually(s.t, func() bool { return s.Command("migrate").Code == 0 }, 20*time.Second, 100*time.Millisecond)
}

// TestDatabaseOfYesterday: an old backup was restored, in which a bucket has not begun the epoch that Redis and the topic
// have lived through. The statements that the log prints bring the engine back, and the topic the lost rows.
func TestDatabaseOfYesterday(t *testing.T) {
	const stock = 10
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(stock)))
	s.confirmed("before")
	s.backup()
	redis.MustDo(t, "SCRIPT", "FLUSH") // a new epoch
	s.sells(0, "after-1")
	s.sells(0, "after-2")
	s.audit("rush")
	s.stop()
	s.restore()

	s.Gateways[0].Restart()
	s.Settles[0].Restart()
	log := s.gaveUp(s.Settles[0])
	for _, part := range []string{"behind", "backup", "epoch", "UPDATE buckets"} {
		assert.Contains(t, log, part)
	}
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "lost"}).status == 503 }, 10*time.Second, 20*time.Millisecond)
	s.sellsNothing(0)

	s.stop()
	s.mend(log)
	s.Gateways[0].Restart()
	s.Settles[0].Restart()
	s.Gateways[0].Ready()
	for i := range stock - 3 {
		s.sells(0, fmt.Sprintf("rest-%d", i))
	}
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "late"}).json(s)["code"] == "sold_out" }, 10*time.Second,
		20*time.Millisecond)
	s.audit("rush")
	b := s.orderRows("rush")
	assert.Equal(t, stock, b.units["phone"])
	for _, buyer := range []string{"before", "after-1", "after-2"} {
		assert.Len(t, b.byBuyer[buyer+"/phone"], 1, "the topic still had what the backup lacked")
	}
}

// stop ends every process of ours.
func (s *stack) stop() {
	s.t.Helper()
	for _, g := range s.Gateways {
		g.Kill()
	}
	for _, w := range s.Settles {
		w.Kill()
	}
}
