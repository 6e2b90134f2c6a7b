package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestCheckSchema(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			ctx := t.Context()
			s := unmigrated(t, driver)
			require.ErrorIs(t, s.CheckSchema(ctx), sale.ErrSchema, "empty")
			require.ErrorContains(t, s.CheckSchema(ctx), "run flashsale migrate", "asking changes nothing")
			require.NoError(t, s.Migrate(ctx))
			require.NoError(t, s.CheckSchema(ctx))
			require.NoError(t, s.Ping(ctx))

			_, err := s.db.Exec("INSERT INTO schema_versions (version_id, is_applied) VALUES (999, 1)")
			require.NoError(t, err)
			require.ErrorIs(t, s.CheckSchema(ctx), sale.ErrSchema, "newer")
			require.NotContains(t, s.CheckSchema(ctx).Error(), "run flashsale migrate", "which would change nothing")
			require.ErrorIs(t, s.Migrate(ctx), sale.ErrSchema, "its processes would not start")
			_, err = s.db.Exec("DELETE FROM schema_versions WHERE version_id > 0")
			require.NoError(t, err)
			require.ErrorContains(t, s.CheckSchema(ctx), "run flashsale migrate", "older")
			_, err = s.db.Exec("DELETE FROM schema_versions")
			require.NoError(t, err)
			require.ErrorIs(t, s.CheckSchema(ctx), sale.ErrSchema, "no version at all")
		})
	}
}

// TestASchemaSaysWhoMayStartOnIt: a process starts on a newer schema where each newer migration allows it, so that a canary can
// be rolled back, and pods of the version before can start beside it.
func TestASchemaSaysWhoMayStartOnIt(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			s := unmigrated(t, driver)
			require.NoError(t, s.Migrate(t.Context()))
			var own int
			require.NoError(t, s.db.QueryRow(sqlSchemaVersion).Scan(&own))
			run := func(statement string, args ...any) {
				t.Helper()
				_, err := s.db.Exec(statement, args...)
				require.NoError(t, err)
			}
			newer := func(version, oldest int) {
				t.Helper()
				run("INSERT INTO schema_oldest (version_id, oldest) VALUES (?, ?)", version, oldest)
				run("INSERT INTO schema_versions (version_id, is_applied) VALUES (?, 1)", version)
			}
			newer(own+1, own)
			require.NoError(t, s.CheckSchema(t.Context()))
			newer(own+3, own-1)
			require.NoError(t, s.CheckSchema(t.Context()))
			require.NoError(t, s.Migrate(t.Context()), "an older binary changes nothing")
			newer(own+4, own+1)
			require.ErrorIs(t, s.CheckSchema(t.Context()), sale.ErrSchema, "one that took away what this binary needs")
			require.ErrorIs(t, s.Migrate(t.Context()), sale.ErrSchema, "a job that went well would let its processes start")
			newer(own+5, own)
			require.ErrorIs(t, s.CheckSchema(t.Context()), sale.ErrSchema, "a later one cannot allow it again")
			run("DELETE FROM schema_oldest WHERE version_id = ?", own+4)
			require.ErrorIs(t, s.CheckSchema(t.Context()), sale.ErrSchema, "a migration that does not say")
			run("DROP TABLE schema_oldest")
			require.ErrorIs(t, s.CheckSchema(t.Context()), sale.ErrSchema, "nothing says")
		})
	}
}

// TestEveryMigrationSaysWhoMayStart: a migration without its row would lock out processes of the version before it.
func TestEveryMigrationSaysWhoMayStart(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			s := unmigrated(t, driver)
			require.NoError(t, s.Migrate(t.Context()))
			const silent = "SELECT COUNT(*) FROM schema_versions v LEFT JOIN schema_oldest o ON o.version_id = v.version_id" +
				" WHERE v.version_id >= 12 AND (o.oldest IS NULL OR o.oldest > v.version_id)"
			require.Zero(t, count(t, s, silent))
		})
	}
}

