package doctor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// healthyDatabase is a MySQL about which nothing is to be said.
func healthyDatabase(variables ...string) databaseFacts {
	f := databaseFacts{addr: "db:3306", name: "flashsale", account: "'flashsale'@'%'", charset: "utf8mb4",
		tables: []tableFacts{{"orders", "InnoDB", "utf8mb4_bin"}}, status: map[string]string{},
		session: map[string]string{"transaction_isolation": "READ-COMMITTED", "time_zone": "+00:00",
			"innodb_lock_wait_timeout": "5", "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"},
		variables: map[string]string{"version": "8.4.3", "version_comment": "MySQL Community Server", "autocommit": "ON",
			"innodb_flush_log_at_trx_commit": "1", "log_bin": "ON", "sync_binlog": "1", "binlog_format": "ROW",
			"innodb_doublewrite": "ON",
			"read_only":          "OFF", "max_allowed_packet": "67108864", "max_connect_errors": "1000000",
			"wait_timeout":          "28800",
			"innodb_force_recovery": "0", "max_connections": "400", "rpl_semi_sync_source_enabled": "OFF"}}
	for i := 0; i+1 < len(variables); i += 2 {
		f.variables[variables[i]] = variables[i+1]
	}
	return f
}

func TestJudgeDatabase(t *testing.T) {
	for _, f := range judgeDatabase(healthyDatabase(), Options{}) {
		require.Equal(t, OK, f.Level, "%+v", f)
	}
	with := func(change func(*databaseFacts)) databaseFacts {
		f := healthyDatabase()
		change(&f)
		return f
	}
	galera := func(status string) databaseFacts {
		f := healthyDatabase("wsrep_on", "ON", "innodb_flush_log_at_trx_commit", "2")
		f.status = map[string]string{"wsrep_cluster_status": status, "wsrep_local_state_comment": "Synced"}
		return f
	}
	for _, c := range []struct {
		name, check string
		facts       databaseFacts
		want        Level
	}{
		{"old MySQL", "version", healthyDatabase("version", "5.7.44"), Warning},
		{"old MariaDB", "version", healthyDatabase("version", "10.6.2-MariaDB"), Warning},
		{"MariaDB", "version", healthyDatabase("version", "11.8.9-MariaDB"), OK},
		{"TiDB", "version", healthyDatabase("version", "8.0.11-TiDB-v8.5.1"), OK},
		{"old TiDB", "version", healthyDatabase("version", "5.7.25-TiDB-v6.1.0"), Warning},
		{"statements in the log", "binlog_format", healthyDatabase("binlog_format", "STATEMENT"), Danger},
		{"mixed", "binlog_format", healthyDatabase("binlog_format", "MIXED"), OK},
		{"a log that is not synced", "sync_binlog", healthyDatabase("sync_binlog", "0"), Warning},
		{"no log", "sync_binlog", healthyDatabase("log_bin", "OFF", "sync_binlog", "0"), ""},
		{"no double writes", "doublewrite", healthyDatabase("innodb_doublewrite", "OFF"), Warning},
		{"a recovery", "force_recovery", healthyDatabase("innodb_force_recovery", "3"), Danger},
		{"read only", "read_only", healthyDatabase("super_read_only", "1"), Danger},
		{"short statements", "statement_time", healthyDatabase("max_execution_time", "100"), Warning},
		{"no semi-sync", "semi_sync", with(func(f *databaseFacts) { f.status["slaves_connected"] = "2" }), Warning},
		{"semi-sync of none", "semi_sync", with(func(f *databaseFacts) {
			f.variables["rpl_semi_sync_source_enabled"], f.status["rpl_semi_sync_source_clients"] = "ON", "0"
		}), Warning},
		{"a replica", "replica", with(func(f *databaseFacts) { f.replica = replicaFacts{source: "db2", lag: "0"} }), Warning},
		{"a late replica", "replica", with(func(f *databaseFacts) { f.replica = replicaFacts{source: "db2", lag: "60"} }),
			Danger},
		{"a stopped replica", "replica", with(func(f *databaseFacts) { f.replica = replicaFacts{source: "db2", lag: "NULL"} }),
			Danger},
		{"Galera", "galera", galera("Primary"), OK},
		{"Galera", "flush", galera("Primary"), Warning},
		{"a lost node", "galera", galera("non-Primary"), Danger},
		{"a session that is not kept", "session", with(func(f *databaseFacts) { f.session["time_zone"] = "SYSTEM" }), Danger},
		{"a session of another isolation", "session", with(func(f *databaseFacts) {
			f.session["transaction_isolation"] = "REPEATABLE-READ"
		}), Danger},
		{"a session that cuts", "session", with(func(f *databaseFacts) { f.session["sql_mode"] = "" }), Danger},
		{"a session that is refused", "session", with(func(f *databaseFacts) { f.sessionErr = errors.New("no") }), Danger},
		{"an old schema", "schema", with(func(f *databaseFacts) { f.schemaErr = fmt.Errorf("%w: 3", sale.ErrSchema) }), Danger},
		{"a schema that cannot be read", "schema", with(func(f *databaseFacts) { f.schemaErr = errors.New("no") }), Unknown},
		{"many gateways", "max_connections", with(func(f *databaseFacts) { f.gateways = 40 }), Warning},
		{"rights that cannot be asked for", "rights", with(func(f *databaseFacts) { f.rights.err = errors.New("no") }), Unknown},
		{"no rights to migrate", "migrate_rights", with(func(f *databaseFacts) { f.rights.ddl = []string{"ALTER"} }), OK},
	} {
		assert.Equal(t, c.want, level(judgeDatabase(c.facts, Options{}), c.check), c.name)
	}
	require.Equal(t, Danger, level(judgeDatabase(healthyDatabase(), Options{BatchBytes: 16<<20 + 1}), "max_packet"),
		"a batch of the settings needs more than 64 MiB")
}

