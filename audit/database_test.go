package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// strict is a database that refuses every transaction that TiDB refuses, and reports every statement before it runs.
type strict struct {
	driver.Connector
	before func(query string)
}

func (s strict) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	return &strictConn{conn, s.before}, err
}

type strictConn struct {
	driver.Conn
	before func(query string)
}

func (c *strictConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts.ReadOnly {
		return nil, &mysql.MySQLError{Number: 1235, Message: "function READ ONLY has only noop implementation in tidb now"}
	}
	beginner, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		return nil, errors.New("the driver begins no transactions with options")
	}
	return beginner.BeginTx(ctx, opts)
}

func (c *strictConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.before(query)
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, errors.New("the driver runs no queries")
	}
	return queryer.QueryContext(ctx, query, args)
}

// tables are the columns that the audit reads.
var tables = []string{
	"CREATE TABLE positions (partition_id INT, next_offset BIGINT)",
	"CREATE TABLE sales (sale_id VARCHAR(9), per_buyer_limit INT)",
	"CREATE TABLE items (sale_id VARCHAR(9), sku VARCHAR(9), number INT, stock INT, per_buyer_limit INT)",
	"CREATE TABLE outbox (sale_id VARCHAR(9), bucket INT)",
	"CREATE TABLE buckets (sale_id VARCHAR(9), bucket INT, epoch INT, state VARCHAR(9), partition_id INT)",
	"CREATE TABLE stock (sale_id VARCHAR(9), bucket INT, sku VARCHAR(9), number INT, per_buyer_limit INT, loaded INT, " +
		"settled INT, released INT)",
	"CREATE TABLE orders (sale_id VARCHAR(9), order_id BIGINT, bucket INT, buyer_id VARCHAR(9), sku VARCHAR(9), quantity INT, " +
		"unit_price_cents INT, total_cents INT, line_count INT, status VARCHAR(9), idempotency_key VARCHAR(9))",
	"CREATE TABLE order_lines (order_id BIGINT, line INT, sku VARCHAR(9), quantity INT, unit_price_cents INT)",
	"CREATE TABLE paid_units (sale_id VARCHAR(9), sku VARCHAR(9), slot INT, units BIGINT, orders BIGINT)",
	"CREATE TABLE dead_letter_orders (sale_id VARCHAR(9), order_id BIGINT)",
	"CREATE TABLE dead_letters (state VARCHAR(9), record LONGBLOB)",
	"CREATE TABLE batches (sale_id VARCHAR(9), bucket INT, epoch INT, sequence INT, batch_id BIGINT)",
	"CREATE TABLE forks (sale_id VARCHAR(9), bucket INT, epoch INT, sequence INT, batch_id BIGINT)",
	"INSERT INTO sales VALUES ('rush', 2)",
	"INSERT INTO items VALUES ('rush', 'phone', 1, 10, NULL), ('rush', 'case', 2, 5, 1)",
	"INSERT INTO buckets VALUES ('rush', 0, 1, 'open', 0)",
	"INSERT INTO outbox VALUES ('rush', 0), ('rush', 0), ('other', 0)",
	"INSERT INTO stock VALUES ('rush', 0, 'phone', 1, 2, 10, 0, 0), ('rush', 0, 'case', 2, 1, 5, 0, 0)",
	"INSERT INTO order_lines VALUES (9, 1, 'phone', 1, 100)",
	"INSERT INTO dead_letters VALUES ('waiting', 'fs2 batch rush 0 1 2 51 1 1\n51 phone:3:100 eve\n')",
	"INSERT INTO dead_letters VALUES ('waiting', 'torn'), ('refused', 'fs2 batch rush 0 1 3 52 1 1\n52 phone:3:1 eve\n')",
	"INSERT INTO dead_letters VALUES ('waiting', 'fs2 batch other 0 1 2 53 1 1\n53 phone:3:1 eve\n')",
}

