package harness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheEnvironmentChoosesKinds(t *testing.T) {
	t.Setenv(ServersVariable, "")
	for role, first := range map[string]string{RoleDatabase: "mariadb-10.11", RoleRedis: "redis-7.0", RoleKafka: "kafka-4.1"} {
		kind, err := Chosen(role)
		require.NoError(t, err)
		assert.Equal(t, first, kind.Name)
	}
	t.Setenv(ServersVariable, " redis=valkey-9.1 ,database=mysql-9.7,")
	for role, chosen := range map[string]string{RoleDatabase: "mysql-9.7", RoleRedis: "valkey-9.1", RoleKafka: "kafka-4.1"} {
		kind, err := Chosen(role)
		require.NoError(t, err)
		assert.Equal(t, chosen, kind.Name)
	}
	t.Setenv(ServersVariable, "redis=mysql-9.7")
	_, err := Chosen(RoleRedis)
	require.EqualError(t, err, `FLASHSALE_TEST_SERVERS: redis="mysql-9.7" is none of redis-7.0, redis-7.0-cluster, `+
		`redis-7.0-sentinel, redis-8.0, redis-8.0-cluster, valkey-9.1, valkey-9.1-cluster`)
	t.Setenv(ServersVariable, "mysql=mysql-9.7")
	_, err = Chosen(RoleRedis)
	require.EqualError(t, err, `FLASHSALE_TEST_SERVERS: "mysql" is not a role: database, redis or kafka`)
}

// TestEveryKindHasAServer: a kind that nothing can start would fail only in the run that chooses it.
func TestEveryKindHasAServer(t *testing.T) {
	for _, kind := range Kinds() {
		name := kind.base()
		has := false
		switch kind.Role {
		case RoleDatabase:
			_, has = databaseEngines[name]
			has = has || name == galeraKind
		case RoleRedis:
			_, has = redisReleases[name]
			has = has || name == "redis-7.0"
		case RoleKafka:
			_, has = kafkaVersions[name]
		}
		assert.True(t, has, kind.Name)
	}
}

func TestAReleaseThatMovedOnIsNamed(t *testing.T) {
	kind, err := kindOf(RoleRedis, "valkey-9.1")
	require.NoError(t, err)
	require.NoError(t, kind.suits("9.1.2"))
	require.EqualError(t, kind.suits("9.2.0"),
		"valkey-9.1 is version 9.2.0: its source has moved on, and 9.2.0 needs a row of its own")
}

// TestChosenServersServe starts a server of each chosen kind, which fetches or builds what is missing, and logs its version:
// a run of the suites on other servers begins with it, and reads the lines.
func TestChosenServersServe(t *testing.T) {
	t.Logf("database is %s", must(t, MariaDB(t).version))
	redis := Redis(t)
	assert.Equal(t, "PONG", redis.MustDo(t, "PING"))
	t.Logf("redis is %s", redis.version())
	installed := must(t, chosenKafka)
	require.NoError(t, Kafka(t).serves())
	t.Logf("kafka is %s", kafkaVersionIn(installed.libs))
}

func must[T any](t *testing.T, ask func() (T, error)) T {
	t.Helper()
	answer, err := ask()
	require.NoError(t, err)
	return answer
}