func TestNumberOfAnError(t *testing.T) {
	require.Equal(t, uint16(1142), number(fmt.Errorf("x: %w", &mysql.MySQLError{Number: 1142})))
	require.Zero(t, number(errors.New("another")))
}

// healthyKafka is three brokers with the engine's topics.
func healthyKafka() kafkaFacts {
	var facts kafkaFacts
	for id := range int32(3) {
		facts.brokers = append(facts.brokers, brokerFacts{id: id, addr: fmt.Sprintf("b%d:9092", id), settings: map[string]string{
			"auto.create.topics.enable": "false", "offsets.retention.minutes": "10080"}})
	}
	facts.controllers = 3
	topic := func(name string) topicFacts {
		return topicFacts{name: name, partitions: []partitionFacts{{0, 1, []int32{0, 1, 2}, []int32{0, 1, 2}}},
			settings: map[string]string{
				"min.insync.replicas": "2", "unclean.leader.election.enable": "false", "retention.ms": "-1",
				"retention.bytes": "-1",
				"cleanup.policy":  "delete", "max.message.bytes": "2097152", "message.timestamp.type": "LogAppendTime"}}
	}
	facts.topics = []topicFacts{topic("f.orders")}
	offsets := topic(offsetsTopic)
	facts.offsets = &offsets
	return facts
}

func TestJudgeKafka(t *testing.T) {
	o := Options{Topics: Topics{"f.orders", "f.dead", "f.events"}, Partitions: 1, KafkaBrokers: []string{"b0:9092", "b1:9092"}}
	for _, f := range judgeKafka(healthyKafka(), databaseFacts{}, o) {
		require.Equal(t, OK, f.Level, "%+v", f)
	}
	orders := func(change func(*partitionFacts)) func(*kafkaFacts) {
		return func(f *kafkaFacts) { change(&f.topics[0].partitions[0]) }
	}
	setting := func(name, value string) func(*kafkaFacts) {
		return func(f *kafkaFacts) { f.topics[0].settings[name] = value }
	}
	for _, c := range []struct {
		name, check string
		change      func(*kafkaFacts)
		want        Level
	}{
		{"a broker that is away", "brokers", func(f *kafkaFacts) { f.brokers[1].err = errors.New("refused") }, Danger},
		{"topics by " +
			"themselves", "auto_create", func(f *kafkaFacts) { f.brokers[0].settings["auto.create.topics.enable"] = "true" },
			Warning},
		{"settings of brokers", "auto_create", func(f *kafkaFacts) { f.brokers[0].settings = nil }, Unknown},
		{"a lone controller", "controllers", func(f *kafkaFacts) { f.controllers = 1 }, Warning},
		{"controllers", "controllers", func(f *kafkaFacts) { f.controllersErr = errors.New("no") }, Unknown},
		{"one copy", "replication", orders(func(p *partitionFacts) { p.replicas, p.isr = p.replicas[:1], p.isr[:1] }), Danger},
		{"two copies", "replication", orders(func(p *partitionFacts) { p.replicas, p.isr = p.replicas[:2], p.isr[:2] }), Warning},
		{"a copy behind", "in_sync", orders(func(p *partitionFacts) { p.isr = p.isr[:2] }), Warning},
		{"two copies behind", "in_sync", orders(func(p *partitionFacts) { p.isr = p.isr[:1] }), Danger},
		{"no leader", "in_sync", orders(func(p *partitionFacts) { p.leader = -1 }), Danger},
		{"an acknowledgement of one", "min_insync", setting("min.insync.replicas", "1"), Danger},
		{"an acknowledgement of all", "min_insync", setting("min.insync.replicas", "3"), Warning},
		{"an acknowledgement of more", "min_insync", setting("min.insync.replicas", "4"), Danger},
		{"a policy of both", "cleanup_policy", setting("cleanup.policy", "compact,delete"), Danger},
		{"settings of a topic", "topic_settings", func(f *kafkaFacts) { f.topics[0].settings = nil }, Unknown},
		{"a topic", "topic", func(f *kafkaFacts) { f.topics[0].err = errors.New("no") }, Unknown},
		{"offsets of one copy", "offsets_topic", func(f *kafkaFacts) {
			f.offsets.partitions[0].replicas = []int32{1}
		}, Warning},
		{"offsets of an " +
			"hour", "offsets_retention", func(f *kafkaFacts) { f.brokers[2].settings["offsets.retention.minutes"] = "60" },
			Warning},
	} {
		facts := healthyKafka()
		c.change(&facts)
		assert.Equal(t, c.want, level(judgeKafka(facts, databaseFacts{}, o), c.check), c.name)
	}
	long := databaseFacts{sales: salesFacts{open: []saleFacts{{lasts: 8 * 24 * time.Hour}}}}
	require.Equal(t, Warning, level(judgeKafka(healthyKafka(), long, o), "offsets_retention"), "a sale of eight days")
}
