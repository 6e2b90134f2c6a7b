package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"flashsale/faults"
	"flashsale/sale"
)

// maxListed bounds the buyers of one list, so that an upload cannot fill the disk.
const maxListed = 50_000_000

const (
	sqlStartList  = "UPDATE sales SET list_started = ? WHERE sale_id = ?"
	sqlSwitchList = "UPDATE sales SET list_version = ?, list_size = ? WHERE sale_id = ?"
	sqlInsertList = "INSERT INTO buyers (sale_id, list_version, buyer_id) VALUES "
	sqlCountList  = "SELECT COUNT(*) FROM buyers WHERE sale_id = ? AND list_version = ?"
)

// ReplaceBuyers replaces the list of a sale with eligibility list before the sale is open, and returns the number of distinct
// buyers on it. next returns one id a call and io.EOF after the last. On any other error ReplaceBuyers changes nothing and
// returns it. It writes the new list beside the old one and switches to it in one transaction. If two uploads overlap, the one
// that began last wins and the other gets an error.
func (s *Store) ReplaceBuyers(ctx context.Context, id string, next func() (string, error)) (int64, error) {
	version, err := s.startList(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("replace buyers of %s: %w", id, err)
	}
	var size int64
	// An earlier sale of this id, a draft that was deleted, may have left buyers of an upload that died.
	if err = s.deleteLists(ctx, id, version, version); err != nil {
		return 0, fmt.Errorf("replace buyers of %s: %w", id, err)
	}
	if err = s.uploadList(ctx, id, version, next); err == nil {
		size, err = s.switchList(ctx, id, version)
	}
	if err != nil {
		cleanup := s.deleteLists(context.WithoutCancel(ctx), id, version, version)
		return 0, fmt.Errorf("replace buyers of %s: %w", id, errors.Join(err, cleanup))
	}
	if err := s.deleteLists(ctx, id, 0, version-1); err != nil {
		return 0, fmt.Errorf("delete old lists of %s: %w", id, err)
	}
	return size, nil
}

// startList assigns the number of a new list.
func (s *Store) startList(ctx context.Context, id string) (version int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		present, started, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := mayReplaceBuyers(&present); err != nil {
			return err
		}
		version = started + 1
		_, err = tx.ExecContext(ctx, sqlStartList, version, id)
		return err
	})
	faults.Point("store.list-started")
	return version, err
}

func mayReplaceBuyers(present *sale.Sale) error {
	switch {
	case present.Eligibility != sale.EligibilityList:
		return &sale.StateError{State: present.State, Detail: "only a sale with eligibility list has a list of buyers"}
	case present.State != sale.StateDraft && present.State != sale.StatePreloaded:
		return &sale.StateError{State: present.State, Detail: "the list of buyers can be replaced before open only"}
	}
	return nil
}

// Bounds of an upload. Rows in the order of the key cost the database a third less, so ReplaceBuyers sorts a run of buyers
// before it writes it. It reads the next run while it writes others.
const (
	listRun     = 25_000 // buyers sorted together, 2 MB of memory at most
	listWriters = 2      // runs written at the same time; a third one did not make it faster
)

// uploadList writes the ids in runs. No reader uses the list before switchList.
func (s *Store) uploadList(ctx context.Context, id string, version int64, next func() (string, error)) error {
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(listWriters)
	readErr := eachRun(next, func(run []string) bool {
		writers.Go(func() error { return s.insertListed(ctx, id, version, run) }) // waits for a free writer
		return ctx.Err() == nil
	})
	if err := writers.Wait(); err != nil {
		return err
	}
	return readErr
}

