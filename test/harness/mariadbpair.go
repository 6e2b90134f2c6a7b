package harness

import (
	"fmt"
	"strings"
	"testing"
)

// replicationUser copies the primary's binary log.
const replicationUser = "replication"

// MariaDBPair starts a primary and a replica of it that is read-only. args are further options of both. They are MariaDB
// whatever the environment chooses, because other databases spell these statements otherwise.
func MariaDBPair(t testing.TB, args ...string) (primary, replica *MariaDBServer) {
	t.Helper()
	primary = MariaDBOf(t, kinds[0].Name, append([]string{"--log-bin=binlog", "--server-id=1",
		"--binlog-format=ROW"}, args...)...)
	replica = MariaDBOf(t, kinds[0].Name, append([]string{"--server-id=2", "--read-only=1", "--slave-net-timeout=5"}, args...)...)
	host, port, _ := strings.Cut(primary.Addr, ":")
	for _, statement := range []string{
		"CREATE USER " + replicationUser + "@'%' IDENTIFIED BY '" + PasswordOf(replicationUser) + "'",
		"GRANT REPLICATION SLAVE ON *.* TO " + replicationUser + "@'%'",
	} {
		primary.must(statement)
	}
	replica.must(fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%s, MASTER_USER='%s', MASTER_PASSWORD='%s', "+
		"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1", host, port, replicationUser, PasswordOf(replicationUser)))
	replica.must("START SLAVE")
	return primary, replica
}

// At returns a DSN of another server with the address of this one, where replication has made the same database.
func (s *MariaDBServer) At(dsn string, of *MariaDBServer) string {
	return strings.Replace(dsn, of.Addr, s.Addr, 1)
}

// Exec runs a statement as the superuser.
func (s *MariaDBServer) Exec(t testing.TB, statement string) {
	t.Helper()
	if err := s.exec(statement); err != nil {
		t.Fatalf("MariaDB at %s: %s: %v", s.Addr, statement, err)
	}
}
