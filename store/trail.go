package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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

// Note writes a change into the trail that no other row of the database shows.
func (s *Store) Note(ctx context.Context, c sale.Change) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return s.note(ctx, tx, c) })
}

// NoteRefused writes into the trail that a change was refused, with the code of the answer as the outcome.
func (s *Store) NoteRefused(ctx context.Context, c sale.Change, code string) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return s.noteAll(ctx, tx, code, c) })
}

const trailColumns = "entry_id, at, who, role, verb, target, sale_id, before_value, after_value, outcome, request_id, " +
	"COALESCE(t.position, 0), COALESCE(t.hash, '')"

// sqlTrailPage reads the end of the chain in the same statement, so that the entries fit it.
const sqlTrailPage = "SELECT h.position, h.hash, " + trailColumns + " FROM trail_head h CROSS JOIN trail t WHERE h.id = 1"

// Trail returns at most q.Limit entries.
func (s *Store) Trail(ctx context.Context, q sale.TrailQuery) (sale.TrailPage, error) {
	order := "entry_id"
	if q.Chain {
		order = "t.position"
	}
	where, args := " AND "+order+" IS NOT NULL", []any{}
	if q.Sale != "" {
		where, args = where+" AND sale_id = ?", append(args, q.Sale)
	}
	if q.Before > 0 {
		where, args = where+" AND "+order+" < ?", append(args, q.Before)
	}
	if !q.Since.IsZero() {
		where, args = where+" AND at >= ?", append(args, moment{q.Since})
	}
	var page sale.TrailPage
	query := sqlTrailPage + where + " ORDER BY " + order + " DESC LIMIT ?"
	err := each(ctx, s.db, query, append(args, q.Limit+1), func(rows scanner) error {
		entry, err := scanTrail(rows, &page.Head.Position, &page.Head.Hash)
		page.Entries = append(page.Entries, entry)
		return err
	})
	if err == nil && len(page.Entries) == 0 {
		err = s.db.QueryRowContext(ctx, sqlTrailHead).Scan(&page.Head.Position, &page.Head.Hash)
	}
	if err != nil {
		return sale.TrailPage{}, fmt.Errorf("read the trail: %w", err)
	}
	if page.More = len(page.Entries) > q.Limit; page.More {
		page.Entries = page.Entries[:q.Limit]
	}
	return page, nil
}

// scanTrail reads an entry behind columns that go elsewhere.
func scanTrail(rows scanner, before ...any) (e sale.TrailEntry, err error) {
	var at moment
	var was, is string
	err = rows.Scan(append(before, &e.ID, &at, &e.Who, &e.Role, &e.Verb, &e.Target, &e.Sale, &was, &is, &e.Outcome,
		&e.RequestID, &e.Position, &e.Hash)...)
	e.At, e.Before, e.After = at.Time, []byte(was), []byte(is)
	return e, err
}

const (
	sqlTrailHead = "SELECT position, hash FROM trail_head WHERE id = 1"
	sqlUnchained = "SELECT " + trailColumns + " FROM trail t WHERE t.position IS NULL ORDER BY entry_id LIMIT ?"
	sqlMoveHead  = "UPDATE trail_head SET position = ?, hash = ? WHERE id = 1"
)

// ChainTrail gives at most limit entries that are not chained their position and hash, and returns how many. The lock of the
// chain's end makes two processes that chain at once wait for each other.
func (s *Store) ChainTrail(ctx context.Context, limit int) (chained int, err error) {
	waiting, err := readUnchained(ctx, s.db, 1) // an idle trail costs one statement
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
	entries, err := readUnchained(ctx, tx, limit)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	for i := range entries {
		e := &entries[i]
		e.Position = head.Position + 1
		e.Hash = e.Link(head.Hash)
		head = sale.TrailHead{Position: e.Position, Hash: e.Hash}
	}
	for chunk := range slices.Chunk(entries, maxTerms) {
		if err := s.writeLinks(ctx, tx, chunk); err != nil {
			return 0, err
		}
	}
	return len(entries), changeExactly(ctx, tx, 1, "ends of the trail's chain", sqlMoveHead, []any{head.Position, head.Hash})
}

const sqlLinks = "UPDATE trail%s SET position = CASE entry_id %s END, hash = CASE entry_id %s END " +
	"WHERE position IS NULL AND entry_id IN (%s)"

// writeLinks writes the position and the hash of entries, in one statement.
func (s *Store) writeLinks(ctx context.Context, tx *sql.Tx, entries []sale.TrailEntry) error {
	var positions, hashes, ids []any
	for i := range entries {
		e := &entries[i]
		positions, hashes, ids = append(positions, e.ID, e.Position), append(hashes, e.ID, e.Hash), append(ids, e.ID)
	}
	cases := repeated("", "WHEN ? THEN ?", " ", len(entries), "")
	links := fmt.Sprintf(sqlLinks, s.dialect.forced, cases, cases, placeholders(len(entries)))
	return changeExactly(ctx, tx, len(entries), "trail rows", links, slices.Concat(positions, hashes, ids))
}

func readUnchained(ctx context.Context, q querier, limit int) (entries []sale.TrailEntry, err error) {
	err = each(ctx, q, sqlUnchained, []any{limit}, func(rows scanner) error {
		entry, err := scanTrail(rows)
		entries = append(entries, entry)
		return err
	})
	return entries, err
}
