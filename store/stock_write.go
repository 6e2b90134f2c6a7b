package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// guarded picks the rows of a move. Rule: guard-with-released.
const guarded = "(sale_id = ? AND sku = ? AND bucket = ? AND epoch = ? AND settled - released + ? <= loaded)"

// moveStock adds the gains to the stock rows. The guard repeats the decision of the plan under the rows' locks and is the last
// protection against overselling: a row that does not match it starts the transaction over. Rows with equal gains share a
// statement, so that a sale of thousands of SKUs does not cost a statement each.
func (s *Store) moveStock(ctx context.Context, tx *sql.Tx, moves map[sale.Bucket]*ledger.Move) error {
	alike := map[ledger.Gain][]sale.Bucket{}
	for bucket, m := range moves {
		alike[m.Gain] = append(alike[m.Gain], bucket)
	}
	for gain, buckets := range alike {
		slices.SortFunc(buckets, compareBuckets)
		for chunk := range slices.Chunk(buckets, maxTerms) {
			statement, args := gainStatement(s.dialect.forced, gain, chunk, moves)
			if err := changeExactly(ctx, tx, len(chunk), "stock rows", statement, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// gainStatement returns the UPDATE of buckets with equal gains; their sequences differ.
func gainStatement(forced string, gain ledger.Gain, buckets []sale.Bucket, moves map[sale.Bucket]*ledger.Move) (string, []any) {
	statement := "UPDATE stock" + forced + " SET "
	var args []any
	for _, column := range []struct {
		name  string
		units int64
	}{
		{"settled", gain.Settled}, {"settled_epoch", gain.SettledEpoch}, {"released", gain.Released}, {"loaded", gain.Loaded},
		{"moved_epoch", gain.MovedEpoch}, {"given_epoch", gain.GivenEpoch}, {"outbox_number", gain.Outbox},
	} {
		if column.units != 0 {
			statement += column.name + " = " + column.name + " + ?, "
			args = append(args, column.units)
		}
	}
	if len(buckets) == 1 {
		statement += "sequence = ? WHERE "
		args = append(args, moves[buckets[0]].Sequence)
	} else {
		statement += repeated("sequence = CASE", " WHEN sale_id = ? AND sku = ? AND bucket = ? THEN ?", "", len(buckets),
			" END WHERE ")
		for _, b := range buckets {
			args = append(args, b.Sale, b.SKU, b.Number, moves[b].Sequence)
		}
	}
	needs := gain.Needs()
	for _, b := range buckets {
		args = append(args, b.Sale, b.SKU, b.Number, moves[b].Epoch, needs)
	}
	return statement + repeated("", guarded, " OR ", len(buckets), ""), args
}

func changeExactly(ctx context.Context, tx *sql.Tx, wanted int, what, statement string, args []any) error {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed != int64(wanted) {
		err = fmt.Errorf("%w: %d of %d %s", errStartOver, changed, wanted, what)
	}
	return err
}

// closePlanned closes buckets, those with equal reasons in one statement.
func (s *Store) closePlanned(ctx context.Context, tx *sql.Tx, closing map[sale.Bucket]string) error {
	byReason := map[string][]sale.Bucket{}
	for bucket, reason := range closing {
		byReason[reason] = append(byReason[reason], bucket)
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		err := s.stampStock(ctx, tx, "state = 'closed', closed_reason = ?", []any{reason}, byReason[reason])
		if err != nil {
			return err
		}
	}
	return nil
}
