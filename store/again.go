package store

import (
	"strings"

	"github.com/go-sql-driver/mysql"
)

// conflict is an error of a server that means: the transaction is undone, run all of it again.
type conflict struct {
	number uint16
	says   string // part of the message, where the number alone means other things too; empty: the number suffices
}

// conflicts are those of MySQL 9.7, MariaDB 11.8, Galera 4 and TiDB 8.5. docs/compatibility.md names the source of each. What
// says that a server is away, full or read-only is not among them: its caller waits longer than a conflict lasts.
func conflicts() []conflict {
	return []conflict{
		{1020, ""},                         // MariaDB: the row has changed since the snapshot (innodb_snapshot_isolation)
		{1047, "WSREP"},                    // Galera: this node takes no statements at the moment
		{1105, "pessimistic lock retry"},   // TiDB: it has run one statement against others' locks for 256 times
		{1180, "149"},                      // MySQL, Galera: HA_ERR_LOCK_DEADLOCK during COMMIT
		{1205, ""},                         // all: lock wait timeout
		{1213, ""},                         // all: deadlock; Galera: the transaction failed its certification
		{1412, ""},                         // MySQL, MariaDB: the table was altered after the snapshot
		{3101, ""},                         // MySQL Group Replication: the transaction failed its certification
		{8002, ""}, {8005, ""}, {8022, ""}, // TiDB: write conflicts, found at the commit
		{8028, ""}, // TiDB: the table was altered meanwhile
		{8229, ""}, // TiDB: the locks of the transaction have expired
		{9004, ""}, // TiDB: others' locks could not be resolved in time
		{9007, ""}, // TiDB: write conflict
	}
}

// isConflict reports whether an error of the server asks for the transaction to be run again.
func isConflict(answer *mysql.MySQLError) bool {
	for _, c := range conflicts() {
		if c.number == answer.Number && strings.Contains(answer.Message, c.says) {
			return true
		}
	}
	return false
}