// A migration that died has left tables but no version, because MySQL commits each change of a table alone: the next run
// accepts these tables.
func TestMigrateOverWhatIsThere(t *testing.T) {
	s := unmigrated(t, DriverMySQL)
	ctx := t.Context()
	provider, err := s.migrator()
	require.NoError(t, err)
	_, err = provider.UpTo(ctx, 1)
	require.NoError(t, err)
	lease, err := s.LeaseNode(ctx, "one", 1e12)
	require.NoError(t, err)
	run := func(statements ...string) {
		for _, statement := range statements {
			_, err := s.db.Exec(statement)
			require.NoError(t, err)
		}
	}
	run("DELETE FROM schema_versions WHERE version_id > 0", "DROP TABLE rules",
		fmt.Sprintf("DELETE FROM node_leases WHERE node_id > 1000 AND node_id <> %d", lease.Node))
	require.NoError(t, s.Migrate(ctx), "over half of the first")
	require.Equal(t, sale.MaxNode+1, count(t, s, "SELECT COUNT(*) FROM node_leases"))
	require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM node_leases WHERE holder = 'one'"))

	bucket := phone(t, s, 10, 1)
	engine, err := s.EngineID(ctx)
	require.NoError(t, err)
	run("DELETE FROM schema_versions WHERE version_id > 1", "ALTER TABLE orders DROP INDEX orders_due",
		"DROP TABLE stock_changes", "ALTER TABLE positions DROP COLUMN orders") // which a later migration has added
	require.NoError(t, s.Migrate(ctx), "over half of the second")
	require.NoError(t, s.CheckSchema(ctx))
	require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
	require.Positive(t, count(t, s, "SELECT version FROM catalogue"))
	again, err := s.EngineID(ctx)
	require.NoError(t, err)
	require.Equal(t, engine, again, "the other stores know it by this name")
}

// A statement of a migration takes as long as it needs, here until a reader of the table has ended: the limit that the DSN has
// for the statements of a sale would leave the schema between two versions.
func TestAMigrationThatTakesLong(t *testing.T) {
	const limit = 500 * time.Millisecond
	server, name := harness.SharedMariaDB(t), databaseName(t)
	config, err := mysql.ParseDSN(server.DSN(name))
	require.NoError(t, err)
	config.ReadTimeout = limit
	s, err := Open(Options{Driver: DriverMySQL, DSN: config.FormatDSN()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	early, err := s.migrator()
	require.NoError(t, err)
	for version := int64(1); version <= 6; version++ {
		_, err = early.UpTo(t.Context(), version)
		require.NoError(t, err)
	}
	db := server.Open(t, name)
	reader, err := db.Begin()
	require.NoError(t, err)
	require.NoError(t, reader.QueryRow("SELECT COUNT(*) FROM orders").Scan(new(int)))
	migrated := make(chan error, 1)
	go func() { migrated <- s.Migrate(t.Context()) }()
	if harness.Galera(t, db) { // it ends a transaction that is in the way of a change of a table
		require.NoError(t, <-migrated)
		err = reader.QueryRow("SELECT COUNT(*) FROM orders").Scan(new(int))
		require.Equal(t, faultTransient, mysqlFault(err), "%v", err)
	} else {
		select {
		case err := <-migrated:
			t.Fatal("nobody waited for the reader: ", err)
		case <-time.After(4 * limit):
		}
		require.NoError(t, reader.Rollback())
		require.NoError(t, <-migrated)
	}
	require.NoError(t, s.CheckSchema(t.Context()))
}

// A database of the first schema with an open sale continues after the migration: unpaid orders have due_at.
func TestMigrateFromTheFirstSchema(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			ctx := t.Context()
			s := unmigrated(t, driver)
			first, err := s.migrator()
			require.NoError(t, err)
			_, err = first.UpTo(ctx, 1)
			require.NoError(t, err)
			require.ErrorIs(t, s.CheckSchema(ctx), sale.ErrSchema)
			const row = "'2020-01-01 00:00:00.000', '2020-01-01 00:00:00.000'"
			for _, statement := range []string{
				"INSERT INTO buckets (sale_id, bucket, epoch, state, partition_id, sequence, currency, payment_ttl_s, " +
					"sale_limit, " +
					"version) VALUES ('eleven', 0, 2, 'open', 1, 42, 'CNY', 900, 0, 1)",
				"INSERT INTO stock (sale_id, bucket, sku, number, per_buyer_limit, loaded, settled) " +
					"VALUES ('eleven', 0, 'phone', 1, 1, 10, 3)",
				"INSERT INTO orders (order_id, sale_id, sku, buyer_id, quantity, status, unit_price_cents, total_cents, " +
					"line_count, currency, created_at, updated_at, pay_by, bucket) VALUES " +
					"(1, 'eleven', 'phone', 'ann', 1, 'confirmed', 5, 5, 1, 'CNY', " + row + ", '2020-01-02 00:00:00.000', 0), " +
					"(2, 'eleven', 'phone', 'bob', 1, 'paid', 5, 5, 1, 'CNY', " + row + ", '2020-01-02 00:00:00.000', 0), " +
					"(3, 'eleven', 'phone', 'cat', 1, 'confirmed', 5, 5, 1, 'CNY', " + row + ", NULL, 0)",
			} {
				_, err := s.db.Exec(statement)
				require.NoError(t, err)
			}
			require.NoError(t, s.Migrate(ctx))
			require.NoError(t, s.CheckSchema(ctx))
			require.EqualValues(t, 42, countersOf(t, s, sale.Bucket{Sale: "eleven"}).Sequence)
			expired, err := s.ExpireOrders(ctx, 10, 0)
			require.NoError(t, err)
			require.Equal(t, 1, expired.Orders)
			require.Equal(t, sale.StatusExpired, order(t, s, 1).Status)
			require.Equal(t, sale.StatusPaid, order(t, s, 2).Status)
			require.Equal(t, sale.StatusConfirmed, order(t, s, 3).Status)
			paid, err := s.PaidUnits(ctx, "eleven")
			require.NoError(t, err)
			require.Equal(t, []sale.PaidUnits{{SKU: "phone", Units: 1, Orders: 1, LastAt: order(t, s, 2).UpdatedAt}}, paid)
		})
	}
}

