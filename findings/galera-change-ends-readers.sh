#!/usr/bin/env bash
# MariaDB 10.11 with Galera 26.4: an ALTER TABLE ends a transaction that has only read the table; the same server alone lets the
# ALTER wait for the reader.
#
# A metadata lock makes a change of a table wait until each transaction that has touched it has ended, here to the end of
# lock_wait_timeout. On a node of Galera the change has its place in the order of the whole cluster, so it may not wait: it takes
# the lock from the reader, whose next statement fails with error 1213, "Deadlock found", although the transaction wrote nothing
# and nobody waited for anybody. The lock_wait_timeout of the session that changes the table has no effect.
source "$(dirname "$0")/lib.sh"
debian bookworm mariadb-server-core
debian bookworm galera-4
PROVIDER=$(find "$FOLDER/bookworm" -name libgalera_smm.so | head -1)
[ -n "$PROVIDER" ] || cannot "no Galera in the package galera-4"

go_program github.com/go-sql-driver/mysql@v1.10.1 <<'GO'
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/go-sql-driver/mysql"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// said returns an answer of a server as one word: done, or the number of its error.
func said(err error) string {
	var answer *mysql.MySQLError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &answer):
		return fmt.Sprint("error ", answer.Number)
	}
	return err.Error()
}

func main() {
	ctx := context.Background()
	db := must(sql.Open("mysql", "root@tcp("+os.Args[1]+")/test"))
	reader, owner := must(db.Conn(ctx)), must(db.Conn(ctx))
	for _, statement := range []string{"CREATE TABLE orders (id INT PRIMARY KEY) ENGINE=InnoDB",
		"INSERT INTO orders VALUES (1), (2)", "SET SESSION lock_wait_timeout = 2"} {
		must(owner.ExecContext(ctx, statement))
	}
	transaction := must(reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}))
	count := func() error { return transaction.QueryRowContext(ctx, "SELECT COUNT(*) FROM orders").Scan(new(int)) }
	if err := count(); err != nil {
		panic(err)
	}
	var version, provider string
	if err := owner.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		panic(err)
	}
	if err := owner.QueryRowContext(ctx, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "+
		"WHERE VARIABLE_NAME = 'wsrep_provider_version'").Scan(&provider); err != nil {
		panic(err)
	}
	fmt.Println("version", version, provider)
	_, err := owner.ExecContext(ctx, "ALTER TABLE orders ADD COLUMN note INT")
	fmt.Println("change", said(err))
	fmt.Println("reader", said(count()))
}
GO
PORT=$(port 3)
mariadb_data alone
mariadb_data node
mariadb alone "$PORT"
mariadb node "$((PORT + 1))" --wsrep-on=ON "--wsrep-provider=$PROVIDER" --binlog-format=ROW --innodb-autoinc-lock-mode=2 \
	--wsrep-cluster-address=gcomm:// --wsrep-new-cluster --wsrep-node-address=127.0.0.1 \
	"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:$((PORT + 2))"
"$FOLDER/program" "127.0.0.1:$PORT" >"$FOLDER/alone.said" 2>"$FOLDER/err" || cannot "$(head -3 "$FOLDER/err")"
# A node takes statements once it is synced.
eventually sh -c "'$FOLDER/program' 127.0.0.1:$((PORT + 1)) >'$FOLDER/node.said' 2>'$FOLDER/err'"
said() { sed -n "s/^$2 //p" "$FOLDER/$1.said"; }
echo "MariaDB $(said node version)"
still "alone, ALTER TABLE beside a transaction that has read the table" "$(said alone change)" "error 1205"
still "alone, the next statement of that transaction" "$(said alone reader)" "done"
still "a node of Galera, ALTER TABLE beside such a transaction" "$(said node change)" "done"
still "a node of Galera, the next statement of that transaction" "$(said node reader)" "error 1213"
