package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"flashsale/faults"
	"flashsale/sale"
)

const sqlSetState = "UPDATE sales SET state = ?, reason = '' WHERE sale_id = ?"

// SetState changes the state of a sale from one of the given states and returns the sale. It returns a sale that has the state
// already unchanged. For any other state the error is a *sale.StateError.
func (s *Store) SetState(ctx context.Context, id string, to sale.State, from ...sale.State) (sale.Sale, error) {
	var moved sale.Sale
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		if present.State == to {
			moved = present
			return nil
		}
		if !slices.Contains(from, present.State) {
			return &sale.StateError{State: present.State, Detail: fmt.Sprintf("it becomes %s only from %s", to, list(from))}
		}
		if _, err := tx.ExecContext(ctx, sqlSetState, to, id); err != nil {
			return err
		}
		if moved, err = stampSale(ctx, tx, id); err != nil {
			return err
		}
		return s.note(ctx, tx, sale.StateChange(&present, &moved))
	})
	if err != nil {
		return sale.Sale{}, fmt.Errorf("set sale %s to %s: %w", id, to, err)
	}
	faults.Point("store.state-set")
	return moved, nil
}

const sqlPauseSale = "UPDATE sales SET state = ?, reason = ? WHERE sale_id = ?"

// PauseSale pauses an open sale on behalf of the engine. The stats of the sale show the reason until an operator resumes it.
// PauseSale does nothing if the sale is not open.
func (s *Store) PauseSale(ctx context.Context, id, reason string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, id)
		if err != nil || present.State != sale.StateOpen {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlPauseSale, sale.StatePaused, cut(reason, 255), id); err != nil {
			return err
		}
		paused, err := stampSale(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, sale.StateChange(&present, &paused))
	})
	if err != nil {
		return fmt.Errorf("pause sale %s: %w", id, err)
	}
	faults.Point("store.sale-paused")
	return nil
}

func list(states []sale.State) string {
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return strings.Join(names, " or ")
}