func TestMigrateAtOnce(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			s := unmigrated(t, driver)
			require.NoError(t, together(4, func(int) error { return s.Migrate(t.Context()) }))
			require.NoError(t, s.CheckSchema(t.Context()))
			require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM schema_versions WHERE version_id = 1"))
		})
	}
}

// Shops may rely on names, types and character sets of the columns, and on the indexes.
func TestTablesThatShopsRead(t *testing.T) {
	s := migrated(t, DriverMySQL)
	const id = "varchar(64) ascii_bin"
	for table, columns := range map[string]map[string]string{
		"orders": {
			"order_id": "bigint(20)", "sale_id": id, "sku": id, "buyer_id": id, "quantity": "int(11)",
			"status": "varchar(16) ascii_bin", "reason": "varchar(16) ascii_bin", "unit_price_cents": "bigint(20)",
			"currency": "varchar(3) ascii_bin", "payment_id": id, "created_at": "datetime(3)", "updated_at": "datetime(3)",
			"pay_by": "datetime(3)", "total_cents": "bigint(20)", "line_count": "tinyint(4)",
		},
		"order_lines": {
			"order_id": "bigint(20)", "line": "tinyint(4)", "sku": id, "quantity": "int(11)", "unit_price_cents": "bigint(20)",
		},
		"stock": {
			"sale_id": id, "sku": id, "bucket": "int(11)", "loaded": "bigint(20)", "settled": "bigint(20)",
			"released": "bigint(20)",
		},
	} {
		for column, wanted := range columns {
			var got string
			require.NoError(t, s.db.QueryRow("SELECT TRIM(CONCAT(column_type, ' ', COALESCE(collation_name, ''))) FROM "+
				"information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?",
				table, column).Scan(&got), "%s.%s", table, column)
			// MySQL 8 no longer writes display widths.
			require.Contains(t, []string{wanted, withoutWidth(wanted)}, got, "%s.%s", table, column)
		}
	}
	index := func(columns string) int {
		return count(t, s, "SELECT COUNT(*) FROM (SELECT GROUP_CONCAT(column_name ORDER BY seq_in_index) AS names FROM "+
			"information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'orders' GROUP BY index_name) AS i "+
			"WHERE names = ? OR names LIKE CONCAT(?, ',%')", columns, columns)
	}
	require.Equal(t, 1, index("order_id"))
	require.Equal(t, 1, index("sale_id,buyer_id,order_id"))
	require.Equal(t, 1, index("updated_at"))
}

func withoutWidth(columnType string) string {
	switch columnType {
	case "bigint(20)":
		return "bigint"
	case "int(11)":
		return "int"
	case "tinyint(4)":
		return "tinyint"
	}
	return columnType
}

// Every table of one dialect is in the other, with the same columns.
func TestDialectsHaveTheSameTables(t *testing.T) {
	tables := map[string][]string{}
	onEvery(t, func(t *testing.T, s *Store) {
		query := "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = DATABASE()"
		if s.dialect.oneWriter {
			query = "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c " +
				"WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
		}
		require.NoError(t, each(t.Context(), s.db, query, nil, func(rows scanner) error {
			var column string
			err := rows.Scan(&column)
			tables[t.Name()] = append(tables[t.Name()], column)
			return err
		}))
	})
	require.Len(t, tables, 2)
	require.ElementsMatch(t, tables[t.Name()+"/mysql"], tables[t.Name()+"/sqlite"])
}
