package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Options of the data folder and of the server alike. A small redo log makes copying the template cheap. A commit is
// written to the operating system at once and synced each second: kill -9 of the server loses nothing, and the speed of the
// disk does not decide how long tests take.
var mariaDBOptions = []string{"--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=2"}

// localMariaDB is the MariaDB of this machine's package.
func localMariaDB() (databaseEngine, error) {
	path, err := program("mariadbd", "mariadb-server-core", "FLASHSALE_TEST_MYSQL=user:password@tcp(host:port)/")
	if err != nil {
		return databaseEngine{}, err
	}
	return mariaDBEngine([]string{path}, "/")
}

// releasedMariaDB is the MariaDB of a release of Debian.
func releasedMariaDB(from releasedProgram) (databaseEngine, error) {
	command, err := from.command()
	if err != nil {
		return databaseEngine{}, err
	}
	root, err := from.home()
	if err != nil {
		return databaseEngine{}, err
	}
	return mariaDBEngine(command, root)
}

// mariaDBEngine is the MariaDB that a command line starts, with its files below a root.
func mariaDBEngine(command []string, root string) (databaseEngine, error) {
	share, err := mariaDBShare(root)
	if err != nil {
		return databaseEngine{}, err
	}
	command = append(command, "--no-defaults", "--lc-messages-dir="+share,
		"--character-sets-dir="+filepath.Join(share, "charsets"))
	template, err := mariaDBTemplate(command, share)
	return databaseEngine{name: "mariadbd", command: command, template: template, options: mariaDBArguments}, err
}

func mariaDBArguments(s *MariaDBServer, port int) []string {
	args := append([]string{
		"--datadir=" + s.data(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--tmpdir=" + s.scratch(), "--socket=" + filepath.Join(s.Dir, "s"), "--pid-file=" + filepath.Join(s.Dir, "pid"),
		"--skip-name-resolve",
		"--max-connections=400", "--character-set-server=utf8mb4",
	}, mariaDBOptions...)
	return append(args, asRoot()...)
}

// mariaDBTemplate returns a fresh data folder to copy: making one takes five times as long as copying it.
func mariaDBTemplate(command []string, share string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	version, err := exec.Command(command[0], append(command[1:], "--version")...).Output()
	if err != nil {
		return "", fmt.Errorf("ask mariadbd for its version: %w", err)
	}
	name := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`).FindString(string(version))
	template := filepath.Join(cache, "mariadb-"+name)
	err = once("mariadb", func() bool { return isFolder(template) }, func() error {
		return build(template, func(dir string) error { return bootstrapMariaDB(command, share, dir) })
	})
	return template, err
}

// bootstrapMariaDB fills a data folder with the system tables, as mariadb-install-db does. That script is not used: it
// needs a program of the client package, and spends its time on help texts and views that no test reads.
func bootstrapMariaDB(command []string, share, dir string) error {
	statements := "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
	for _, name := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := readShare(share, name)
		if err != nil {
			return err
		}
		statements += text
	}
	args := append(command[1:len(command):len(command)], "--bootstrap", "--datadir="+dir, "--log-warnings=0")
	cmd := exec.Command(command[0], append(append(args, mariaDBOptions...), asRoot()...)...)
	cmd.Stdin = strings.NewReader(statements)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the system tables of MariaDB: %w\n%s", err, Tail(string(output)))
	}
	return nil
}

// mariaDBShare returns MariaDB's share folder below a root, which Debian still calls mysql.
func mariaDBShare(root string) (string, error) {
	for _, dir := range []string{"usr/share/mysql", "usr/share/mariadb", "usr/local/share/mysql", "usr/local/share/mariadb"} {
		share := filepath.Join(root, dir)
		if isFile(filepath.Join(share, "mysql_system_tables.sql")) || isFile(filepath.Join(share, "mariadb_system_tables.sql")) {
			return share, nil
		}
	}
	return "", fmt.Errorf("the system tables of MariaDB are in none of the share folders below %s", root)
}

// readShare reads a file of MariaDB's share folder. MariaDB 11 calls mariadb_ what earlier ones call mysql_.
func readShare(share, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(share, name))
	if err != nil {
		text, err = os.ReadFile(filepath.Join(share, strings.Replace(name, "mysql_", "mariadb_", 1)))
	}
	if err != nil {
		return "", fmt.Errorf("%s is not in MariaDB's share folder: %w", name, err)
	}
	return string(text), nil
}

// asRoot returns the argument that MariaDB and MySQL demand when root starts them.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}
