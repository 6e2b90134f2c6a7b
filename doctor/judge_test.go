package doctor

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// level is the worst level of a check among findings; "" when there is none.
func level(found []Finding, check string) Level {
	for _, f := range inOrder(found) {
		if f.Check == check {
			return f.Level
		}
	}
	return ""
}

// healthyNode is a Redis about which nothing is to be said; fields replace those of INFO.
func healthyNode(fields ...string) *redisNode {
	n := &redisNode{addr: "redis:6379", role: "master", runIDs: []string{"a", "a"}, refuse: map[string]error{},
		rights: redisRights{asked: true},
		info: map[string]string{"redis_version": "7.0.15", "master_replid": "x", "role": "master", "aof_enabled": "1",
			"aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok", "aof_delayed_fsync": "0", "maxmemory": "1073741824",
			"maxmemory_policy": "noeviction", "total_system_memory": "8589934592", "used_memory": "1048576",
			"connected_slaves": "0"},
		config: map[string]string{"appendfsync": "everysec", "no-appendfsync-on-rewrite": "no", "save": "",
			"aof-load-truncated":    "yes",
			"min-replicas-to-write": "0", "timeout": "0", "tcp-keepalive": "60", "lua-time-limit": "1000"}}
	for i := 0; i+1 < len(fields); i += 2 {
		n.info[fields[i]] = fields[i+1]
	}
	return n
}

func judgedNode(n *redisNode, sales salesFacts) []Finding {
	o := Options{Namespace: "flashsale", JournalOrders: 100_000}
	return judgeRedis(redisFacts{nodes: []*redisNode{n}}, sales, o)
}

// A certificate is judged by the time that it has left.
func TestJudgedCertificates(t *testing.T) {
	now := time.Now()
	for left, want := range map[time.Duration]Level{-time.Hour: Danger, 13 * 24 * time.Hour: Warning, 15 * 24 * time.Hour: OK} {
		for _, authority := range []bool{false, true} {
			f := &findings{store: Machine}
			judgeCertificates(f, []Certificate{{"kafka.tls_ca_file", "/etc/ca.pem", authority, now.Add(left)}}, now)
			require.Len(t, f.all, 1)
			require.Equal(t, want, f.all[0].Level, left)
			require.Contains(t, f.all[0].Found, "kafka.tls_ca_file: /etc/ca.pem ends at ")
			require.Equal(t, want != OK, strings.Contains(f.all[0].Mend, "/etc/ca.pem"))
		}
	}
}

func TestJudgeRedis(t *testing.T) {
	for _, f := range judgedNode(healthyNode(), salesFacts{}) {
		require.Equal(t, OK, f.Level, "%+v", f)
		require.Empty(t, f.Mend)
	}
	refused := func(command, text string) *redisNode {
		n := healthyNode()
		n.refuse[command] = errors.New(text)
		return n
	}
	hidden := healthyNode()
	hidden.info = nil
	spread := healthyNode()
	spread.runIDs = []string{"a", "b"}
	for _, c := range []struct {
		name, check string
		node        *redisNode
		want        Level
	}{
		{"an old version", "version", healthyNode("redis_version", "6.2.1"), Warning},
		{"no version", "version", healthyNode("redis_version", ""), Unknown},
		{"Valkey", "version", healthyNode("redis_version", "7.2.4", "valkey_version", "9.1.2"), OK},
		{"no log", "persistence", healthyNode("aof_enabled", "0"), Danger},
		{"a failed write", "disk", healthyNode("aof_last_write_status", "err"), Danger},
		{"a failed rewrite", "disk", healthyNode("aof_last_bgrewrite_status", "err"), Warning},
		{"a slow disk", "disk", healthyNode("aof_delayed_fsync", "3"), Warning},
		{"no policy", "eviction", healthyNode("maxmemory_policy", ""), Unknown},
		{"no limits", "memory", healthyNode("used_memory", ""), Unknown},
		{"more than the machine", "memory_limit", healthyNode("maxmemory", "9589934592"), Danger},
		{"no replication id", "proxy", healthyNode("master_replid", ""), Danger},
		{"no INFO", "proxy", hidden, Danger},
		{"two servers", "proxy", spread, Danger},
		{"INFO unknown to a proxy", "proxy", refused("INFO", "ERR unknown command"), Danger},
		{"ROLE unknown to a proxy", "proxy", refused("ROLE", "ERR unknown command"), Danger},
		{"EVAL in another form", "rights", refused("EVAL", "ERR of another kind"), Unknown},
		{"a promise of replicas", "min_replicas", healthyNode("min_slaves_good_slaves", "0"), Danger},
		{"replicas without a promise", "min_replicas", healthyNode("connected_slaves", "1"), Danger},
		{"a replica", "role", healthyNode("role", "slave", "master_host", "other", "master_port", "1"), Danger},
		{"a lost primary", "replica_link", healthyNode("role", "slave", "master_link_status", "down"), Warning},
	} {
		assert.Equal(t, c.want, level(judgedNode(c.node, salesFacts{}), c.check), c.name)
	}
}