// eachRun calls take with runs of valid ids, each in memory of its own, until the end or until take returns false.
func eachRun(next func() (string, error), take func(run []string) bool) error {
	var run []string
	for read := 1; ; read++ {
		buyer, err := next()
		if errors.Is(err, io.EOF) {
			if len(run) > 0 {
				take(run)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if !sale.ValidBuyerID(buyer) || read > maxListed {
			return sale.Fieldf(fmt.Sprintf("line %d", read), "must be a buyer id, at most %d of them", maxListed)
		}
		if run = append(run, buyer); len(run) == listRun {
			if !take(run) {
				return nil
			}
			run = make([]string, 0, listRun)
		}
	}
}

// insertListed writes a run in chunks, each its own transaction.
func (s *Store) insertListed(ctx context.Context, id string, version int64, run []string) error {
	slices.Sort(run)
	for chunk := range slices.Chunk(run, maxRows) {
		args := make([]any, 0, 3*len(chunk))
		for _, buyer := range chunk {
			args = append(args, id, version, buyer)
		}
		statement := repeated(sqlInsertList, "(?,?,?)", ",", len(chunk), s.dialect.absent("buyer_id"))
		if _, err := s.execute(ctx, statement, args...); err != nil {
			return err
		}
		faults.Point("store.list-written")
	}
	return nil
}

// switchList makes an uploaded list the present one.
func (s *Store) switchList(ctx context.Context, id string, version int64) (size int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		present, started, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := mayReplaceBuyers(&present); err != nil {
			return err
		}
		if started != version {
			return &sale.StateError{State: present.State, Detail: "another upload of the list began after this one"}
		}
		if err := tx.QueryRowContext(ctx, sqlCountList, id, version).Scan(&size); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlSwitchList, version, size, id); err != nil {
			return err
		}
		if _, err = stampSale(ctx, tx, id); err != nil {
			return err
		}
		return s.note(ctx, tx, sale.Change{Sale: id, Verb: sale.VerbBuyers, Target: sale.TargetSale(id),
			Before: map[string]int64{"buyers": present.ListSize}, After: map[string]int64{"buyers": size}})
	})
	faults.Point("store.list-switched")
	return size, err
}

const (
	sqlListPage = "SELECT buyer_id FROM buyers WHERE sale_id = ? AND list_version = ? AND buyer_id > ? ORDER BY buyer_id " +
		"LIMIT ?"
	sqlListVersions = "SELECT DISTINCT list_version FROM buyers WHERE sale_id = ? AND list_version BETWEEN ? AND ?"
	sqlDeleteList   = "DELETE FROM buyers WHERE sale_id = ? AND list_version = ? AND buyer_id <= ?"
)

const listPage = 5000

// EachListed calls fn for every buyer on the present list of a sale, sorted. It returns an error if the list is replaced
// meanwhile, because the reading may be incomplete. fn runs between statements, so it may take long.
func (s *Store) EachListed(ctx context.Context, id string, fn func(buyer string) error) error {
	present, err := s.Sale(ctx, id)
	if err != nil {
		return err
	}
	var count int64
	err = s.pagesOfList(ctx, id, present.ListVersion, func(page []string) error {
		count += int64(len(page))
		for _, buyer := range page {
			if err := fn(buyer); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && count != present.ListSize {
		err = fmt.Errorf("%d of %d read: the list was replaced meanwhile", count, present.ListSize)
	}
	if err != nil {
		return fmt.Errorf("read list %d of %s: %w", present.ListVersion, id, err)
	}
	return nil
}

func (s *Store) pagesOfList(ctx context.Context, id string, version int64, fn func(page []string) error) error {
	after := ""
	for {
		page := make([]string, 0, listPage)
		err := each(ctx, s.db, sqlListPage, []any{id, version, after, listPage}, func(rows scanner) error {
			var buyer string
			err := rows.Scan(&buyer)
			page = append(page, buyer)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		after = page[len(page)-1]
	}
}

// deleteLists removes the lists numbered from first to last, a page a transaction.
func (s *Store) deleteLists(ctx context.Context, id string, first, last int64) error {
	var versions []int64
	err := each(ctx, s.db, sqlListVersions, []any{id, first, last}, func(rows scanner) error {
		var version int64
		err := rows.Scan(&version)
		versions = append(versions, version)
		return err
	})
	if err != nil {
		return err
	}
	for _, version := range versions {
		err := s.pagesOfList(ctx, id, version, func(page []string) error {
			_, err := s.execute(ctx, sqlDeleteList, id, version, page[len(page)-1])
			faults.Point("store.list-deleted")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
