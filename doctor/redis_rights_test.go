package doctor

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// documented is the line of the operators' page that gives the engine's user its rights.
func documented(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^ACL SETUSER flashsale .*$`).FindString(string(page))
	require.NotEmpty(t, line)
	return strings.NewReplacer("PASSWORD", "secret", "~flashsale:", "~doc:").Replace(line)
}

// The commands that are asked for are those of the page.
func TestCommandsAreThoseOfThePage(t *testing.T) {
	var granted, asked []string
	for _, word := range strings.Fields(documented(t)) {
		if name, is := strings.CutPrefix(word, "+"); is && name != "hello" {
			granted = append(granted, strings.ToUpper(strings.Replace(name, "|", " ", 1)))
		}
	}
	for _, line := range redisCommands() {
		asked = append(asked, commandName(line))
	}
	require.ElementsMatch(t, granted, asked)
}

// restricted is a Redis whose user has the rights of the page.
func restricted(t *testing.T) (*harness.RedisServer, Options) {
	t.Helper()
	server := harness.Redis(t, "--maxmemory", "1gb", "--tcp-keepalive", "60")
	server.MustDo(t, words(documented(t))...)
	return server, only(t, Options{RedisAddrs: []string{server.Addr}, RedisUsername: "flashsale", RedisPassword: "secret"}, Redis)
}

// With the rights of the page nothing is dangerous; what CONFIG would tell is unknown, and the line that the finding prints
// lets the doctor look.
func TestRedisRights(t *testing.T) {
	server, o := restricted(t)
	look := func() Report {
		return Report{Findings: inOrder(judgeRedis(lookAtRedis(t.Context(), o), salesFacts{}, o))}
	}
	r := look()
	require.Empty(t, dangers(r))
	require.Equal(t, OK, worst(t, r, Redis, "rights").Level)
	require.Equal(t, OK, worst(t, r, Redis, "eviction").Level, "INFO has it")
	fsync := worst(t, r, Redis, "fsync")
	require.Equal(t, Unknown, fsync.Level)
	require.Contains(t, fsync.Mend, "+config|get")
	typed(t, server, fsync.Mend)
	require.Equal(t, OK, worst(t, look(), Redis, "fsync").Level)

	for _, missing := range []string{"hset", "evalsha", "script|load", "eval", "info", "role"} {
		t.Run(missing, func(t *testing.T) {
			server.MustDo(t, "ACL", "SETUSER", "flashsale", "-"+missing)
			check := "rights"
			if missing == "info" || missing == "role" {
				check = "proxy"
			}
			found := worst(t, look(), Redis, check)
			require.Equal(t, Danger, found.Level, "%+v", found)
			typed(t, server, found.Mend)
			require.Empty(t, dangers(look()), "%s mends it", found.Mend)
		})
	}
	server.MustDo(t, "ACL", "SETUSER", "flashsale", "resetkeys", "~other:*")
	found := worst(t, look(), Redis, "rights")
	require.Equal(t, Danger, found.Level)
	require.Contains(t, found.Found, "GET")
	typed(t, server, found.Mend)
	require.Empty(t, dangers(look()))
	require.Empty(t, server.MustDo(t, "KEYS", "*"), "nothing is written")
}

// A command that the server does not have is told.
func TestRenamedCommand(t *testing.T) {
	server := harness.Redis(t, "--rename-command", "XDEL", "gone", "--rename-command", "CONFIG", "")
	o := only(t, Options{RedisAddrs: []string{server.Addr}}, Redis)
	r := Report{Findings: inOrder(judgeRedis(lookAtRedis(t.Context(), o), salesFacts{}, o))}
	found := worst(t, r, Redis, "rights")
	require.Equal(t, Danger, found.Level)
	require.Contains(t, found.Found, "XDEL")
	require.Equal(t, Unknown, worst(t, r, Redis, "fsync").Level)
}

// A user who cannot log in is told, and so is a server that does not answer in time.
func TestRedisThatDoesNotAnswer(t *testing.T) {
	server, o := restricted(t)
	o.RedisPassword = "wrong"
	for _, addr := range []string{server.Addr, harness.Address(t)} {
		o.RedisAddrs = []string{addr}
		facts := lookAtRedis(t.Context(), o)
		require.Error(t, facts.err)
		found := judgeRedis(facts, salesFacts{}, o)
		require.Len(t, found, 1)
		require.Equal(t, Danger, found[0].Level)
		require.Contains(t, found[0].Found, addr)
	}
}

// Replicas without min-replicas-to-write are a danger, and a replica is no server to sell from.
func TestReplicas(t *testing.T) {
	primary, replica := harness.Redis(t), harness.Redis(t)
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica.MustDo(t, "REPLICAOF", host, port)
	require.Eventually(t, func() bool { return primary.Info(t, "replication")["connected_slaves"] == "1" }, soon, often)
	look := func(addr string) Report {
		o := only(t, Options{RedisAddrs: []string{addr}}, Redis)
		return Report{Findings: inOrder(judgeRedis(lookAtRedis(t.Context(), o), salesFacts{}, o))}
	}
	found := worst(t, look(primary.Addr), Redis, "min_replicas")
	require.Equal(t, Danger, found.Level)
	typed(t, primary, found.Mend)
	require.Eventually(t, func() bool { return worst(t, look(primary.Addr), Redis, "min_replicas").Level == OK }, soon, often,
		"Redis counts good replicas once a second")
	replica.Kill()
	stalled := Finding{}
	require.Eventually(t, func() bool {
		stalled = worst(t, look(primary.Addr), Redis, "min_replicas")
		return stalled.Level == Danger
	}, soon, often, "no replica follows, so Redis refuses writes")
	typed(t, primary, stalled.Mend)
	require.Equal(t, OK, worst(t, look(primary.Addr), Redis, "min_replicas").Level)
	replica.Start()
	replica.MustDo(t, "REPLICAOF", host, port)
	found = worst(t, look(replica.Addr), Redis, "role")
	require.Equal(t, Danger, found.Level)
	require.Contains(t, found.Mend, primary.Addr)
}

// A cluster is read from one of its nodes; a slot that no node has is a danger.
func TestCluster(t *testing.T) {
	cluster := harness.RedisCluster(t, 3, "--maxmemory", "1gb", "--tcp-keepalive", "60")
	o := only(t, Options{RedisAddrs: []string{cluster[1].Addr}}, Redis)
	look := func() ([]Finding, Report) {
		found := inOrder(judgeRedis(lookAtRedis(t.Context(), o), salesFacts{}, o))
		return found, Report{Findings: found}
	}
	found, r := look()
	require.Empty(t, dangers(r))
	for _, node := range cluster {
		require.True(t, slices.ContainsFunc(found, func(f Finding) bool { return strings.HasPrefix(f.Found, node.Addr) }),
			node.Addr)
	}
	cluster[0].MustDo(t, "CLUSTER", "DELSLOTS", "0")
	require.Eventually(t, func() bool { _, r = look(); return len(dangers(r)) > 0 }, soon, often)
	require.Equal(t, Danger, worst(t, r, Redis, "cluster").Level)
}