// The settings that CONFIG alone tells are unknown without it, each with the right that it takes.
func TestJudgeRedisWithoutConfig(t *testing.T) {
	n := healthyNode()
	n.config = nil
	n.refuse["CONFIG"] = errors.New("NOPERM no permission")
	found := judgedNode(n, salesFacts{})
	for _, check := range []string{"fsync", "fsync_on_rewrite", "snapshots", "cut_log", "idle_timeout", "keepalive",
		"script_time"} {
		require.Equal(t, Unknown, level(found, check), check)
	}
	for _, f := range found {
		require.NotEqual(t, Danger, f.Level, "%+v", f)
		if f.Level == Unknown {
			require.Contains(t, f.Mend, "ACL SETUSER default '+config|get'")
			require.Contains(t, f.Found, "NOPERM")
		}
	}
}

func TestJudgeCluster(t *testing.T) {
	for _, c := range []struct {
		state, slots, size string
		want               Level
	}{{"ok", "16384", "3", OK}, {"ok", "16384", "2", Warning}, {"ok", "16383", "3", Danger}, {"fail", "16384", "3", Danger},
		{"", "", "", Unknown}} {
		n := healthyNode()
		n.cluster = map[string]string{"cluster_state": c.state, "cluster_slots_assigned": c.slots, "cluster_size": c.size}
		require.Equal(t, c.want, level(judgedNode(n, salesFacts{}), "cluster"), "%+v", c)
	}
}

// The memory of a sale is that of its units that are not sold, of its list until it is loaded, and of the journals.
func TestMemoryOfASale(t *testing.T) {
	require.Equal(t, demand{orders: 1000, journaled: 1000, listed: 70},
		demandOf(salesFacts{open: []saleFacts{{buckets: 1, unsold: 1000, listed: 70}}}, 3, 100_000),
		"one bucket is on one primary")
	require.Equal(t, demand{orders: 500, journaled: 40}, demandOf(salesFacts{open: []saleFacts{
		{buckets: 4, unsold: 1000, listed: 70, listLoaded: true}}}, 2, 20), "two of four buckets, whose journals take 20 each")
	require.Zero(t, demandOf(salesFacts{}, 1, 100_000))
	sold := func(units int64) salesFacts { return salesFacts{open: []saleFacts{{buckets: 1, unsold: units}}} }
	for _, c := range []struct {
		units int64
		limit string
		want  Level
	}{
		{1_000_000, "1073741824", OK}, {4_000_000, "1073741824", Warning}, {7_000_000, "1073741824", Danger},
		{4_000_000, "0", OK}, {40_000_000, "0", Warning}, {70_000_000, "0", Danger},
	} {
		require.Equal(t, c.want, level(judgedNode(healthyNode("maxmemory", c.limit), sold(c.units)), "memory"), "%+v", c)
	}
	require.Equal(t, Unknown, level(judgedNode(healthyNode(), salesFacts{err: errors.New("away")}), "memory"))
}

func TestJudgeClocks(t *testing.T) {
	at := func(ahead time.Duration) clockReading { return clockReading{known: true, ahead: ahead} }
	for _, c := range []struct {
		ahead time.Duration
		want  Level
	}{{0, OK}, {500 * time.Millisecond, OK}, {-501 * time.Millisecond, Warning}, {2 * time.Second, Warning},
		{-2001 * time.Millisecond, Danger}, {time.Hour, Danger}} {
		all := clocks{redis: at(time.Minute), of: "redis:1", others: []clock{{check: "database",
			reading: at(time.Minute + c.ahead)}}}
		require.Equal(t, c.want, level(judgeClocks(all), "database"), c.ahead)
	}
	unread := clocks{redis: at(0), others: []clock{{check: "database", unknown: "away"}}}
	require.Equal(t, Unknown, level(judgeClocks(unread), "database"))
	require.Equal(t, Unknown, level(judgeClocks(clocks{}), "redis"))
	second := redisFacts{nodes: []*redisNode{{addr: "a:1", clock: at(0)}, {addr: "b:1", clock: at(3 * time.Second)}}}
	require.Equal(t, Danger, level(judgeClocks(readClocks(second, kafkaFacts{}, databaseFacts{}, time.Now())), "redis"))
}

