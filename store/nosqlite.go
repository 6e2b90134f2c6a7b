//go:build nodev

package store

import (
	"database/sql"
	"errors"
)

// openSQLite fails: the build tag nodev leaves SQLite, which only flashsale dev needs, out of the binary.
func openSQLite(Options) (*sql.DB, error) {
	return nil, errors.New("SQLite is not in this binary, which was built with -tags nodev")
}

// sqliteDialect returns nil, because openSQLite opens no database.
func sqliteDialect() *dialect { return nil }
