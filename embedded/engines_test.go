package embedded

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite" // the driver behind the DSN
)

const soon = 10 * time.Second

func start(t *testing.T, o Options) *Engines {
	t.Helper()
	e, err := Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestStartIsQuickAndTakesFreePorts(t *testing.T) {
	began := time.Now()
	first := start(t, Options{Dir: filepath.Join(t.TempDir(), "made", "by", "start")})
	require.Less(t, time.Since(began), 500*time.Millisecond)
	second := start(t, Options{Dir: t.TempDir()})
	require.NotEqual(t, first.RedisAddr, second.RedisAddr)
	require.NotEqual(t, first.KafkaBrokers, second.KafkaBrokers)
	for _, addr := range []string{first.RedisAddr, first.KafkaBrokers[0]} {
		host, _, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", host)
	}
}

func TestFixedPortsAndATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)

	dir := t.TempDir()
	for engine, o := range map[string]Options{
		"redis": {Dir: dir, RedisPort: number}, "kafka": {Dir: dir, KafkaPort: number},
	} {
		_, err = Start(o)
		var fault *PortError
		require.ErrorAs(t, err, &fault, engine)
		require.Equal(t, engine, fault.Engine)
		require.Equal(t, taken.Addr().String(), fault.Addr)
		require.ErrorContains(t, err, port)
	}

	e, err := Start(Options{Dir: dir}) // the failed Start has released the directory
	require.NoError(t, err)
	redis, kafka := portOf(t, e.RedisAddr), portOf(t, e.KafkaBrokers[0])
	require.NoError(t, e.Close())
	again := start(t, Options{Dir: dir, RedisPort: redis, KafkaPort: kafka})
	require.Equal(t, redis, portOf(t, again.RedisAddr))
	require.Equal(t, kafka, portOf(t, again.KafkaBrokers[0]))
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return number
}

func TestADirectoryHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	start(t, Options{Dir: dir})
	_, err := Start(Options{Dir: dir})
	require.ErrorContains(t, err, "is in use by another process")
}

func TestADirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Start(Options{Dir: filepath.Join(file, "below")})
	require.ErrorContains(t, err, "create data directory")
}

// redisDo runs one command and returns its answer in the form of the protocol.
func redisDo(t *testing.T, e *Engines, command ...string) string {
	t.Helper()
	client, err := proto.Dial(e.RedisAddr)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	answer, err := client.Do(command...)
	require.NoError(t, err)
	return answer
}

func redisMicros(t *testing.T, e *Engines, command ...string) int64 {
	t.Helper()
	parts, err := proto.ReadStrings(redisDo(t, e, command...))
	require.NoError(t, err)
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	require.NoError(t, err)
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	require.NoError(t, err)
	return seconds*1_000_000 + micros
}

// Sales open and close by this clock, so it must be the machine's and must advance, also for a script.
func TestRedisTimeRuns(t *testing.T) {
	e := start(t, Options{Dir: t.TempDir()})
	before := redisMicros(t, e, "TIME")
	require.InDelta(t, time.Now().UnixMicro(), before, 5e6)
	require.Eventually(t, func() bool {
		return redisMicros(t, e, "EVAL", "return redis.call('TIME')", "0") > before+1000
	}, soon, time.Millisecond)
}

func TestRedisKeysExpireByThemselves(t *testing.T) {
	e := start(t, Options{Dir: t.TempDir()})
	require.Equal(t, proto.Inline("OK"), redisDo(t, e, "SET", "lease", "me", "PX", "20"))
	require.Eventually(t, func() bool { return redisDo(t, e, "EXISTS", "lease") == proto.Int(0) }, soon, time.Millisecond)
}

