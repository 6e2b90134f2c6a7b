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
