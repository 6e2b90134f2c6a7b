package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMain(m *testing.M) { Main(m) }

func TestRedisKeepsItsDataWhenKilled(t *testing.T) {
	s := Redis(t, "--appendfsync", "always")
	s.MustDo(t, "SET", "a", "1")
	first := s.PID()
	s.Kill()
	_, err := s.Do("PING")
	require.Error(t, err)
	s.Start()
	assert.NotEqual(t, first, s.PID())
	assert.Equal(t, "1", s.MustDo(t, "GET", "a"))
	s.Stop()
	s.Start()
	assert.Equal(t, "1", s.MustDo(t, "GET", "a"))
}

func TestRedisPauses(t *testing.T) {
	s := Redis(t)
	s.Pause()
	answered := make(chan any, 1)
	go func() {
		answer, err := s.Do("PING")
		if err != nil {
			answer = err
		}
		answered <- answer
	}()
	select {
	case answer := <-answered:
		t.Fatalf("a paused server answered %v", answer)
	case <-time.After(100 * time.Millisecond): // long for a server that answers in microseconds
	}
	s.Continue()
	assert.Equal(t, "PONG", <-answered)
}

func TestRepliesOfEveryType(t *testing.T) {
	s := Redis(t)
	assert.Equal(t, "OK", s.MustDo(t, "SET", "n", "41"))
	assert.Equal(t, int64(42), s.MustDo(t, "INCR", "n"))
	assert.Nil(t, s.MustDo(t, "GET", "absent"))
	assert.Equal(t, []any{"42", nil}, s.MustDo(t, "MGET", "n", "absent"))
	assert.Equal(t, "two\r\nlines", s.MustDo(t, "ECHO", "two\r\nlines"))
	_, err := s.Do("LPUSH", "n", "1")
	assert.ErrorContains(t, err, "WRONGTYPE")
}

func TestRedisClusterServesEverySlot(t *testing.T) {
	nodes := RedisCluster(t, 3)
	served := 0
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		for _, node := range nodes {
			if _, err := node.Do("SET", key, "1"); err == nil {
				served++
			}
		}
	}
	assert.Equal(t, 6, served, "each key has one master")
	nodes[2].Kill()
	nodes[2].Start()
}

func TestMariaDBKeepsItsRowsWhenKilled(t *testing.T) {
	s := MariaDB(t)
	db := s.Open(t, t.Name())
	_, err := db.Exec("CREATE TABLE a (id INT PRIMARY KEY)")
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO a VALUES (1), (2)")
	require.NoError(t, err)
	s.Kill()
	require.Error(t, s.exec("SELECT 1"))
	s.Start()
	var rows int
	require.NoError(t, s.Open(t, t.Name()).QueryRow("SELECT COUNT(*) FROM a").Scan(&rows))
	assert.Equal(t, 2, rows)
}

func TestEachTestHasItsSchema(t *testing.T) {
	s := SharedMariaDB(t)
	assert.Equal(t, s.DSN("one"), s.DSN("one"), "the second call keeps what is there")
	assert.NotEqual(t, s.DSN("one"), s.DSN("two"))
	assert.Contains(t, s.DSN("Test/With Words"), "/test_with_words")
	assert.NotContains(t, s.DSN("x"), "parseTime", "a DSN as an operator writes it")
}

func TestKafkaKeepsItsRecordsWhenKilled(t *testing.T) {
	s := Kafka(t, "-Xmx256m") // the options that come last win
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics("kept"))
	require.NoError(t, err)
	defer client.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "kept", 1, 1
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, topic)
	_, err = create.RequestWith(ctx, client)
	require.NoError(t, err)
	require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "kept", Value: []byte("v")}).FirstErr())
	s.Kill()
	require.Error(t, accepts(s.Brokers[0]))
	s.Start()
	fetched := client.PollFetches(ctx)
	require.NoError(t, fetched.Err())
	assert.Equal(t, "v", string(fetched.Records()[0].Value))
}
