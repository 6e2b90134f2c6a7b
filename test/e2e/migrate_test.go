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

// TestMigrateInAShopsSchema: in a schema with the shop's own orders migrate changes nothing, names the tables, and prints
// what to do.
func TestMigrateInAShopsSchema(t *testing.T) {
	mariadb := harness.SharedMariaDB(t)
	name := t.Name()
	db := mariadb.Open(t, name)
	for _, statement := range []string{
		"CREATE TABLE orders (id INT PRIMARY KEY)", "CREATE TABLE items (id INT PRIMARY KEY)",
		"CREATE TABLE events (id INT PRIMARY KEY)",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	result := harness.Run(t, "", harness.Binary(t), []string{"FLASHSALE_MYSQL_DSN=" + mariadb.DSN(name)}, "migrate")
	assert.Equal(t, 1, result.Code, result.Stderr)
	assert.Empty(t, result.Stdout)
	assert.Contains(t, result.Stderr, "events, items, orders;")
	assert.Contains(t, result.Stderr, "a schema of its own")
	var tables int
	require.NoError(t,
		db.QueryRow("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&tables))
	assert.Equal(t, 3, tables)
}

// TestMigrateKeepsAHandSetRetention: migrate creates topics without a limit, leaves one that an operator sets on a topic
// afterwards, and names it.
func TestMigrateKeepsAHandSetRetention(t *testing.T) {
	mariadb, kafka := harness.SharedMariaDB(t), harness.SharedKafka(t)
	name := fmt.Sprintf("hand-set-%d", time.Now().UnixNano())
	mariadb.Open(t, name)
	environ := []string{"FLASHSALE_MYSQL_DSN=" + mariadb.DSN(name), "FLASHSALE_NAMESPACE=" + name,
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(kafka.Brokers, ",")}
	migrate := func() string {
		result := harness.Run(t, "", harness.Binary(t), environ, "migrate")
		require.Equal(t, 0, result.Code, result.Stderr)
		return result.Stdout
	}
	assert.Equal(t, "schema and topics are up to date\n", migrate())
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	week := "604800000"
	altered, err := kadm.NewClient(client).AlterTopicConfigs(ctx,
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &week}}, name+".orders")
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	shown := func(topic string) (value string) {
		described, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topic)
		require.NoError(t, err)
		found, err := described.On(topic, nil)
		require.NoError(t, err)
		for _, config := range found.Configs {
			if config.Key == "retention.ms" {
				value = config.MaybeValue()
			}
		}
		return value
	}
	require.Eventually(t, func() bool { return shown(name+".orders") == week }, 10*time.Second, 10*time.Millisecond,
		"the broker knows its own change a moment later")
	for range 2 {
		assert.Equal(t, "topic "+name+".orders retention.ms=604800000 stays as it is set: kafka deletes records beyond it, "+
			"settled or not\nschema and topics are up to date\n", migrate())
	}
	for topic, want := range map[string]string{name + ".orders": week, name + ".events": "-1"} {
		assert.Equal(t, want, shown(topic), topic)
	}
}
