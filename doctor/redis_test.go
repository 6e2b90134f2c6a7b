package doctor

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// A Redis with the settings of deploy/redis.conf has nothing dangerous and nothing to warn of.
func TestRedisOfTheProjectsFile(t *testing.T) {
	text, err := os.ReadFile("../deploy/redis.conf")
	require.NoError(t, err)
	var args []string
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found && name != "#" {
			args = append(args, "--"+name, strings.Trim(value, `"`))
		}
	}
	server := harness.Redis(t, args...)
	o := only(t, Options{RedisAddrs: []string{server.Addr}}, Redis)
	facts := lookAtRedis(t.Context(), o)
	for _, f := range judgeRedis(facts, salesFacts{}, o) {
		require.Contains(t, []Level{OK}, f.Level, "%+v", f)
	}
}

// redisFaults sets one dangerous setting after the other.
var redisFaults = []struct {
	check string
	level Level
	set   string
}{
	{"persistence", Danger, "CONFIG SET appendonly no"},
	{"fsync", Danger, "CONFIG SET appendfsync no"},
	{"fsync_on_rewrite", Warning, "CONFIG SET no-appendfsync-on-rewrite yes"},
	{"snapshots", Warning, "CONFIG SET save '900 1'"},
	{"cut_log", Warning, "CONFIG SET aof-load-truncated no"},
	{"eviction", Danger, "CONFIG SET maxmemory-policy allkeys-lru"},
	{"memory_limit", Warning, "CONFIG SET maxmemory 0"},
	{"memory_limit", Danger, "CONFIG SET maxmemory 102400gb"},
	{"memory", Danger, "CONFIG SET maxmemory 1500000"},
	{"min_replicas", Danger, "CONFIG SET min-replicas-to-write 1"},
	{"idle_timeout", Warning, "CONFIG SET timeout 30"},
	{"keepalive", Warning, "CONFIG SET tcp-keepalive 0"},
	{"script_time", Warning, "CONFIG SET lua-time-limit 0"},
	{"expiring_keys", Danger, "SET doc:{rush:0}:meta x EX 1000"},
}

func TestRedisSettings(t *testing.T) {
	server := harness.Redis(t, "--maxmemory", "1gb", "--tcp-keepalive", "60")
	o := only(t, Options{RedisAddrs: []string{server.Addr}}, Redis)
	sales := salesFacts{open: []saleFacts{{id: "rush", buckets: 1, unsold: 10_000}}}
	look := func() Report {
		return Report{Findings: inOrder(judgeRedis(lookAtRedis(t.Context(), o), sales, o))}
	}
	require.Empty(t, dangers(look()))
	for _, fault := range redisFaults {
		t.Run(fault.set, func(t *testing.T) {
			server.MustDo(t, words(fault.set)...)
			found := worst(t, look(), Redis, fault.check)
			require.Equal(t, fault.level, found.Level, "%+v", found)
			require.Contains(t, found.Found, server.Addr)
			require.NotEmpty(t, found.Why)
			typed(t, server, found.Mend)
			require.Equal(t, OK, worst(t, look(), Redis, fault.check).Level, "%s mends it", found.Mend)
		})
	}
	require.Empty(t, dangers(look()))
}
