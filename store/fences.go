package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

const (
	sqlPassFence    = "INSERT INTO fences (token, passed_ms) VALUES (?, %s)"
	sqlForgetFences = "DELETE FROM fences WHERE passed_ms < %s - ?"
	sqlFences       = "SELECT COUNT(*) FROM fences WHERE token IN ("
)

// fenceLife is how long the row of a passed fence stays: much longer than a rebuild waits for it.
const fenceLife = 24 * time.Hour

func (s *Store) passFences(ctx context.Context, tx *sql.Tx, tokens []string) error {
	if len(tokens) == 0 {
		return nil
	}
	statement := fmt.Sprintf(sqlPassFence, s.dialect.nowMS) + s.dialect.absent("token")
	for _, token := range tokens {
		if _, err := tx.ExecContext(ctx, statement, token); err != nil {
			return fmt.Errorf("pass fence %s: %w", token, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(sqlForgetFences, s.dialect.nowMS), fenceLife.Milliseconds())
	return err
}

// FencesPassed reports whether settlement has committed all of these fence records.
func (s *Store) FencesPassed(ctx context.Context, tokens []string) (bool, error) {
	distinct := slices.Compact(slices.Sorted(slices.Values(tokens)))
	passed := 0
	for chunk := range slices.Chunk(distinct, maxIDs) {
		args := make([]any, len(chunk))
		for i, token := range chunk {
			args[i] = token
		}
		var n int
		if err := s.db.QueryRowContext(ctx, sqlFences+placeholders(len(chunk))+")", args...).Scan(&n); err != nil {
			return false, fmt.Errorf("look for %d fences: %w", len(tokens), err)
		}
		passed += n
	}
	return passed == len(distinct), nil
}
