package harness

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// databaseEngine is what a kind of database needs to run.
type databaseEngine struct {
	name     string
	command  []string // the program and what it is always given
	template string   // data folder to copy; "": the server makes its own
	options  func(s *MariaDBServer, port int) []string
	ready    string // a statement that passes once the server serves, and may set what tests need; "": SELECT 1
	readOnly string // the variable by which a server takes no writes; "": read_only
}

// databaseEngines find or fetch the kinds of one server each.
var databaseEngines = map[string]func() (databaseEngine, error){
	"mariadb-10.11": localMariaDB,
	"mariadb-11.8": func() (databaseEngine, error) {
		return releasedMariaDB(releasedProgram{"trixie", "mariadb-server-core", "usr/sbin/mariadbd"})
	},
	"mysql-9.7": func() (databaseEngine, error) {
		return releasedMySQL(releasedProgram{"sid", "mysql-server-core", "usr/sbin/mysqld"})
	},
	"tidb-8": builtTiDB,
}

// newDatabase prepares a server of a kind, or the first of several nodes, with further options that win.
func newDatabase(t testing.TB, kind Kind, further []string) (*MariaDBServer, error) {
	if kind.Name == galeraKind {
		return newGalera(t, kind, further)
	}
	engine, err := databaseEngines[kind.Name]()
	if err != nil {
		return nil, err
	}
	return engine.server(t, kind, further)
}

// server prepares one server with a data folder of its own.
func (e databaseEngine) server(t testing.TB, kind Kind, further []string) (*MariaDBServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{Addr: loopback(port), schemas: map[string]bool{}}
	s.config = mysql.NewConfig()
	s.config.User, s.config.Net, s.config.Addr = "root", "tcp", s.Addr
	s.Dir = folder(t, e.name)
	if e.template != "" {
		if err := os.CopyFS(s.data(), os.DirFS(e.template)); err != nil {
			return nil, fmt.Errorf("copy the data folder: %w", err)
		}
	}
	if err := os.Mkdir(s.scratch(), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of temporary tables: %w", err)
	}
	args := slices.Concat(e.command[1:], e.options(s, port), further)
	s.process = &Process{Dir: s.Dir, path: e.command[0], args: args, name: e.name, tb: t}
	s.ready = func() error { return s.exec(cmp.Or(e.ready, "SELECT 1")) }
	s.readOnly = cmp.Or(e.readOnly, "read_only")
	s.verify = func() error {
		version, err := s.version()
		if err != nil {
			return err
		}
		return kind.suits(version)
	}
	return s, nil
}

// SetReadOnly makes the server refuse the writes of accounts without further rights, or take them again.
func (s *MariaDBServer) SetReadOnly(t testing.TB, on bool) {
	t.Helper()
	if err := s.exec(fmt.Sprintf("SET GLOBAL %s = %t", s.readOnly, on)); err != nil {
		t.Fatal(err)
	}
}

func (s *MariaDBServer) data() string { return filepath.Join(s.Dir, "data") }

// scratch is a folder of temporary tables of the server's own, because servers that share one delete each other's.
func (s *MariaDBServer) scratch() string { return filepath.Join(s.Dir, "tmp") }

func (s *MariaDBServer) version() (version string, err error) {
	err = s.ask(func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	})
	return version, err
}

func (s *MariaDBServer) exec(statement string) error {
	return s.ask(func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	})
}

// ask runs statements on a connection of their own, for at most ten seconds.
func (s *MariaDBServer) ask(statements func(context.Context, *sql.DB) error) error {
	connector, err := mysql.NewConnector(s.config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return statements(ctx, db)
}
