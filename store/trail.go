package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
)

const (
	sqlNote = "INSERT INTO trail (at, who, role, verb, target, sale_id, before_value, after_value, outcome, request_id) VALUES "
	noteRow = "(%s,?,?,?,?,?,?,?,?,?)"
)

// note writes a change into the trail, in the transaction that makes the change: neither is committed without the other. The
// actor is that of the context.
func (s *Store) note(ctx context.Context, tx *sql.Tx, c sale.Change) error {
	return s.noteAll(ctx, tx, sale.OutcomeDone, c)
}

// noteAll writes changes with one outcome, in one statement for a thousand of them.
func (s *Store) noteAll(ctx context.Context, tx *sql.Tx, outcome string, changes ...sale.Change) (err error) {
	actor := sale.ActorOf(ctx)
	text := func(value any) string {
		encoded, fault := sale.JSON(value)
		err = errors.Join(err, fault)
		return string(encoded)
	}
	var rows [][]any
	for _, c := range changes {
		rows = append(rows, []any{cut(actor.Who, 64), string(actor.Role), c.Verb, cut(c.Target, 200), c.Sale, text(c.Before),
			text(c.After), cut(outcome, 64), cut(actor.RequestID, 64)})
	}
	if err == nil {
		err = insert(ctx, tx, sqlNote, fmt.Sprintf(noteRow, s.dialect.now), rows, func(args []any, row []any) []any {
			return append(args, row...)
		})
	}
	if err != nil {
		return fmt.Errorf("write %d changes into the trail: %w", len(changes), err)
	}
	return nil
}

// NoteRefused writes into the trail that a change was refused, with the code of the answer as the outcome.
func (s *Store) NoteRefused(ctx context.Context, c sale.Change, code string) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return s.noteAll(ctx, tx, code, c) })
}

const sqlTrail = "SELECT entry_id, at, who, role, verb, target, sale_id, before_value, after_value, outcome, request_id, " +
	"COALESCE(position, 0), COALESCE(hash, '') FROM trail"

// Trail returns at most q.Limit entries, newest first, and whether there are more.
func (s *Store) Trail(ctx context.Context, q sale.TrailQuery) (entries []sale.TrailEntry, more bool, err error) {
	where, args := " WHERE entry_id > 0", []any{}
	if q.Sale != "" {
		where, args = where+" AND sale_id = ?", append(args, q.Sale)
	}
	if q.Before > 0 {
		where, args = where+" AND entry_id < ?", append(args, q.Before)
	}
	if !q.Since.IsZero() {
		where, args = where+" AND at >= ?", append(args, moment{q.Since})
	}
	query := sqlTrail + where + " ORDER BY entry_id DESC LIMIT ?"
	entries, err = readTrail(ctx, s.db, query, append(args, q.Limit+1)...)
	if err != nil {
		return nil, false, fmt.Errorf("read the trail: %w", err)
	}
	if more = len(entries) > q.Limit; more {
		entries = entries[:q.Limit]
	}
	return entries, more, nil
}

func readTrail(ctx context.Context, q querier, query string, args ...any) (entries []sale.TrailEntry, err error) {
	err = each(ctx, q, query, args, func(rows scanner) error {
		var e sale.TrailEntry
		var at moment
		var before, after string
		err := rows.Scan(&e.ID, &at, &e.Who, &e.Role, &e.Verb, &e.Target, &e.Sale, &before, &after, &e.Outcome, &e.RequestID,
			&e.Position, &e.Hash)
		e.At, e.Before, e.After = at.Time, []byte(before), []byte(after)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

const (
	sqlTrailHead = "SELECT position, hash FROM trail_head WHERE id = 1"
	sqlUnchained = sqlTrail + " WHERE position IS NULL ORDER BY entry_id LIMIT ?"
	sqlChain     = "UPDATE trail%s SET position = ?, hash = ? WHERE entry_id = ? AND position IS NULL"
	sqlMoveHead  = "UPDATE trail_head SET position = ?, hash = ? WHERE id = 1"
)

// TrailHead returns the end of the chain.
func (s *Store) TrailHead(ctx context.Context) (head sale.TrailHead, err error) {
	if err = s.db.QueryRowContext(ctx, sqlTrailHead).Scan(&head.Position, &head.Hash); err != nil {
		return head, fmt.Errorf("read the end of the trail's chain: %w", err)
	}
	return head, nil
}

// ChainTrail gives at most limit entries that are not chained their position and hash, and returns how many. The lock of the
// chain's end makes two processes that chain at once wait for each other.
func (s *Store) ChainTrail(ctx context.Context, limit int) (chained int, err error) {
	waiting, err := readTrail(ctx, s.db, sqlUnchained, 1) // an idle trail costs one statement
	if err != nil || len(waiting) == 0 {
		return 0, s.chainError(err)
	}
	err = s.transact(ctx, func(tx *sql.Tx) (err error) {
		chained, err = s.chainTrail(ctx, tx, limit)
		return err
	})
	if err != nil {
		return 0, s.chainError(err)
	}
	faults.Point("store.trail-chained")
	return chained, nil
}

func (s *Store) chainError(err error) error {
	if err != nil {
		err = fmt.Errorf("chain the trail: %w", err)
	}
	return err
}

func (s *Store) chainTrail(ctx context.Context, tx *sql.Tx, limit int) (int, error) {
	var head sale.TrailHead
	if err := tx.QueryRowContext(ctx, sqlTrailHead+s.dialect.lock).Scan(&head.Position, &head.Hash); err != nil {
		return 0, err
	}
	entries, err := readTrail(ctx, tx, sqlUnchained, limit)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	chain := fmt.Sprintf(sqlChain, s.dialect.forced)
	for i := range entries {
		e := &entries[i]
		e.Position = head.Position + 1
		head = sale.TrailHead{Position: e.Position, Hash: e.Link(head.Hash)}
		if err := changeExactly(ctx, tx, 1, "trail rows", chain, []any{head.Position, head.Hash, e.ID}); err != nil {
			return 0, err
		}
	}
	return len(entries), changeExactly(ctx, tx, 1, "ends of the trail's chain", sqlMoveHead, []any{head.Position, head.Hash})
}
