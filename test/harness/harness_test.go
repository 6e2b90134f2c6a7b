package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

func TestRedis(t *testing.T) {
	s := Redis(t)
	s.MustDo(t, "SET", "a", "1")
	s.Kill()
	_, err := s.Do("PING")
	require.Error(t, err)
	s.Start()
	require.Equal(t, "1", s.MustDo(t, "GET", "a"))
}

func TestCluster(t *testing.T) {
	nodes := RedisCluster(t, 3)
	require.Len(t, nodes, 3)
}

func TestMariaDB(t *testing.T) {
	s := MariaDB(t)
	db := s.Open(t, t.Name())
	_, err := db.Exec("CREATE TABLE a (id INT PRIMARY KEY)")
	require.NoError(t, err)
	s.Kill()
	s.Start()
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM a").Scan(&n))
}

func TestKafka(t *testing.T) {
	s := Kafka(t)
	s.Kill()
	s.Start()
	require.NoError(t, s.serves())
}

func TestShared(t *testing.T) {
	require.Equal(t, "PONG", SharedRedis(t).MustDo(t, "PING"))
	require.Equal(t, SharedMariaDB(t).DSN("x"), SharedMariaDB(t).DSN("x"))
	require.NoError(t, SharedKafka(t).serves())
}