// Every command and property of Redis on which the engine's scripts and roles depend.
func TestRedisHasWhatTheScriptsNeed(t *testing.T) {
	e := start(t, Options{Dir: t.TempDir()})
	const script = `
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'seq', '9007199254740993', 'available', '5')
redis.call('HSET', KEYS[2], 'a', 'x', 'b', 'y')
redis.call('XADD', KEYS[3], '1-7', 'r', 'bytes\n')
redis.call('XADD', KEYS[3], '10000000002-1234567890123456789', 'r', 'more')
local found = redis.call('HMGET', KEYS[2], unpack(ARGV, 1, 3))
redis.call('XDEL', KEYS[3], '1-7')
local info = redis.pcall('INFO', 'replication')
return {redis.call('HGET', KEYS[1], 'seq'), found[1], tostring(found[3]), redis.call('XLEN', KEYS[3]),
  type(info), tostring(tonumber(t[1]) > 0)}`
	keys := []string{"ns:{s:k:0}:meta", "ns:{s:k:0}:buyers", "ns:{s:k:0}:journal"}
	sha, err := proto.ReadString(redisDo(t, e, "SCRIPT", "LOAD", script))
	require.NoError(t, err)
	call := append(append([]string{"EVALSHA", sha, "3"}, keys...), "a", "b", "missing")
	require.Equal(t, proto.Array(
		proto.String("9007199254740993"), proto.String("x"), proto.String("false"), proto.Int(1),
		proto.String("table"), proto.String("true"),
	), redisDo(t, e, call...))

	require.Contains(t, redisDo(t, e, "XRANGE", keys[2], "-", "+"), "10000000002-1234567890123456789")
	require.Contains(t, redisDo(t, e, "EVALSHA", strings.Repeat("0", 40), "0"), "NOSCRIPT")
	require.Equal(t, proto.Ints(1, 0), redisDo(t, e, "SCRIPT", "EXISTS", sha, strings.Repeat("0", 40)))
	require.Equal(t, proto.Int(2), redisDo(t, e, "SADD", "ns:{s}:listed:1", "a", "b"))
	require.Equal(t, proto.Ints(1, 0), redisDo(t, e, "SMISMEMBER", "ns:{s}:listed:1", "a", "z"))
	require.Equal(t, proto.Int(2), redisDo(t, e, "SCARD", "ns:{s}:listed:1"))
	require.Contains(t, redisDo(t, e, "HSCAN", keys[1], "0", "COUNT", "100"), "x")
	require.Equal(t, proto.Int(1), redisDo(t, e, "UNLINK", keys[1]))
}

func TestRedisStartsEmpty(t *testing.T) {
	dir := t.TempDir()
	e, err := Start(Options{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, proto.Inline("OK"), redisDo(t, e, "SET", "key", "value"))
	require.NoError(t, e.Close())
	again := start(t, Options{Dir: dir})
	require.Equal(t, proto.Int(0), redisDo(t, again, "DBSIZE"))
}

func TestTheDatabaseFileOutlivesTheEngines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space, 100% & ?question#hash")
	for round := range 2 {
		e, err := Start(Options{Dir: dir})
		require.NoError(t, err)
		db, err := sql.Open("sqlite", e.DSN)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS kept (n INTEGER); INSERT INTO kept VALUES (1)")
		require.NoError(t, err)
		var rows int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM kept").Scan(&rows))
		require.Equal(t, round+1, rows)
		require.NoError(t, db.Close())
		require.NoError(t, e.Close())
	}
	require.FileExists(t, filepath.Join(dir, "flashsale.db"))
}

// kafkaClient returns a client that waits for every replica.
func kafkaClient(t testing.TB, e *Engines, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(e.KafkaBrokers...))...)
	require.NoError(t, err)
	return client
}

// readAll returns count values of a topic's only partition.
func readAll(t *testing.T, e *Engines, topic string, count int) []string {
	t.Helper()
	client := kafkaClient(t, e, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var values []string
	for len(values) < count && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// After Start only its owner can read the data directory, and Start refuses a directory that other users use.
func TestTheDataDirectoryIsPrivate(t *testing.T) {
	for name, inside := range map[string]string{"empty": "", "of a run before": databaseName} {
		dir := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(dir, 0o755))
		if inside != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, inside), nil, 0o644))
		}
		require.Equal(t, os.FileMode(0o755), modeOf(t, dir))
		start(t, Options{Dir: dir})
		require.Equal(t, os.FileMode(0o700), modeOf(t, dir), name)
	}
	foreign := filepath.Join(t.TempDir(), "home")
	require.NoError(t, os.Mkdir(foreign, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "letter"), nil, 0o644))
	_, err := Start(Options{Dir: foreign})
	require.ErrorContains(t, err, foreign)
	require.Equal(t, os.FileMode(0o755), modeOf(t, foreign))
	require.NoError(t, os.Chmod(foreign, 0o700)) // no other user uses it
	start(t, Options{Dir: foreign})
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}
