package e2e

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

const backupPrefix = "backup_of_"

// tables lists the tables of the stack's schema, without the backup's.
func (s *stack) tables(db *sql.DB) []string {
	s.t.Helper()
	rows, err := db.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	require.NoError(s.t, err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		require.NoError(s.t, rows.Scan(&name))
		if !strings.HasPrefix(name, backupPrefix) {
			names = append(names, name)
		}
	}
	require.NoError(s.t, rows.Err())
	return names
}

// backup keeps a copy of every table.
func (s *stack) backup() {
	s.t.Helper()
	db := s.DB()
	for _, name := range s.tables(db) {
		s.exec(db, "CREATE TABLE "+backupPrefix+name+" LIKE "+name, // TiDB has no CREATE TABLE AS SELECT
			"INSERT INTO "+backupPrefix+name+" SELECT * FROM "+name)
	}
}

// restore brings every table back to what it was at the backup. No process of ours may run.
func (s *stack) restore() {
	s.t.Helper()
	db := s.DB()
	for _, name := range s.tables(db) {
		s.exec(db, "DELETE FROM "+name, "INSERT INTO "+name+" SELECT * FROM "+backupPrefix+name)
	}
}

func (s *stack) exec(db *sql.DB, statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(s.t, err, statement)
	}
}

// mend runs the statements that the log of a process gives for the repair, as an operator does who copies them.
func (s *stack) mend(log string) {
	s.t.Helper()
	_, log, found := strings.Cut(log, "BEGIN;")
	require.True(s.t, found, log)
	statements, _, found := strings.Cut(log, "COMMIT;")
	require.True(s.t, found, log)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tx, err := s.DB().BeginTx(ctx, nil)
	require.NoError(s.t, err)
	for statement := range strings.SplitSeq(statements, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		_, err := tx.Exec(statement)
		require.NoError(s.t, err, statement)
	}
	require.NoError(s.t, tx.Commit())
}
