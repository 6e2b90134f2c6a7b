package store

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
)

const (
	sqlForgetList  = "UPDATE sales SET list_version = 0, list_size = 0, list_started = ? WHERE sale_id = ?"
	sqlDeleteDraft = "DELETE FROM sales WHERE sale_id = ?"
)

// ForgetLists deletes every list of buyers of an archived sale, or of a draft that was never preloaded, page by page, and
// returns the number of the last one that was begun. An upload of a list that is under way fails. It is repeatable. For a sale
// in another state the error is a *sale.StateError.
func (s *Store) ForgetLists(ctx context.Context, id string) (last int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		present, started, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		last = started
		if present.State == sale.StateArchived {
			_, err = tx.ExecContext(ctx, sqlForgetList, started, id)
			return err
		}
		if err := mayDelete(ctx, tx, &present); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlForgetList, started+1, id); err != nil {
			return err
		}
		return stampSaleRow(ctx, tx, id)
	})
	faults.Point("store.lists-forgotten")
	if err == nil {
		err = s.deleteLists(ctx, id, 0, last)
	}
	if err != nil {
		return 0, fmt.Errorf("forget the lists of %s: %w", id, err)
	}
	return last, nil
}

// DeleteDraft deletes a draft that was never preloaded and has no list of buyers; see ForgetLists. For a sale in
// another state the error is a *sale.StateError, and for one that does not exist it wraps sale.ErrNotFound.
func (s *Store) DeleteDraft(ctx context.Context, id string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := mayDelete(ctx, tx, &present); err != nil {
			return err
		}
		if present.ListVersion != 0 {
			return &sale.StateError{State: present.State, Detail: "it got a list of buyers meanwhile"}
		}
		for _, statement := range []string{sqlDeleteItems, sqlDeleteDraft} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return s.note(ctx, tx, sale.Change{Sale: id, Verb: sale.VerbArchive, Target: sale.TargetSale(id), Before: present})
	})
	if err != nil {
		return fmt.Errorf("delete draft %s: %w", id, err)
	}
	faults.Point("store.draft-deleted")
	return nil
}

func mayDelete(ctx context.Context, tx *sql.Tx, present *sale.Sale) error {
	if preloaded, err := isPreloaded(ctx, tx, present); err != nil || !preloaded {
		return err
	}
	return &sale.StateError{State: present.State, Detail: "only a draft that was never preloaded can be deleted"}
}
