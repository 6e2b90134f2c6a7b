#!/usr/bin/env bash
# MariaDB 10.11: a server that starts deletes the temporary tables of every other server with the same tmpdir, by default /tmp.
#
# At its start a server removes all files #sql* of its tmpdir as left over from a crash; the names contain the process's number,
# and it does not look at it. A GROUP BY of another server whose temporary table is on disk, because of a TEXT column here, then
# fails at its end with error 6 and Errcode 2, and a temporary table of a session can be read only until a statement opens it a
# second time (error 1017). MariaDB's page on several servers of one machine demands that data folder, port and socket differ,
# and MySQL's chapter on it advises different folders of temporary files only for speed and to tell the files apart.
source "$(dirname "$0")/lib.sh"
debian bookworm mariadb-server-core
mkdir "$FOLDER/tmp"

go_program github.com/go-sql-driver/mysql@v1.10.1 <<'GO'
package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// until waits for something to become true, at most 20 s.
func until(what string, is func() bool) {
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			panic("not within 20 s: " + what)
		}
	}
}

// read returns the only value of a statement's answer, or its error.
func read(c *sql.Conn, statement string) string {
	var value string
	if err := c.QueryRowContext(context.Background(), statement).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}

// Arguments: the server, another server that starts later, their folder of temporary files, and a file to make when the other
// is to start.
func main() {
	ctx := context.Background()
	db := must(sql.Open("mysql", "root@tcp("+os.Args[1]+")/test"))
	session, grouping, gate := must(db.Conn(ctx)), must(db.Conn(ctx)), must(db.Conn(ctx))
	for _, statement := range []string{
		"CREATE TABLE buyer (id INT PRIMARY KEY, note TEXT)",
		"INSERT INTO buyer VALUES (1, 'a'), (2, 'b'), (3, 'a')",
		"CREATE TABLE sold (id INT PRIMARY KEY, buyer INT)",
		"INSERT INTO sold VALUES (1, 1), (2, 2), (3, 3)",
		"CREATE TEMPORARY TABLE first ENGINE=Aria SELECT id FROM sold",
		"CREATE TEMPORARY TABLE second ENGINE=Aria SELECT id FROM sold",
	} {
		must(session.ExecContext(ctx, statement))
	}
	files := func() int { return len(must(filepath.Glob(filepath.Join(os.Args[3], "#sql*")))) }
	fmt.Println("version", read(session, "SELECT VERSION()"))
	fmt.Println("before", read(session, "SELECT COUNT(*) FROM first x JOIN first y ON x.id = y.id"))
	group := func(c *sql.Conn) string {
		return read(c, `SELECT COUNT(*) FROM sold s STRAIGHT_JOIN buyer b ON b.id = s.buyer
			GROUP BY b.note HAVING IF(COUNT(*) > 0, GET_LOCK('gate', 60), 0) = 1 ORDER BY 1 DESC LIMIT 1`)
	}
	fmt.Println("alone", group(grouping))
	read(grouping, "SELECT RELEASE_ALL_LOCKS()")

	read(gate, "SELECT GET_LOCK('gate', 60)")
	counts := make(chan string)
	own := files()
	go func() { counts <- group(grouping) }()
	until("the temporary table of GROUP BY", func() bool { return files() >= own+2 })
	must(0, os.WriteFile(os.Args[4], nil, 0o600))
	until("the other server", func() bool {
		c, err := net.Dial("tcp", os.Args[2])
		return err == nil && c.Close() == nil
	})
	fmt.Println("files", files())
	read(gate, "SELECT RELEASE_LOCK('gate')")
	fmt.Println("group", <-counts)
	fmt.Println("after", read(session, "SELECT COUNT(*) FROM second x JOIN second y ON x.id = y.id"))
}
GO
mariadb_data one
mariadb_data two
PORT=$(port 2)
mariadb one "$PORT" "--tmpdir=$FOLDER/tmp"
"$FOLDER/program" "127.0.0.1:$PORT" "127.0.0.1:$((PORT + 1))" "$FOLDER/tmp" "$FOLDER/ready" >"$FOLDER/said" 2>"$FOLDER/err" &
PROGRAM=$!
STARTED+=("$PROGRAM")
eventually test -e "$FOLDER/ready"
mariadb two "$((PORT + 1))" "--tmpdir=$FOLDER/tmp"
wait "$PROGRAM" || cannot "$(head -3 "$FOLDER/err")"
said() { sed -n "s/^$1 //p" "$FOLDER/said"; }
# error NAME: what was said, without the names of files.
error() { said "$1" | sed -E "s|'/[^']*'|FILE|"; }
echo "MariaDB $(said version)"
still "GROUP BY of a TEXT column, alone" "$(said alone)" 2
still "a temporary table joined with itself, alone" "$(said before)" 3
still "temporary files once another server has started on the same tmpdir" "$(said files)" 0
still "GROUP BY that ran meanwhile" "$(error group)" \
	'Error 6 (HY000): Error on delete of FILE (Errcode: 2 "No such file or directory")'
still "another such table joined with itself" "$(error after)" \
	"Error 1017 (HY000): Can't find file: FILE (errno: 2 \"No such file or directory\")"
