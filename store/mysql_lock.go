package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The name holds the database's, because GET_LOCK is per server; LEFT keeps it within the 64 characters allowed.
const (
	sqlTakeMigrationLock = "SELECT GET_LOCK(LEFT(CONCAT('migrate ', DATABASE()), 64), 10)"
	sqlGiveMigrationLock = "SELECT RELEASE_LOCK(LEFT(CONCAT('migrate ', DATABASE()), 64))"
)

// maxLockWaits times 10 seconds is how long a migration waits for another process's.
const maxLockWaits = 12

// mysqlMigrationLock is a lock of the server's that ends with its connection.
type mysqlMigrationLock struct{}

// SessionLock waits for the lock.
func (mysqlMigrationLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for range maxLockWaits {
		var taken sql.NullInt64
		if err := conn.QueryRowContext(ctx, sqlTakeMigrationLock).Scan(&taken); err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if taken.Int64 == 1 {
			return nil
		}
	}
	return errors.New("take the migration lock: another process holds it")
}

// SessionUnlock gives the lock back.
func (mysqlMigrationLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var given sql.NullInt64
	if err := conn.QueryRowContext(ctx, sqlGiveMigrationLock).Scan(&given); err != nil {
		return fmt.Errorf("give the migration lock back: %w", err)
	}
	return nil
}
