package store

import (
	"context"
	"fmt"
	"time"
)

// Gateways write here which version of the catalogue they use, so that a process that has changed it can wait for them.

const (
	sqlNoteGateway   = "UPDATE gateways SET version = ?, seen_ms = %s WHERE holder = ?"
	sqlAddGateway    = "INSERT INTO gateways (holder, version, seen_ms) VALUES (?, ?, %s)"
	sqlForgetSilent  = "DELETE FROM gateways WHERE seen_ms < %s - ?"
	sqlForgetGateway = "DELETE FROM gateways WHERE holder = ?"
	sqlBehind        = "SELECT holder FROM gateways WHERE version < ? AND seen_ms > %s - ? ORDER BY holder"
	sqlLive          = "SELECT COUNT(*) FROM gateways WHERE seen_ms > %s - ?"
)

// oldGateway is how long the row of a gateway stays that ended without ForgetGateway.
const oldGateway = time.Hour

// NoteGateway writes which version of the catalogue a gateway uses now.
func (s *Store) NoteGateway(ctx context.Context, holder string, version int64) error {
	noted, err := s.changed(ctx, fmt.Sprintf(sqlNoteGateway, s.dialect.nowMS), version, holder)
	if err == nil && !noted { // there is no row, or it has equal values written in this millisecond
		err = s.addGateway(ctx, holder, version)
	}
	if err != nil {
		return fmt.Errorf("note that gateway %s has version %d: %w", holder, version, err)
	}
	return nil
}

func (s *Store) addGateway(ctx context.Context, holder string, version int64) error {
	if _, err := s.execute(ctx, fmt.Sprintf(sqlForgetSilent, s.dialect.nowMS), oldGateway.Milliseconds()); err != nil {
		return err
	}
	_, err := s.execute(ctx, fmt.Sprintf(sqlAddGateway, s.dialect.nowMS), holder, version)
	if s.dialect.fault(err) == faultDuplicate {
		return nil
	}
	return err
}

// ForgetGateway removes a gateway that ends, so that no process waits for it.
func (s *Store) ForgetGateway(ctx context.Context, holder string) error {
	if _, err := s.execute(ctx, sqlForgetGateway, holder); err != nil {
		return fmt.Errorf("forget gateway %s: %w", holder, err)
	}
	return nil
}

// CatalogueVersion returns the version of the last committed change of the catalogue.
func (s *Store) CatalogueVersion(ctx context.Context) (version int64, err error) {
	if err = s.db.QueryRowContext(ctx, sqlVersion).Scan(&version); err != nil {
		return 0, fmt.Errorf("read the catalogue's version: %w", err)
	}
	return version, nil
}

// GatewaysBehind returns the gateways that wrote within a time and use an older version of the catalogue.
func (s *Store) GatewaysBehind(ctx context.Context, version int64, within time.Duration) ([]string, error) {
	var behind []string
	err := each(ctx, s.db, fmt.Sprintf(sqlBehind, s.dialect.nowMS), []any{version, within.Milliseconds()},
		func(rows scanner) error {
			var holder string
			err := rows.Scan(&holder)
			behind = append(behind, holder)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read the gateways that are behind version %d: %w", version, err)
	}
	return behind, nil
}

// LiveGateways returns the number of gateways that wrote within a time.
func (s *Store) LiveGateways(ctx context.Context, within time.Duration) (live int64, err error) {
	err = s.db.QueryRowContext(ctx, fmt.Sprintf(sqlLive, s.dialect.nowMS), within.Milliseconds()).Scan(&live)
	if err != nil {
		return 0, fmt.Errorf("count the live gateways: %w", err)
	}
	return live, nil
}
