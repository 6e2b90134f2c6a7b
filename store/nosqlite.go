//go:build nodev

package store

import (
	"database/sql"
	"errors"
)

// openSQLite: the build tag nodev leaves SQLite, which is there for flashsale dev alone, out of the binary.
func openSQLite(string) (*sql.DB, error) {
	return nil, errors.New("SQLite is not in this binary, which was built with -tags nodev")
}

// sqliteDialect has nothing to say of a database that openSQLite does not open.
func sqliteDialect() *dialect { return nil }
