package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSharedServersAreOneEach(t *testing.T) {
	assert.Same(t, SharedRedis(t), SharedRedis(t))
	assert.Same(t, SharedMariaDB(t), SharedMariaDB(t))
	assert.Equal(t, "PONG", SharedRedis(t).MustDo(t, "PING"))
	assert.Panics(t, SharedRedis(t).Kill, "a shared server serves other tests too")
	assert.Panics(t, func() { SharedMariaDB(t).Pause() })
}

// TestServersFromTheEnvironment: what the environment names is used, and is not ours to stop.
func TestServersFromTheEnvironment(t *testing.T) {
	redis, mariadb := Redis(t), MariaDB(t)
	require.True(t, Close(true), "begin without shared servers")
	t.Setenv("FLASHSALE_TEST_REDIS", redis.Addr)
	t.Setenv("FLASHSALE_TEST_MYSQL", "root@tcp("+mariadb.Addr+")/")
	t.Setenv("FLASHSALE_TEST_KAFKA", "a:1,b:2")
	assert.Equal(t, redis.Addr, SharedRedis(t).Addr)
	assert.Panics(t, SharedRedis(t).Stop)
	assert.Equal(t, []string{"a:1", "b:2"}, SharedKafka(t).Brokers)
	db := SharedMariaDB(t).Open(t, "foreign")
	var name string
	require.NoError(t, db.QueryRow("SELECT DATABASE()").Scan(&name))
	assert.Regexp(t, `^foreign_\d+$`, name, "two runs on one server do not meet")
	require.True(t, Close(true))
	var left int
	require.NoError(t, mariadb.Open(t, "other").QueryRow("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?",
		name).Scan(&left))
	assert.Zero(t, left, "the schemas of the run are dropped")
	assert.Equal(t, "PONG", redis.MustDo(t, "PING"))
}

func TestFoldersOfFailuresAreKept(t *testing.T) {
	for _, failed := range []bool{false, true} {
		l := &lasting{}
		dir := folder(l, "kept")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte("evidence"), 0o600))
		l.failed = failed
		for _, cleanup := range l.cleanups {
			cleanup()
		}
		assert.Equal(t, failed, isFile(filepath.Join(dir, "log")))
		require.NoError(t, os.RemoveAll(dir))
	}
}
