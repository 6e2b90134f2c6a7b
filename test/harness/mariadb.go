package harness

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// MariaDBServer is a MariaDB (or, from the environment, any MySQL) that serves tests.
type MariaDBServer struct {
	server
	Addr   string // host:port
	config *mysql.Config
	suffix string // of schema names on a foreign server, so that two runs do not meet

	mu      sync.Mutex
	schemas map[string]bool
}

// Options of the data folder and of the server alike. A small redo log makes copying the template cheap. A commit is
// written to the operating system at once and synced each second: kill -9 of the server loses nothing, and the speed of the
// disk does not decide how long tests take.
var mariaDBOptions = []string{"--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=2"}

// MariaDB starts a private MariaDB; args are further options of mariadbd and win over the harness's own.
func MariaDB(t testing.TB, args ...string) *MariaDBServer {
	t.Helper()
	s, err := newMariaDB(t, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

func newMariaDB(t testing.TB, further []string) (*MariaDBServer, error) {
	path, err := program("mariadbd", "mariadb-server-core", "FLASHSALE_TEST_MYSQL=user:password@tcp(host:port)/")
	if err != nil {
		return nil, err
	}
	template, err := mariaDBTemplate(path)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &MariaDBServer{Addr: loopback(port), schemas: map[string]bool{}}
	s.config = mysql.NewConfig()
	s.config.User, s.config.Net, s.config.Addr = "root", "tcp", s.Addr
	s.Dir = folder(t, "mariadb")
	data := filepath.Join(s.Dir, "data")
	if err := os.CopyFS(data, os.DirFS(template)); err != nil {
		return nil, fmt.Errorf("copy the data folder: %w", err)
	}
	scratch := filepath.Join(s.Dir, "tmp") // of its own, so that servers do not share temporary tables
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of temporary tables: %w", err)
	}
	args := append([]string{
		"--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--tmpdir=" + scratch, "--socket=" + filepath.Join(s.Dir, "s"), "--pid-file=" + filepath.Join(s.Dir, "pid"),
		"--skip-name-resolve",
		"--max-connections=400", "--character-set-server=utf8mb4",
	}, mariaDBOptions...)
	args = slices.Concat(args, asRoot(), further)
	s.process = &Process{Dir: s.Dir, path: path, args: args, name: "mariadbd", tb: t}
	s.ready = func() error { return s.exec("SELECT 1") }
	return s, nil
}

// mariaDBTemplate returns a fresh data folder to copy: making one takes five times as long as copying it.
func mariaDBTemplate(server string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	version, err := exec.Command(server, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask mariadbd for its version: %w", err)
	}
	name := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`).FindString(string(version))
	template := filepath.Join(cache, "mariadb-"+name)
	err = once("mariadb", func() bool { return isFolder(template) }, func() error {
		return build(template, func(dir string) error { return bootstrapMariaDB(server, dir) })
	})
	return template, err
}

// bootstrapMariaDB fills a data folder with the system tables, as mariadb-install-db does. That script is not used: it
// needs a program of the client package, and spends its time on help texts and views that no test reads.
func bootstrapMariaDB(server, dir string) error {
	statements := "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
	for _, name := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := readShare(name)
		if err != nil {
			return err
		}
		statements += text
	}
	args := append([]string{"--no-defaults", "--bootstrap", "--datadir=" + dir, "--log-warnings=0"}, mariaDBOptions...)
	cmd := exec.Command(server, append(args, asRoot()...)...)
	cmd.Stdin = strings.NewReader(statements)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the system tables of MariaDB: %w\n%s", err, Tail(string(output)))
	}
	return nil
}

// readShare reads a file of MariaDB's share folder, which Debian still calls mysql.
func readShare(name string) (string, error) {
	for _, dir := range []string{"/usr/share/mysql", "/usr/share/mariadb", "/usr/local/share/mysql", "/usr/local/share/mariadb"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			return string(text), nil
		}
	}
	return "", fmt.Errorf("%s is in none of MariaDB's share folders", name)
}

// asRoot returns the argument that mariadbd demands when root starts it.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
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

func (s *MariaDBServer) must(statement string) {
	if err := s.exec(statement); err != nil {
		panic(fmt.Sprintf("MariaDB of the harness: %s: %v", statement, err))
	}
}

func (s *MariaDBServer) exec(statement string) error {
	connector, err := mysql.NewConnector(s.config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
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
