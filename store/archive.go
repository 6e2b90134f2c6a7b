package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"flashsale/faults"
	"flashsale/sale"
)

const (
	sqlArchive = "SELECT a.sale_id, a.archived_at, a.books, a.dropped, s.buckets, s.list_started " +
		"FROM archives a JOIN sales s ON s.sale_id = a.sale_id WHERE "
	sqlInsertArchive = "INSERT INTO archives (sale_id, archived_at, books) VALUES (?, ?, ?)"
	sqlDropped       = "UPDATE archives SET dropped = 1 WHERE sale_id = ?"

	sqlArchiveBuckets = "epoch = epoch + 1, state = 'archived', sequence = 0, closed_reason = '', frozen = 0, writes = writes + 1"
)

// ArchiveSale ends a closed sale. It locks the sale and its buckets and verifies that the sale is at rest: the counters are
// those that the caller has judged, every bucket is open, and the database has no outbox row, no waiting dead letter, no
// unfinished stock change and no unpaid order of the sale. Then the sale and its buckets become archived, the buckets in an
// epoch of their own. The rows of buckets and stock stay: they are the final books. What Redis has of the sale, and the lists of
// its buyers, are dropped by the caller, who then calls ArchiveDropped.
//
// For an archived sale it returns the archive. For a sale in another state the error is a *sale.StateError, for one that is not
// at rest a *sale.UnrestError.
func (s *Store) ArchiveSale(ctx context.Context, id string, judged []sale.StockCounters) (sale.Archive, error) {
	var archive sale.Archive
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		switch present.State {
		case sale.StateClosed:
			err = s.archive(ctx, tx, &present, judged)
			faults.Point("store.archive-written")
		case sale.StateArchived:
		default:
			return &sale.StateError{State: present.State, Detail: "only a closed sale can be archived"}
		}
		if err == nil {
			archive, err = readArchive(ctx, tx, id)
		}
		return err
	})
	if err != nil {
		return sale.Archive{}, fmt.Errorf("archive sale %s: %w", id, err)
	}
	faults.Point("store.sale-archived")
	return archive, nil
}

func (s *Store) archive(ctx context.Context, tx *sql.Tx, of *sale.Sale, judged []sale.StockCounters) error {
	rows, err := s.lockSaleBuckets(ctx, tx, of.ID)
	if err != nil {
		return err
	}
	counters, err := saleCounters(ctx, tx, of.ID)
	if err != nil {
		return fmt.Errorf("read counters: %w", err)
	}
	unrest, err := readUnrest(ctx, tx, of.ID)
	if err != nil {
		return err
	}
	unrest.Buckets, unrest.Moved = sale.NotOpen(counters), sale.Moved(judged, counters)
	if unrest != (sale.Unrest{}) {
		return &sale.UnrestError{Unrest: unrest}
	}
	books, err := json.Marshal(sale.FinalBooks(of, counters))
	if err != nil {
		return fmt.Errorf("write the books: %w", err)
	}
	var now moment
	if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sqlInsertArchive, of.ID, now, string(books)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sqlSetState, sale.StateArchived, of.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sqlEndThaw, of.ID); err != nil { // no order is left that a freeze could keep
		return err
	}
	buckets := bucketsOfRows(rows)
	if err := s.resetEpochs(ctx, tx, buckets); err != nil {
		return err
	}
	if err := s.stampBuckets(ctx, tx, sqlArchiveBuckets, nil, buckets); err != nil {
		return err
	}
	if err := stampSaleRow(ctx, tx, of.ID); err != nil {
		return err
	}
	archived := *of
	archived.State = sale.StateArchived
	return s.note(ctx, tx, sale.StateChange(of, &archived))
}

// Archive returns the archive of a sale, or an error that wraps sale.ErrNotFound.
func (s *Store) Archive(ctx context.Context, id string) (sale.Archive, error) {
	archive, err := readArchive(ctx, s.db, id)
	if err != nil {
		return sale.Archive{}, fmt.Errorf("read the archive of %s: %w", id, err)
	}
	return archive, nil
}

