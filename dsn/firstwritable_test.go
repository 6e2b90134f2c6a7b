package dsn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

func port(s *harness.MariaDBServer) string { return strings.Split(s.Addr, ":")[1] }

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

// TestReadersFollowASwitchOver: the first server becomes a replica while a pool reads and writes nothing.
func TestReadersFollowASwitchOver(t *testing.T) {
	first, second := harness.MariaDB(t), harness.MariaDB(t)
	second.DSN("d")
	n, err := Parse(strings.Replace(first.DSN("d"), first.Addr, first.Addr+","+second.Addr, 1))
	require.NoError(t, err)
	n.Config.RejectReadOnly = true
	connector, err := n.Connector()
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	const warm = 4
	db.SetMaxIdleConns(warm)
	all := func(wanted string) {
		held := make([]*sql.Conn, warm)
		for i := range held {
			var found string
			held[i], err = db.Conn(t.Context())
			require.NoError(t, err)
			require.NoError(t, held[i].QueryRowContext(t.Context(), "SELECT @@port").Scan(&found))
			require.Equal(t, wanted, found)
		}
		for _, conn := range held {
			require.NoError(t, conn.Close())
		}
	}
	all(port(first))
	first.Exec(t, "SET GLOBAL read_only = 1")
	switched := time.Now()
	require.Eventually(t, func() bool {
		found, err := at(t, db)
		return err == nil && found == port(second)
	}, 2*time.Second, 20*time.Millisecond)
	<-time.After(time.Until(switched.Add(checkEvery))) // each connection asks again now
	all(port(second))
}

// counted counts the questions whether its server is read-only.
type counted struct {
	session
	scripted
	asked int
}

func (c *counted) ResetSession(context.Context) error { return nil }
func (c *counted) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if query == sqlReadOnly {
		c.asked++
	}
	return c.scripted.QueryContext(ctx, query, args)
}

// A connection asks once a second at most, and one that is not used does not.
func TestAConnectionAsksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &counted{scripted: scripted{answers: map[string][]string{sqlReadOnly: {"0"}}}}
		conn, err := watch(t.Context(), server)
		require.NoError(t, err)
		require.Equal(t, 1, server.asked)
		for range 100 { // within 2.5 s
			require.NoError(t, conn.ResetSession(t.Context()))
			<-time.After(25 * time.Millisecond)
		}
		require.Equal(t, 3, server.asked)
		<-time.After(time.Hour)
		require.NoError(t, conn.ResetSession(t.Context()))
		require.Equal(t, 4, server.asked)
		server.answers[sqlReadOnly] = []string{"1"}
		<-time.After(checkEvery)
		require.Equal(t, driver.ErrBadConn, conn.ResetSession(t.Context()), "the only error at which database/sql takes another")
	})
}

// TestAServerThatHangsIsPassedOver: the first server of the list takes connections and says nothing, as one does whose machine
// still runs and whose process has stopped.
func TestAServerThatHangsIsPassedOver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	second := harness.MariaDB(t)
	n, err := Parse(strings.Replace(second.DSN("d"), second.Addr, silent.Addr().String()+","+second.Addr, 1))
	require.NoError(t, err)
	connector, err := n.Connector()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := connector.Connect(ctx)
	require.NoError(t, err)
	require.NoError(t, checkWritable(ctx, conn.(session), false), "the connection outlives the bound of its opening")
	require.NoError(t, conn.Close())
}

// TestANodeThatHasLostItsClusterIsPassedOver: a node of Galera outside the primary component says that it is not read-only, and
// refuses every statement on a table. A server of another kind is used, whatever it says of Galera.
func TestANodeThatHasLostItsClusterIsPassedOver(t *testing.T) {
	first, second := harness.MariaDB(t), harness.MariaDBOf(t, "mariadb-10.11")
	second.DSN("d")
	n, err := Parse(strings.Replace(first.DSN("d"), first.Addr, first.Addr+","+second.Addr, 1))
	require.NoError(t, err)
	delete(n.Config.Params, "wsrep_sync_wait") // with it the node refuses every SELECT
	connector, err := n.Connector()
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxIdleConns(-1)
	found, err := at(t, db)
	require.NoError(t, err)
	require.Equal(t, port(first), found)
	wanted := first
	if first.Isolate(t) {
		wanted = second
	}
	found, err = at(t, db)
	require.NoError(t, err)
	require.Equal(t, port(wanted), found)
}

// scripted is a connection to a server that answers each query with one row of texts; with none where it has no such text.
type scripted struct{ answers map[string][]string }

func (s scripted) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	return &scriptedRows{left: s.answers[query]}, nil
}

type scriptedRows struct{ left []string }

func (r *scriptedRows) Columns() []string { return make([]string, len(r.left)) }
func (r *scriptedRows) Close() error      { return nil }
func (r *scriptedRows) Next(to []driver.Value) error {
	if r.left == nil {
		return io.EOF
	}
	for i := range to {
		to[i] = []byte(r.left[i])
	}
	r.left = nil
	return nil
}

// TestWhichServersTakeWrites has the answers of the servers that the contract suites run on, and of a node without its cluster.
func TestWhichServersTakeWrites(t *testing.T) {
	for name, c := range map[string]struct {
		readOnly, galera, ready []string
		err                     error
	}{
		"MySQL":                     {[]string{"0"}, nil, nil, nil},
		"MySQL, a replica":          {[]string{"1"}, nil, nil, errReadOnly},
		"MariaDB":                   {[]string{"0"}, []string{"wsrep_on", "OFF"}, []string{"wsrep_ready", "OFF"}, nil},
		"MariaDB 12, a replica":     {[]string{"NO_LOCK"}, nil, nil, errReadOnly},
		"Galera":                    {[]string{"0"}, []string{"wsrep_on", "ON"}, []string{"wsrep_ready", "ON"}, nil},
		"Galera without a majority": {[]string{"0"}, []string{"wsrep_on", "ON"}, []string{"wsrep_ready", "OFF"}, errNoCluster},
		"Galera, a replica":         {[]string{"1"}, []string{"wsrep_on", "ON"}, []string{"wsrep_ready", "ON"}, errReadOnly},
		"no answer":                 {nil, nil, nil, errReadOnly},
	} {
		answers := map[string][]string{sqlReadOnly: c.readOnly, sqlGalera: c.galera, sqlGaleraReady: c.ready}
		_, err := watch(t.Context(), &counted{scripted: scripted{answers: answers}})
		require.ErrorIs(t, err, c.err, name)
	}
}

// hung is a server that never answers.
type hung struct {
	driver.Connector
	asked []time.Time
}

func (h *hung) Connect(ctx context.Context) (driver.Conn, error) {
	h.asked = append(h.asked, time.Now())
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestEveryServerIsAskedInTheTimeOfTheCaller: the bound of one server is longer than the time that the caller has for all.
func TestEveryServerIsAskedInTheTimeOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hung{}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := firstWritable{{"a", h, time.Minute}, {"b", h, time.Second / 2}, {"c", h, time.Minute}}.Connect(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []time.Time{began, began.Add(time.Second), began.Add(time.Second + time.Second/2)}, h.asked)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}
