package dsn

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// at returns which of the servers a new connection goes to.
func at(t *testing.T, db *sql.DB) (port string, err error) {
	t.Helper()
	err = db.QueryRowContext(t.Context(), "SELECT @@port").Scan(&port)
	return port, err
}

// New connections go to the first server that answers and takes writes, and follow a switch of the primary.
func TestTheFirstWritableServer(t *testing.T) {
	first, second := harness.MariaDB(t), harness.MariaDB(t)
	text := strings.Replace(first.DSN("d"), first.Addr, harness.Address(t)+","+first.Addr+","+second.Addr, 1)
	second.DSN("d") // makes the schema
	n, err := Parse(text)
	require.NoError(t, err)
	connector, err := n.Connector()
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxIdleConns(-1) // every query has a connection of its own
	port := func(s *harness.MariaDBServer) string { return strings.Split(s.Addr, ":")[1] }

	found, err := at(t, db)
	require.NoError(t, err)
	assert.Equal(t, port(first), found, "the one before it does not answer")
	set := func(s *harness.MariaDBServer, value string) {
		_, err := s.Open(t, "d").ExecContext(t.Context(), "SET GLOBAL read_only = "+value)
		require.NoError(t, err)
	}
	set(first, "1")
	found, err = at(t, db)
	require.NoError(t, err)
	assert.Equal(t, port(second), found, "the first is a replica now")
	set(second, "1")
	_, err = at(t, db)
	require.ErrorIs(t, err, errReadOnly)
	assert.ErrorContains(t, err, "refused")
	for _, s := range []*harness.MariaDBServer{first, second} {
		assert.ErrorContains(t, err, s.Addr+": the server is read-only")
	}
	assert.NotContains(t, err.Error(), "\n")
	set(first, "0")
	found, err = at(t, db)
	require.NoError(t, err)
	assert.Equal(t, port(first), found)
	first.Kill()
	set(second, "0")
	found, err = at(t, db)
	require.NoError(t, err)
	assert.Equal(t, port(second), found)
}