// A settlement that commits during the reading is seen completely or not at all, and the audit sends no statement that
// a supported database refuses.
func TestTheBooksAreReadAtOneMoment(t *testing.T) {
	server := harness.SharedMariaDB(t)
	db := server.Open(t, "audit_snapshot")
	for _, statement := range tables {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	config, err := mysql.ParseDSN(server.DSN("audit_snapshot"))
	require.NoError(t, err)
	config.InterpolateParams = true
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	settled := false
	pool := sql.OpenDB(strict{connector, func(query string) {
		if !strings.Contains(query, "FROM orders") || settled {
			return
		}
		settled = true
		for _, statement := range []string{
			"UPDATE stock SET settled = 1",
			"INSERT INTO orders VALUES ('rush', 41, 0, 'ann', NULL, 2, NULL, 110, 2, 'confirmed', '')",
			"INSERT INTO order_lines VALUES (41, 1, 'phone', 1, 100), (41, 2, 'case', 1, 10)",
		} {
			_, err := db.Exec(statement)
			require.NoError(t, err)
		}
	}})
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	b := &database{pool}
	for reading, rows := range []int{0, 1} {
		snap, err := b.read(t.Context(), snapshotOf{sale: saleRow{id: "rush", limit: 1}, words: newWords(), loose: true,
			goOn: func(*snapshot) bool { return true }})
		require.NoError(t, err)
		require.Len(t, snap.rows, rows, "reading %d", reading)
		require.EqualValues(t, rows, snap.phonesOf(0).settled)
		if rows > 0 {
			require.Equal(t, together(1), rowsOf(snap.facts)[41].lines)
		}
		require.Empty(t, rowsAgainstBooks(snap.facts))
		require.Equal(t, map[string]*itemFacts{"phone": {1, 10, 2}, "case": {2, 5, 1}}, snap.items)
		require.EqualValues(t, 2, snap.buckets[0].waiting)
		require.Equal(t, []sale.OrderID{9}, snap.loose)
		require.Equal(t, map[mark]plainRecord{{writeID{0, 1, 2}, 51}: {
			sale: "rush", at: writeID{0, 1, 2}, id: 51,
			orders: map[sale.OrderID]plainOrder{51: {bucket: 0, buyer: "eve", lines: phones(3)}},
		}}, lettersOf(snap.facts))
	}
	require.True(t, settled)
}

// Lines are read by the ids of the sale's orders: those of another sale's order are not loose, and those of no order are,
// wherever their ids are.
func TestLinesAmongThoseOfOtherSales(t *testing.T) {
	server := harness.SharedMariaDB(t)
	db := server.Open(t, "audit_lines")
	for _, statement := range append(tables[:len(tables):len(tables)],
		"INSERT INTO orders VALUES ('rush', 41, 0, 'ann', NULL, 2, NULL, 110, 2, 'confirmed', 'k1'), "+
			"('other', 43, 0, 'bob', NULL, 2, NULL, 110, 2, 'confirmed', ''), "+
			"('rush', 45, 0, 'cid', 'phone', 1, 100, 100, 1, 'paid', ''), "+
			"('other', 50, 0, 'bob', NULL, 2, NULL, 110, 2, 'confirmed', '')",
		"INSERT INTO order_lines VALUES (41, 1, 'phone', 1, 100), (41, 2, 'case', 1, 10), (42, 1, 'phone', 1, 100), "+
			"(42, 2, 'case', 1, 10), (43, 1, 'phone', 1, 100), (45, 1, 'case', 1, 10), "+
			"(50, 1, 'phone', 1, 100), (60, 1, 'case', 1, 1)",
	) {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	opened, err := openDatabase(Options{DSN: server.DSN("audit_lines")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.db.Close()) })
	read := func(id string, loose bool) *snapshot {
		snap, err := opened.read(t.Context(), snapshotOf{sale: saleRow{id: id}, words: newWords(), loose: loose,
			goOn: func(*snapshot) bool { return true }})
		require.NoError(t, err)
		return snap
	}
	rush := read("rush", true)
	require.Equal(t, []sale.OrderID{9, 42, 60}, rush.loose)
	require.Equal(t, map[sale.OrderID]plainOrder{
		41: {buyer: "ann", lines: together(1), status: sale.StatusConfirmed, key: "k1", quantity: 2, total: 110, count: 2},
		45: {buyer: "cid", lines: []line{{"case", 1, 10}, {"phone", 1, 100}}, status: sale.StatusPaid, sku: "phone", quantity: 1,
			total: 100, count: 1},
	}, rowsOf(rush.facts))
	require.Contains(t, torn(rush.facts), against("phone",
		"order 45: its row says 1 lines, 1 units, 100 cents; its lines are 1 of case at 10, 1 of phone at 100"))
	require.Empty(t, read("rush", false).loose, "they belong to no sale: one reading looks for them once")
	require.Equal(t, []sale.OrderID{9, 42, 60}, read("empty", true).loose, "a sale without orders has no range of ids")
	require.Equal(t, []sale.OrderID{9, 42, 60}, read("other", true).loose)
}

// A reading that is not to go on ends before the orders.
func TestTheReadingEndsBeforeTheOrders(t *testing.T) {
	server := harness.SharedMariaDB(t)
	db := server.Open(t, "audit_ends")
	for _, statement := range tables {
		if !strings.Contains(statement, "order_lines") { // what is not there cannot be read
			_, err := db.Exec(statement)
			require.NoError(t, err)
		}
	}
	opened, err := openDatabase(Options{DSN: server.DSN("audit_ends")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.db.Close()) })
	of := snapshotOf{sale: saleRow{id: "rush"}, words: newWords(), goOn: func(snap *snapshot) bool {
		return snap.buckets[0].waiting == 0
	}}
	snap, err := opened.read(t.Context(), of)
	require.NoError(t, err)
	require.Equal(t, sale.BucketOpen, snap.buckets[0].state)
	of.goOn = func(*snapshot) bool { return true }
	_, err = opened.read(t.Context(), of)
	require.ErrorContains(t, err, "order_lines")
}

// A value that the statement cannot have is an error and no order.
func TestValuesOfTheDriver(t *testing.T) {
	_, err := whole([]byte("1"))
	require.ErrorContains(t, err, "where a whole number is wanted")
	o := &orderReader{snapshot: &snapshot{facts: newFacts("rush", newWords())}}
	good := []driver.Value{int64(1), int64(0), []byte("ann"), []byte("phone"), int64(1), int64(100), int64(100), int64(1),
		[]byte("paid"), []byte("")}
	require.NoError(t, o.noteRow(good))
	for _, column := range []int{0, 1, 4, 5, 6, 7} {
		bad := append([]driver.Value{}, good...)
		bad[column] = nil
		require.Error(t, o.noteRow(bad), "column %d", column)
	}
	far := append([]driver.Value{}, good...)
	far[1] = int64(1) << 40
	require.ErrorContains(t, o.noteRow(far), "bucket 1099511627776")
	require.Len(t, o.facts.rows, 1)
	require.Error(t, o.noteLine([]driver.Value{int64(1), []byte("phone"), nil, int64(1)}))
}
