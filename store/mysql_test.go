package store

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// hostile sets the opposite of everything on which the store depends.
const hostile = "&parseTime=true&loc=Asia%2FShanghai&time_zone=%27%2B08%3A00%27&sql_mode=%27ANSI_QUOTES%27&charset=latin1" +
	"&collation=latin1_swedish_ci&clientFoundRows=true&multiStatements=true" +
	"&interpolateParams=false&innodb_lock_wait_timeout=50&columnsWithAlias=true"

func TestSettingsAreForced(t *testing.T) {
	dsn := harness.SharedMariaDB(t).DSN(databaseName(t))
	if !strings.Contains(dsn, "?") {
		dsn += "?maxAllowedPacket=0"
	}
	s, err := Open(Options{Driver: DriverMySQL, DSN: dsn + hostile})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for variable, wanted := range map[string]string{
		"time_zone": "+00:00", "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "innodb_lock_wait_timeout": "5",
		"character_set_client": "utf8mb4", "character_set_connection": "utf8mb4",
		"character_set_results": "utf8mb4", "collation_connection": "utf8mb4_bin",
	} {
		var got string
		require.NoError(t, s.db.QueryRow("SELECT @@SESSION."+variable).Scan(&got))
		require.Equal(t, wanted, got, variable)
	}
	var isolation string // the one or the other name, by server
	require.NoError(t, s.db.QueryRow(
		"SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')").Scan(new(string), &isolation))
	require.Equal(t, "READ-COMMITTED", isolation)
	require.NoError(t, s.Migrate(t.Context()))
	wanted := draft("eleven", 1, item("phone", 10))
	wanted.Name = "双十一 🎉"
	bucket := selling(t, s, wanted)[0].Bucket
	orders := crowd(1)
	settle(t, s, batch(bucket, 1, 1, orders...))
	require.Equal(t, sale.TimeMillis(noon), order(t, s, orders[0].OrderID).CreatedAt)
	found, err := s.Sale(t.Context(), "eleven")
	require.NoError(t, err)
	require.Equal(t, wanted.Name, found.Name)
	require.True(t, acquire(t, s, "a", "one", time.Minute))
	require.True(t, acquire(t, s, "a", "one", time.Minute))
}

// Another client of the same server reads UTC with milliseconds, with any settings of its own.
func TestTimesAreStoredInUTC(t *testing.T) {
	server, name := harness.SharedMariaDB(t), databaseName(t)
	s, err := Open(Options{Driver: DriverMySQL, DSN: server.DSN(name)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	bucket := phone(t, s, 10, 1)
	d := batch(bucket, 1, 1, crowd(1)...)
	settle(t, s, d)
	var created time.Time
	var text string
	require.NoError(t, server.Open(t, name).QueryRow(
		"SELECT created_at, CAST(created_at AS CHAR) FROM orders").Scan(&created, &text))
	require.Equal(t, time.UnixMilli(noon).UTC(), created)
	require.Equal(t, "2026-11-11 12:00:00.345", text)
	var behind float64
	require.NoError(t, s.db.QueryRow("SELECT "+s.dialect.nowMS).Scan(&behind))
	require.InDelta(t, float64(time.Now().UnixMilli()), behind, 60_000)
}

func TestMySQLConfig(t *testing.T) {
	name, err := mysqlName(Options{DSN: "u:p@tcp(db:3306)/shop?tls=skip-verify&readTimeout=1s&foo=1" + hostile})
	require.NoError(t, err)
	config := name.Config
	require.True(t, config.InterpolateParams)
	require.True(t, config.RejectReadOnly)
	require.False(t, config.ClientFoundRows)
	require.False(t, config.MultiStatements)
	require.False(t, config.ParseTime)
	require.Equal(t, time.UTC, config.Loc)
	require.Equal(t, time.Second, config.ReadTimeout, "what the user may choose is kept")
	require.Equal(t, mysqlWriteTimeout, config.WriteTimeout)
	require.Equal(t, mysqlDialTimeout, config.Timeout)
	require.Equal(t, "1", config.Params["foo"])
	require.Equal(t, "skip-verify", config.TLSConfig)

	for _, bad := range []string{"", "nonsense", "u:secret@tcp(db:3306)/", "u:secret@tcp(db/shop"} {
		_, err := Open(Options{Driver: DriverMySQL, DSN: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err = Open(Options{Driver: "postgres", DSN: "x"})
	require.ErrorContains(t, err, "postgres")
}

// The table of the page has exactly the conflicts that the store repeats.
func TestConflictsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/compatibility.md")
	require.NoError(t, err)
	var told, known []string
	for _, row := range regexp.MustCompile(`(?m)^\| Error (\d+) `).FindAllStringSubmatch(string(page), -1) {
		told = append(told, row[1])
	}
	for _, c := range conflicts() {
		known = append(known, strconv.Itoa(int(c.number)))
	}
	require.Equal(t, known, told)
}

func TestMySQLFaults(t *testing.T) {
	for number, wanted := range map[uint16]fault{
		1062: faultDuplicate, 1213: faultTransient, 1205: faultTransient, 9007: faultTransient, 1146: faultNoTable,
		1406: faultData, 1264: faultData, 1366: faultData, 1045: faultOther, 1054: faultOther,
	} {
		err := fmt.Errorf("insert: %w", &mysql.MySQLError{Number: number})
		require.Equal(t, wanted, mysqlFault(errors.Join(errors.New("and"), err)), "error %d", number)
	}
	for _, again := range []mysql.MySQLError{
		{Number: 1020, Message: "Record has changed since last read in table 'stock'"},
		{Number: 1047, Message: "WSREP has not yet prepared node for application use"},
		{Number: 1105, Message: "pessimistic lock retry limit reached"},
		{Number: 1180, Message: `Got error 149 "Lock deadlock; Retry transaction" during COMMIT`},
		{Number: 1412, Message: "Table definition has changed, please retry transaction"},
		{Number: 3101, Message: "Plugin instructed the server to rollback the current transaction."},
		{Number: 8002}, {Number: 8005}, {Number: 8022}, {Number: 8028}, {Number: 8229}, {Number: 9004},
	} {
		require.Equal(t, faultTransient, mysqlFault(fmt.Errorf("commit: %w", &again)), "%v", &again)
	}
	for _, other := range []mysql.MySQLError{
		{Number: 1105, Message: "other error: unknown error Wire Error(InvalidEnumValue(4004))"},
		{Number: 1047, Message: "Unknown command"}, {Number: 1180, Message: "Got error 5 during COMMIT"},
		{Number: 1290}, {Number: 1317}, {Number: 9001}, {Number: 9002}, {Number: 9005},
	} {
		require.Equal(t, faultOther, mysqlFault(&other), "%v", &other)
	}
	overflow := &mysql.MySQLError{Number: 4242, SQLState: [5]byte{'2', '2', '0', '0', '3'}}
	require.Equal(t, faultData, mysqlFault(overflow))
	require.Equal(t, faultOther, mysqlFault(errors.New("lost connection")))
	require.Equal(t, faultOther, mysqlFault(nil))
}
