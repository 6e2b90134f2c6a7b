package stack

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"flashsale/test/harness"
)

// Credentials of every deployment.
const (
	Secret     = "0123456789abcdef0123456789abcdef-tests" // of the buyers' tokens, HS256
	AdminToken = "operators-token-tests"
	ShopToken  = "the-shops-token-tests"
)

// Options describe the servers of a deployment and how it differs from the default one. The zero Options are usable.
type Options struct {
	Name      string                 // namespace and schema; "" is a name of its own for each call
	Redis     []*harness.RedisServer // nil: the shared one. More than one are the nodes of a cluster
	Sentinels *harness.Sentinels     // nil: the shared ones, or none. With them Redis is what they watch
	Kafka     *harness.KafkaServer   // nil: the shared one
	MariaDB   *harness.MariaDBServer // nil: the shared one
	Env       []string               // further settings, "FLASHSALE_…=…", of every process and command; they win
	Build     harness.Build          // the binary; the zero Build is the shipped one
	Wires     *Wires                 // nil: processes and buyers connect directly. With wires Redis is one server
	Clocks    bool                   // processes have clocks that SetClock moves; Build needs clock.Overlay
	Armed     *CrashPoint            // where every process kills itself; Build needs the tag "faults"
}

// complete fills in what the caller left out.
func (o Options) complete(t testing.TB) Options {
	t.Helper()
	if o.Name == "" { // each run has its own, because a server from the environment keeps the data of earlier runs
		o.Name = strings.ToLower(t.Name()) + "-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	}
	if o.Sentinels == nil && o.Redis == nil {
		o.Sentinels = harness.SharedSentinels(t)
	}
	if o.Sentinels != nil {
		o.Redis = []*harness.RedisServer{o.Sentinels.Nodes[0]}
	}
	if o.Redis == nil {
		o.Redis = harness.SharedRedisNodes(t)
	}
	if o.Kafka == nil {
		o.Kafka = harness.SharedKafka(t)
	}
	if o.MariaDB == nil {
		o.MariaDB = harness.SharedMariaDB(t)
	}
	return o
}

// environment returns the settings that every process and command has.
func (o Options) environment() []string {
	redis := make([]string, len(o.Redis))
	for i, node := range o.Redis {
		redis[i] = node.Addr
	}
	if o.Sentinels != nil {
		redis = o.Sentinels.Addrs()
		o.Env = append([]string{"FLASHSALE_REDIS_SENTINEL_MASTER=" + harness.SentinelName}, o.Env...)
	}
	return append([]string{
		"FLASHSALE_NAMESPACE=" + o.Name,
		"FLASHSALE_REDIS_ADDRS=" + strings.Join(redis, ","),
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(o.Kafka.Brokers, ","),
		"FLASHSALE_MYSQL_DSN=" + o.MariaDB.DSN(o.Name),
		"FLASHSALE_ADMIN_TOKEN=" + AdminToken,
		"FLASHSALE_SHOP_TOKEN=" + ShopToken,
		"FLASHSALE_AUTH_HS256_SECRET=" + Secret,
	}, o.Env...)
}