// OpenArchives returns the archives of sales of which something may be left in Redis, sorted by id.
func (s *Store) OpenArchives(ctx context.Context) ([]sale.Archive, error) {
	archives, err := readArchives(ctx, s.db, "a.dropped = 0 ORDER BY a.sale_id")
	if err != nil {
		return nil, fmt.Errorf("read open archives: %w", err)
	}
	return archives, nil
}

func readArchive(ctx context.Context, q querier, id string) (sale.Archive, error) {
	found, err := readArchives(ctx, q, "a.sale_id = ?", id)
	if err == nil && len(found) == 0 {
		err = sale.ErrNotFound
	}
	if err != nil {
		return sale.Archive{}, err
	}
	return found[0], nil
}

func readArchives(ctx context.Context, q querier, condition string, args ...any) (found []sale.Archive, err error) {
	err = each(ctx, q, sqlArchive+condition, args, func(rows scanner) error {
		var a sale.Archive
		var at moment
		var books []byte
		if err := rows.Scan(&a.Sale, &at, &books, &a.Dropped, &a.Buckets, &a.Lists); err != nil {
			return err
		}
		a.ArchivedAt = at.Time
		if err := json.Unmarshal(books, &a.Books); err != nil {
			return fmt.Errorf("read the books of %s: %w", a.Sale, err)
		}
		found = append(found, a)
		return nil
	})
	return found, err
}

// ArchiveDropped notes that nothing of an archived sale is left in Redis, and no list of its buyers. It is repeatable.
func (s *Store) ArchiveDropped(ctx context.Context, id string) error {
	if _, err := s.execute(ctx, sqlDropped, id); err != nil {
		return fmt.Errorf("note that the archive of %s is dropped: %w", id, err)
	}
	faults.Point("store.archive-dropped")
	return nil
}

// Of a sale, by sale id alone. A record names its sale at its beginning, and a dead letter has no other column of it.
const (
	sqlOutboxLeft  = "SELECT COUNT(*) FROM outbox WHERE sale_id = ?"
	sqlChangesLeft = "SELECT COUNT(*) FROM stock_changes WHERE sale_id = ? AND open_rows > 0"
	sqlUnpaid      = "SELECT COUNT(*) FROM orders WHERE sale_id = ? AND status = 'confirmed'"
	sqlLettersLeft = "SELECT COUNT(*) FROM dead_letters WHERE state = 'waiting' AND " +
		"(SUBSTR(record, 1, ?) = ? OR SUBSTR(record, 1, ?) = ?)"
)

// Unrest counts what the database knows to keep a sale from being archived: outbox rows, waiting dead letters, unfinished stock
// changes and unpaid orders. It reads every order row of the sale.
func (s *Store) Unrest(ctx context.Context, id string) (sale.Unrest, error) {
	unrest, err := readUnrest(ctx, s.db, id)
	if err != nil {
		return sale.Unrest{}, fmt.Errorf("count what moves in sale %s: %w", id, err)
	}
	return unrest, nil
}

func readUnrest(ctx context.Context, q querier, id string) (unrest sale.Unrest, err error) {
	var ofRecords []any
	for _, head := range sale.RecordHeads(id) {
		ofRecords = append(ofRecords, len(head), head)
	}
	for _, count := range []struct {
		query string
		args  []any
		into  *int64
	}{
		{sqlOutboxLeft, []any{id}, &unrest.Outbox},
		{sqlLettersLeft, ofRecords, &unrest.DeadLetters},
		{sqlChangesLeft, []any{id}, &unrest.StockChanges},
		{sqlUnpaid, []any{id}, &unrest.Unpaid},
	} {
		if err := q.QueryRowContext(ctx, count.query, count.args...).Scan(count.into); err != nil {
			return sale.Unrest{}, err
		}
	}
	return unrest, nil
}