// The reading with the shortest way is kept, and half of the way is taken off.
func TestClockReading(t *testing.T) {
	sent := time.Unix(100, 0)
	var c clockReading
	c.keep(time.Unix(105, 0), sent, sent.Add(2*time.Second))
	require.Equal(t, 4*time.Second, c.ahead)
	c.keep(time.Unix(200, 0), sent, sent.Add(3*time.Second))
	require.Equal(t, 4*time.Second, c.ahead, "a longer way")
	c.keep(time.Unix(103, 0), sent, sent)
	require.Equal(t, 3*time.Second, c.ahead)
}

func TestJudgeMachine(t *testing.T) {
	loopback := Options{GatewayListen: "127.0.0.1:8080", AdminListen: "127.0.0.1:8081", SettleListen: "127.0.0.1:8082",
		MaxConnections: 100}
	for _, c := range []struct {
		name, check string
		change      func(*Options, *machineFacts)
		want        Level
	}{
		{"few files", "open_files", func(_ *Options, f *machineFacts) { f.descriptors = 1099 }, Warning},
		{"enough files", "open_files", func(_ *Options, f *machineFacts) { f.descriptors = 1100 }, OK},
		{"no limit", "open_files", func(_ *Options, f *machineFacts) { f.descriptors = math.MaxUint64 }, OK},
		{"another program", "gateway_listen", func(_ *Options, f *machineFacts) {
			f.listeners = []listenerFacts{{setting: "gateway.listen", addr: "127.0.0.1:8080", err: syscall.EADDRINUSE}}
		}, Danger},
		{"the engine's own", "gateway_listen", func(_ *Options, f *machineFacts) {
			f.listeners = []listenerFacts{{setting: "gateway.listen", addr: "127.0.0.1:8080", err: syscall.EADDRINUSE,
				ours: true}}
		}, OK},
		{"no address of this machine", "gateway_listen", func(_ *Options, f *machineFacts) {
			f.listeners = []listenerFacts{{setting: "gateway.listen", addr: "192.0.2.1:8080", err: syscall.EADDRNOTAVAIL}}
		}, Danger},
		{"operators on a public address", "operators_listener", func(o *Options,
			_ *machineFacts) {
			o.AdminListen = "8.8.8.8:8081"
		}, Danger},
		{"operators everywhere, a public machine", "operators_listener", func(o *Options, f *machineFacts) {
			o.AdminListen, f.public = ":8081", true
		}, Danger},
		{"operators everywhere, a private machine", "operators_listener", func(o *Options,
			_ *machineFacts) {
			o.AdminListen = "0.0.0.0:8081"
		}, Warning},
		{"operators on a private address", "operators_listener", func(o *Options,
			_ *machineFacts) {
			o.AdminListen = "10.1.2.3:8081"
		}, OK},
		{"operators on a name", "operators_listener", func(o *Options, _ *machineFacts) { o.AdminListen = "operators:8081" }, OK},
		{"probes on a public address", "settle_listener", func(o *Options,
			_ *machineFacts) {
			o.SettleListen = "[2600::1]:8082"
		}, Warning},
		{"no proxies named", "trusted_proxies", func(o *Options, _ *machineFacts) { o.GatewayListen = ":8080" }, Warning},
		{"proxies named", "trusted_proxies", func(o *Options, _ *machineFacts) {
			o.GatewayListen, o.TrustedProxies = ":8080", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, OK},
		{"everyone trusted", "trusted_proxies", func(o *Options, _ *machineFacts) {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}, Danger},
	} {
		o, f := loopback, machineFacts{descriptors: 20_000}
		c.change(&o, &f)
		assert.Equal(t, c.want, level(judgeMachine(f, o), c.check), c.name)
	}
	for _, f := range judgeMachine(machineFacts{descriptors: 20_000}, loopback) {
		require.Equal(t, OK, f.Level, "%+v", f)
	}
}

func TestPrint(t *testing.T) {
	var out strings.Builder
	r := Report{Findings: inOrder([]Finding{
		{Store: Kafka, Check: "topic", Level: OK}, {Store: Redis, Check: "version", Level: OK},
		{Store: Redis, Check: "disk", Level: Warning, Found: "slow", Why: "it waits", Mend: "iostat"},
		{Store: Redis, Check: "version", Level: OK},
		{Store: Redis, Check: "a", Level: Danger, Found: "one", Why: "both", Mend: "line"},
		{Store: Redis, Check: "a", Level: Danger, Found: "two", Why: "both", Mend: "line"},
	})}
	require.NoError(t, Print(&out, r))
	require.Contains(t, out.String(), `REDIS: 2 danger, 1 warning, 2 ok
  danger   a: one
  danger   a: two
           both
           > line
  warning  disk: slow
           it waits
           > iostat
  ok       version

KAFKA: 1 ok
  ok       topic
`)
	require.Contains(t, out.String(), "until the server restarts")
	require.True(t, r.Dangerous())
	require.False(t, Report{}.Dangerous())
}
