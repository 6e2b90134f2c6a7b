package store

import (
	"strings"

	"github.com/go-sql-driver/mysql"
)

// conflict is an error of a server after which the transaction is undone and may run again.
type conflict struct {
	number uint16
	says   string // part of the message if the number has other meanings too; empty: the number is sufficient
}

// conflicts returns those of MySQL 9.7, MariaDB 11.8, Galera 4 and TiDB 8.5. docs/compatibility.md names the source of each.
// It does not contain errors of a server that is not reachable, full or read-only: these last longer than a conflict.
func conflicts() []conflict {
	return []conflict{
		{1020, ""},                         // MariaDB: the row has changed since the snapshot (innodb_snapshot_isolation)
		{1047, "WSREP"},                    // Galera: this node accepts no statements at present
		{1105, "pessimistic lock retry"},   // TiDB: one statement has met others' locks 256 times
		{1180, "149"},                      // MySQL, Galera: HA_ERR_LOCK_DEADLOCK during COMMIT
		{1205, ""},                         // all: lock wait timeout
		{1213, ""},                         // all: deadlock; Galera: the certification failed
		{1412, ""},                         // MySQL, MariaDB: the table was altered after the snapshot
		{3101, ""},                         // MySQL Group Replication: the certification failed
		{8002, ""}, {8005, ""}, {8022, ""}, // TiDB: write conflicts, found at the commit
		{8028, ""}, // TiDB: the table was altered meanwhile
		{8229, ""}, // TiDB: the locks of the transaction have expired
		{9004, ""}, // TiDB: it could not resolve others' locks in time
		{9007, ""}, // TiDB: write conflict
	}
}

// isConflict reports whether the transaction may run again after an error of the server.
func isConflict(answer *mysql.MySQLError) bool {
	for _, c := range conflicts() {
		if c.number == answer.Number && strings.Contains(answer.Message, c.says) {
			return true
		}
	}
	return false
}
