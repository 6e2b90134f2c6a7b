package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// faulty prepares servers that an audit can read, up to the topic, and returns the options for them.
func faulty(t *testing.T, schema string) Options {
	t.Helper()
	redis, kafka, mariadb := harness.SharedRedis(t), harness.SharedKafka(t), harness.SharedMariaDB(t)
	_, err := mariadb.Open(t, schema).Exec("CREATE TABLE sales (sale_id VARCHAR(9), per_buyer_sale_limit INT, " +
		"starts_at DATETIME, state VARCHAR(9))")
	require.NoError(t, err)
	return Options{DSN: mariadb.DSN(schema), Namespace: schema, Topic: schema + ".orders", RedisAddrs: []string{redis.Addr},
		KafkaBrokers: kafka.Brokers}
}

// faultOf returns the error of an audit.
func faultOf(t *testing.T, o Options) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	auditor, err := Open(o)
	if err == nil {
		_, err = auditor.Run(ctx, "")
		require.NoError(t, auditor.Close())
	}
	require.Error(t, err)
	return err.Error()
}

// Every error names the store, its address and the next step.
func TestFaultsNameStoreAndNextStep(t *testing.T) {
	o := faulty(t, "audit_faults")
	nowhere := harness.Address(t)
	redis, mariadb := harness.SharedRedis(t), harness.SharedMariaDB(t)
	db := mariadb.Open(t, "audit_faults_rights")
	for _, statement := range []string{
		"DROP USER IF EXISTS 'audit_blind'@'%'", "CREATE USER 'audit_blind'@'%' IDENTIFIED BY 'word'",
		"GRANT INSERT ON audit_faults.* TO 'audit_blind'@'%'",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	at := mariadbAddress(t, o.DSN)
	absent := strings.Replace(mariadb.DSN("audit_faults"), "/audit_faults", "/audit_faults_not", 1)
	redis.MustDo(t, "ACL", "SETUSER", "audit-blind", "on", ">word", "~*", "+hello", "+ping")
	t.Cleanup(func() { redis.MustDo(t, "ACL", "DELUSER", "audit-blind") })
	for name, tc := range map[string]struct {
		change func(*Options)
		words  []string
	}{
		"database away": {func(o *Options) { o.DSN = "root:hidden@tcp(" + nowhere + ")/shop" },
			[]string{"database shop at " + nowhere, "refused", "is the database running there (mysql.dsn)?"}},
		"database, wrong password": {func(o *Options) { o.DSN = "audit_blind:hidden@tcp(" + at + ")/audit_faults" },
			[]string{"database audit_faults at " + at, "correct user and password in mysql.dsn"}},
		"database, no such schema": {func(o *Options) { o.DSN = absent },
			[]string{at, "correct the name of the database in mysql.dsn, or create it"}},
		"database without tables": {func(o *Options) { o.DSN = mariadb.DSN("audit_faults_rights") },
			[]string{at, "run flashsale migrate"}},
		"database, a right is missing": {func(o *Options) { o.DSN = "audit_blind:word@tcp(" + at + ")/audit_faults" },
			[]string{at, "list the sales", "type GRANT SELECT ON audit_faults.* TO 'audit_blind'@'%' there"}},
		"redis away": {func(o *Options) { o.RedisAddrs = []string{nowhere} },
			[]string{"redis at " + nowhere, "is Redis running there (redis.addrs)"}},
		"redis, wrong password": {func(o *Options) { o.RedisUsername, o.RedisPassword = "audit-blind", "hidden" },
			[]string{"redis at " + redis.Addr, "correct redis.username and redis.password"}},
		"redis, a right is missing": {func(o *Options) { o.RedisUsername, o.RedisPassword = "audit-blind", "word" },
			[]string{"redis at " + redis.Addr, "type ACL SETUSER audit-blind ~audit_faults:* +hello +info"}},
		"kafka away": {func(o *Options) { o.KafkaBrokers = []string{nowhere} },
			[]string{"kafka at " + nowhere, "is a broker running there (kafka.brokers)"}},
		"kafka without topics": {func(*Options) {},
			[]string{"kafka at " + o.KafkaBrokers[0], "audit_faults.orders", "run flashsale migrate, or correct namespace"}},
		"kafka without login": {func(o *Options) { o.KafkaMechanism, o.KafkaUsername, o.KafkaPassword = "PLAIN", "me", "hidden" },
			[]string{"kafka at " + o.KafkaBrokers[0], "correct kafka.sasl_mechanism"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := o
			tc.change(&changed)
			text := faultOf(t, changed)
			for _, word := range tc.words {
				require.Contains(t, text, word)
			}
			require.NotContains(t, text, "hidden", "no password is shown")
		})
	}
}

// mariadbAddress returns the address in a DSN of the harness, as the errors show it.
func mariadbAddress(t *testing.T, dsn string) string {
	t.Helper()
	text := DatabaseFault(dsn, "SELECT", errors.New("x")).Error()
	var name, address string
	_, err := fmt.Sscanf(text, "database %s at %s", &name, &address)
	require.NoError(t, err, text)
	return address[:len(address)-1]
}

// What is no fault of a store stays as it is; a schema that does not fit names its own next step.
func TestWhatIsNoFaultOfAStore(t *testing.T) {
	const dsn = "root:hidden@tcp(127.0.0.1:9)/shop"
	require.NoError(t, DatabaseFault(dsn, "SELECT", nil))
	require.NoError(t, (&Options{}).redisFault(nil))
	require.NoError(t, (&Options{}).kafkaFault(nil))
	for _, err := range []error{context.Canceled, errMoving} {
		require.Equal(t, err, DatabaseFault(dsn, "SELECT", err))
		require.Equal(t, err, (&Options{}).redisFault(err))
		require.Equal(t, err, (&Options{}).kafkaFault(err))
	}
	unknown := errors.New("x")
	require.Equal(t, unknown, DatabaseFault("not a DSN", "SELECT", unknown))
	require.EqualError(t, DatabaseFault(dsn, "SELECT", sale.ErrSchema), "database shop at 127.0.0.1:9: "+sale.ErrSchema.Error())
	require.ErrorIs(t, DatabaseFault(dsn, "SELECT", unknown), unknown)
	denied := &mysql.MySQLError{Number: mysqlDeniedToDatabase}
	require.ErrorContains(t, DatabaseFault(dsn, "SELECT, ALTER", denied),
		"type GRANT SELECT, ALTER ON shop.* TO 'root'@'%' there")
}
