package store

import (
	"context"
	"fmt"
)

const sqlEngineID = "SELECT engine_id FROM engine WHERE id = 1"

// EngineID returns the random id that the migration gave this database. Redis stores it, so that engines with different
// databases cannot share it.
func (s *Store) EngineID(ctx context.Context) (string, error) {
	var id string
	if err := s.db.QueryRowContext(ctx, sqlEngineID).Scan(&id); err != nil {
		return "", fmt.Errorf("read the engine's id: %w", err)
	}
	return id, nil
}
