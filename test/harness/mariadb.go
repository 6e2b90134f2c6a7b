package harness

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDBServer is a MariaDB that serves tests, or another database that the environment chooses: the engine and the tests
// speak to all of them in the same way.
type MariaDBServer struct {
	server
	Addr     string // host:port
	config   *mysql.Config
	nodes    []*MariaDBServer // of a cluster, this server first; nil for a single server
	readOnly string           // the variable by which it takes no writes
	suffix   string           // of schema names on a foreign server, so that two runs do not meet

	mu      sync.Mutex
	schemas map[string]bool
}

// MariaDB starts a private database of the chosen kind; args are further options of its server and win over the harness's
// own.
func MariaDB(t testing.TB, args ...string) *MariaDBServer {
	t.Helper()
	s, err := newMariaDB(t, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

// MariaDBOf is MariaDB with the kind of that name, whatever the environment chooses: for comparisons.
func MariaDBOf(t testing.TB, kind string, args ...string) *MariaDBServer {
	t.Helper()
	found, err := kindOf(RoleDatabase, kind)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newDatabase(t, found, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

func newMariaDB(t testing.TB, further []string) (*MariaDBServer, error) {
	kind, err := Chosen(RoleDatabase)
	if err != nil {
		return nil, err
	}
	return newDatabase(t, kind, further)
}

// foreignMariaDB takes the server of the environment.
func foreignMariaDB(dsn string) (*MariaDBServer, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("FLASHSALE_TEST_MYSQL: %w", err)
	}
	s := &MariaDBServer{Addr: config.Addr, config: config, schemas: map[string]bool{}}
	s.suffix = "_" + strconv.Itoa(os.Getpid())
	return s, nil
}

var notInSchemaName = regexp.MustCompile(`[^a-z0-9_]+`)

// DSN returns the driver-format DSN of a database of that name, which is created empty at the first call. The name may
// be a test's: what does not belong in a schema name becomes "_".
func (s *MariaDBServer) DSN(name string) string {
	name = notInSchemaName.ReplaceAllString(strings.ToLower(name), "_")
	const most = 50 // of the 64 characters a schema name may have; the suffix needs the rest
	name = name[max(0, len(name)-most):] + s.suffix
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.schemas[name] {
		s.must("DROP DATABASE IF EXISTS `" + name + "`")
		s.must("CREATE DATABASE `" + name + "` CHARACTER SET utf8mb4")
		s.schemas[name] = true
	}
	config := s.config.Clone()
	config.DBName = name
	return config.FormatDSN()
}

// WriterDSN is DSN for the n-th client: every other client of a cluster writes to the second node.
func (s *MariaDBServer) WriterDSN(n int, name string) string {
	dsn := s.DSN(name)
	if n%2 == 1 && len(s.nodes) > 1 {
		return strings.Replace(dsn, s.Addr, s.nodes[1].Addr, 1)
	}
	return dsn
}

// Open returns a connection pool on the database of that name, for checks that read rows past the code under test.
func (s *MariaDBServer) Open(t testing.TB, name string) *sql.DB {
	t.Helper()
	config, err := mysql.ParseDSN(s.DSN(name))
	if err != nil {
		t.Fatal(err)
	}
	config.ParseTime = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() }) // the server may be gone by then
	return db
}

// Galera reports whether a server is a node of a cluster of Galera.
func Galera(t testing.TB, db *sql.DB) bool {
	t.Helper()
	var on int
	err := db.QueryRowContext(t.Context(), "SELECT @@wsrep_on").Scan(&on)
	return err == nil && on == 1 // an error: the server does not know the variable
}

func (s *MariaDBServer) must(statement string) {
	if err := s.exec(statement); err != nil {
		panic(fmt.Sprintf("MariaDB of the harness: %s: %v", statement, err))
	}
}

// dropSchemas removes what this run left on a foreign server.
func (s *MariaDBServer) dropSchemas() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.schemas {
		if err := s.exec("DROP DATABASE IF EXISTS `" + name + "`"); err != nil {
			return err
		}
	}
	return nil
}
