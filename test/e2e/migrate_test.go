package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
