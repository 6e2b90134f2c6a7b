package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// releasedMySQL is the MySQL of a release of Debian.
func releasedMySQL(from releasedProgram) (databaseEngine, error) {
	command, err := from.command()
	if err != nil {
		return databaseEngine{}, err
	}
	root, err := from.home()
	if err != nil {
		return databaseEngine{}, err
	}
	command = append(command, "--no-defaults", "--basedir="+filepath.Join(root, "usr"),
		"--lc-messages-dir="+filepath.Join(root, "usr/share/mysql"),
		"--character-sets-dir="+filepath.Join(root, "usr/share/mysql/charsets"),
		"--innodb-redo-log-capacity=64M", "--innodb-flush-log-at-trx-commit=2", "--secure-file-priv=",
		"--innodb-flush-method=nosync") // each change of a table would be synced several times; kill -9 loses nothing
	template, err := mySQLTemplate(command, filepath.Base(root))
	return databaseEngine{name: "mysqld", command: command, template: template, options: mySQLArguments}, err
}

func mySQLArguments(s *MariaDBServer, port int) []string {
	return append([]string{
		"--datadir=" + s.data(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--tmpdir=" + s.scratch(), "--socket=" + filepath.Join(s.Dir, "s"), "--pid-file=" + filepath.Join(s.Dir, "pid"),
		"--skip-name-resolve", "--mysqlx=OFF", "--disable-log-bin", "--max-connections=400",
		"--character-set-server=utf8mb4",
	}, asRoot()...)
}

// mySQLRoot lets root in by the address: without name resolution 127.0.0.1 is not the host localhost.
const mySQLRoot = "CREATE USER root@127.0.0.1; GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;\n"

// mySQLTemplate returns a fresh data folder to copy, whose root user has no password.
func mySQLTemplate(command []string, name string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	template := filepath.Join(cache, name+"-data")
	err = once("mysql", func() bool { return isFolder(template) }, func() error {
		return build(template, func(dir string) error {
			user := dir + ".sql"
			if err := os.WriteFile(user, []byte(mySQLRoot), 0o600); err != nil {
				return err
			}
			defer os.Remove(user)
			args := append(command[1:len(command):len(command)], "--initialize-insecure", "--datadir="+dir,
				"--init-file="+user)
			output, err := exec.Command(command[0], append(args, asRoot()...)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("make the system tables of MySQL: %w\n%s", err, Tail(string(output)))
			}
			// every server makes a name of its own; two with one name could not replicate to each other
			return os.Remove(filepath.Join(dir, "auto.cnf"))
		})
	})
	return template, err
}
