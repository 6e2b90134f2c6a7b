package store

import (
	"context"
	"fmt"
)

const (
	sqlBeat     = "UPDATE replica_beat SET beat = beat + 1 WHERE id = 1"
	sqlLastBeat = "SELECT beat, %s FROM replica_beat WHERE id = 1"
)

// Beat writes the next beat. A replica that has it has every transaction that was committed before it.
func (s *Store) Beat(ctx context.Context) error {
	result, err := s.db.ExecContext(ctx, sqlBeat)
	var n int64
	if err == nil {
		n, err = result.RowsAffected()
	}
	if err == nil && n != 1 {
		err = fmt.Errorf("table replica_beat has %d rows with id 1", n)
	}
	if err != nil {
		return fmt.Errorf("write a beat for the replica: %w", err)
	}
	return nil
}

// ReplicaTables names the tables that gateways read on a replica: those of Orders, BuyerOrders and LastBeat.
func (s *Store) ReplicaTables() []string {
	return []string{"dead_letter_orders", "order_lines", "orders", "replica_beat", "sales"}
}

// LastBeat returns the beat that this server has, and whether the server is read-only.
func (s *Store) LastBeat(ctx context.Context) (beat int64, readOnly bool, err error) {
	query := fmt.Sprintf(sqlLastBeat, s.dialect.readOnly)
	if err := s.db.QueryRowContext(ctx, query).Scan(&beat, &readOnly); err != nil {
		return 0, false, fmt.Errorf("read the last beat: %w", err)
	}
	return beat, readOnly, nil
}
