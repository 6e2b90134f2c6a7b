package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// everyColumn is all that a schema holds, to see that nothing was changed.
func everyColumn(t *testing.T, s *Store) map[string][]string {
	t.Helper()
	present, err := s.presentTables(t.Context())
	require.NoError(t, err)
	return present
}

// A shop's schema is left as it is, and the shop's tables are named.
func TestMigrateLeavesAShopsTablesAlone(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			s := unmigrated(t, driver)
			for _, statement := range []string{
				"CREATE TABLE orders (id INT PRIMARY KEY, customer INT)", "CREATE TABLE items (id INT PRIMARY KEY)",
				"CREATE TABLE customers (id INT PRIMARY KEY)", "CREATE VIEW events AS SELECT id FROM items",
				"INSERT INTO orders VALUES (1, 2)",
			} {
				_, err := s.db.Exec(statement)
				require.NoError(t, err)
			}
			before := everyColumn(t, s)
			err := s.Migrate(t.Context())
			require.ErrorContains(t, err, "events, items, orders;")
			require.ErrorContains(t, err, "a schema of its own")
			require.Equal(t, before, everyColumn(t, s), "nothing was changed")
			require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM orders"))
			require.ErrorIs(t, s.CheckSchema(t.Context()), sale.ErrSchema)
			foreign, err := s.ForeignTables(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"events", "items", "orders"}, foreign)

			for _, statement := range []string{"DROP VIEW events", "DROP TABLE items", "DROP TABLE orders"} {
				_, err := s.db.Exec(statement)
				require.NoError(t, err)
			}
			require.NoError(t, s.Migrate(t.Context()), "tables with other names do not matter")
			foreign, err = s.ForeignTables(t.Context())
			require.NoError(t, err)
			require.Empty(t, foreign)
			tables, err := s.Tables()
			require.NoError(t, err)
			for _, table := range tables {
				require.Contains(t, everyColumn(t, s), table)
			}
			require.Contains(t, tables, "orders")
		})
	}
}

// Migrate refuses each state that is not the engine's own, with any table of versions.
func TestMigrateKnowsItsOwnTables(t *testing.T) {
	for name, story := range map[string]struct {
		version    int64 // that the engine has reached before
		statements []string
		foreign    string
	}{
		"a foreign table of versions": {0, []string{"CREATE TABLE schema_versions (version INT)"},
			": schema_versions;"},
		"an empty table of versions": {0, []string{
			"CREATE TABLE schema_versions (id INT, version_id INT, is_applied INT, tstamp INT)", "CREATE TABLE stock (id INT)",
		}, ": stock;"},
		"a shop's table in the place of the next migration's": {1, []string{"CREATE TABLE outbox (id INT, body INT)"},
			": outbox;"},
	} {
		t.Run(name, func(t *testing.T) {
			s := unmigrated(t, DriverMySQL)
			if story.version > 0 {
				provider, err := s.migrator()
				require.NoError(t, err)
				_, err = provider.UpTo(t.Context(), story.version)
				require.NoError(t, err)
			}
			for _, statement := range story.statements {
				_, err := s.db.Exec(statement)
				require.NoError(t, err)
			}
			before := everyColumn(t, s)
			require.ErrorContains(t, s.Migrate(t.Context()), story.foreign)
			require.Equal(t, before, everyColumn(t, s))
		})
	}
}

// A process that died when it had made the table of versions, and nothing else, has begun nothing.
func TestMigrateAfterTheTableOfVersionsAlone(t *testing.T) {
	s := unmigrated(t, DriverMySQL)
	provider, err := s.migrator()
	require.NoError(t, err)
	_, err = provider.GetDBVersion(t.Context())
	require.NoError(t, err)
	_, err = s.db.Exec("DELETE FROM schema_versions")
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	require.NoError(t, s.CheckSchema(t.Context()))
}

// tablesMadeBy reads from the text of the migrations the tables that they make.
func TestTablesMadeByMigrations(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		provider, err := s.migrator()
		require.NoError(t, err)
		present := everyColumn(t, s)
		made := 0
		for _, source := range provider.ListSources() {
			tables, err := tablesMadeBy(source.Path, s.dialect)
			require.NoError(t, err)
			for table, columns := range tables {
				made++
				require.NotEmpty(t, columns, table)
				assert.Subset(t, present[table], columns, table)
			}
		}
		engines := 0
		for table := range present {
			if table != schemaTable && table != "sqlite_sequence" {
				engines++
			}
		}
		require.Equal(t, engines, made)
	})
}
