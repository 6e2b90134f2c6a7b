package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/sale"
)

// A server notices the end of a connection a moment after it, so taking the lock waits three seconds for one that was killed.
const (
	sqlTakeShadowLock = "SELECT GET_LOCK(?, 3)"
	sqlHaveShadowLock = "SELECT IS_USED_LOCK(?) = CONNECTION_ID()"
	sqlGiveShadowLock = "SELECT RELEASE_LOCK(?)"
)

// ShadowLock is the lock of the server that one rehearsal holds. It ends with its connection, and so with its process.
type ShadowLock struct {
	conn *sql.Conn
	name string
}

// Lock takes the lock of this engine's rehearsals. The error wraps sale.ErrLeaseHeld while another rehearsal has it.
func (h *ShadowSchema) Lock(ctx context.Context) (*ShadowLock, error) {
	conn, err := h.server.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the rehearsal: %w", err)
	}
	l := &ShadowLock{conn, shadowLockName(h.names)}
	var taken sql.NullInt64
	err = conn.QueryRowContext(ctx, sqlTakeShadowLock, l.name).Scan(&taken)
	if err == nil && !isLocked(taken) {
		err = sale.ErrLeaseHeld
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the rehearsal: %w", err), conn.Close())
	}
	return l, nil
}

// shadowLockName is a digest, because MySQL allows 64 characters.
func shadowLockName(names sale.Shadow) string {
	return fmt.Sprintf("flashsale rehearsal %x", sha256.Sum256([]byte(names.Schema())))[:52]
}

// Check returns an error when the lock is lost, as with its connection.
func (l *ShadowLock) Check(ctx context.Context) error {
	var mine sql.NullInt64
	err := l.conn.QueryRowContext(ctx, sqlHaveShadowLock, l.name).Scan(&mine)
	if err == nil && !isLocked(mine) {
		err = errors.New("another connection has it, or none")
	}
	if err != nil {
		return fmt.Errorf("the lock of the rehearsal is lost: %w", err)
	}
	return nil
}

// Release gives the lock back.
func (l *ShadowLock) Release(ctx context.Context) error {
	return errors.Join(l.conn.QueryRowContext(ctx, sqlGiveShadowLock, l.name).Scan(new(sql.NullInt64)), l.conn.Close())
}
