package store

import (
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

// maxTrailScan bounds the entries among which SaleTrailIDs looks: payments of a rush may be thousands a second.
const maxTrailScan = 1000

const sqlSaleTrailIDs = "SELECT n.entry_id FROM (SELECT entry_id, target FROM trail WHERE sale_id = ? AND entry_id > ? " +
	"ORDER BY entry_id DESC LIMIT ?) n WHERE n.target NOT LIKE 'order/%' ORDER BY n.entry_id DESC LIMIT ?"

// SaleTrailIDs returns the ids of the newest entries about a sale itself, above an id, newest first: not those about single
// orders, among the sale's newest 1,000 entries. It does not read what changed, so a reader that knows the entries need not read
// them again. Ids are given when an entry is written: one with a lower id may be committed a moment later.
func (s *Store) SaleTrailIDs(ctx context.Context, saleID string, above int64, limit int) (ids []int64, err error) {
	err = each(ctx, s.db, sqlSaleTrailIDs, []any{saleID, above, maxTrailScan, limit}, func(rows scanner) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the ids of the trail of sale %s: %w", saleID, err)
	}
	return ids, nil
}

const sqlTrailEntries = "SELECT " + trailColumns + " FROM trail t WHERE t.entry_id IN ("

// TrailEntries returns the entries of ids, oldest first. An id without an entry is left out.
func (s *Store) TrailEntries(ctx context.Context, ids []int64) ([]sale.TrailEntry, error) {
	var all []sale.TrailEntry
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		err := each(ctx, s.db, sqlTrailEntries+placeholders(len(chunk))+") ORDER BY t.entry_id", args, func(rows scanner) error {
			entry, err := scanTrail(rows)
			all = append(all, entry)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %d entries of the trail: %w", len(ids), err)
		}
	}
	return all, nil
}
