package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"flashsale/ledger"
	"flashsale/sale"
)

// moveBuckets writes the moves of a plan to the bucket rows. Every move changes its row, also one that keeps the sequence. A row
// of another epoch starts the transaction over.
func (s *Store) moveBuckets(ctx context.Context, tx *sql.Tx, moves map[sale.Bucket]*ledger.Move) error {
	for chunk := range slices.Chunk(slices.SortedFunc(maps.Keys(moves), compareBuckets), maxTerms) {
		statement, args := movesStatement(s.dialect.forced, chunk, moves)
		if err := changeExactly(ctx, tx, len(chunk), "bucket rows", statement, args); err != nil {
			return err
		}
	}
	return nil
}

const ofBucket = " WHEN sale_id = ? AND bucket = ? THEN ?"

func movesStatement(forced string, buckets []sale.Bucket, moves map[sale.Bucket]*ledger.Move) (string, []any) {
	statement := "UPDATE buckets" + forced + " SET writes = writes + 1"
	var args []any
	for _, column := range []struct {
		set   string
		of    func(*ledger.Move) int64
		added bool
	}{
		{", sequence = CASE", func(m *ledger.Move) int64 { return m.Sequence }, false},
		{", outbox_number = outbox_number + CASE", func(m *ledger.Move) int64 { return m.Outbox }, true},
		{", orders = orders + CASE", func(m *ledger.Move) int64 { return m.Orders }, true},
	} {
		if column.added && !slices.ContainsFunc(buckets, func(b sale.Bucket) bool { return column.of(moves[b]) != 0 }) {
			continue
		}
		statement += repeated(column.set, ofBucket, "", len(buckets), " END")
		for _, b := range buckets {
			args = append(args, b.Sale, b.Number, column.of(moves[b]))
		}
	}
	for _, b := range buckets {
		args = append(args, b.Sale, b.Number, moves[b].Epoch)
	}
	return statement + repeated(" WHERE ", "(sale_id = ? AND bucket = ? AND epoch = ?)", " OR ", len(buckets), ""), args
}

// shelfGain is what a plan adds to a stock row.
type shelfGain struct {
	sale.Shelf
	ledger.Gain
}

// moveStock adds the gains to the stock rows. The guard repeats the decision of the plan under the buckets' locks and is the
// last protection against overselling: a row that does not match it starts the transaction over.
func (s *Store) moveStock(ctx context.Context, tx *sql.Tx, gains map[sale.Shelf]*ledger.Gain) error {
	for _, group := range gainGroups(gains) {
		for chunk := range slices.Chunk(group, maxTerms) {
			if err := changeExactly(ctx, tx, len(chunk), "stock rows", gainsStatement(s.dialect.forced, chunk), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// gainGroups divides the gains into groups that one statement can write: those of a bucket, and over all buckets whose gains
// are equal those with that gain. So neither a bucket of thousands of SKUs nor thousands of buckets with one SKU cost a
// statement for each row.
func gainGroups(gains map[sale.Shelf]*ledger.Gain) [][]shelfGain {
	all := make([]shelfGain, 0, len(gains))
	for shelf, gain := range gains {
		if *gain != (ledger.Gain{}) {
			all = append(all, shelfGain{shelf, *gain})
		}
	}
	slices.SortFunc(all, func(a, b shelfGain) int { return compareShelves(a.Shelf, b.Shelf) })
	var groups [][]shelfGain
	places := map[ledger.Gain]int{}
	for len(all) > 0 {
		n := 1
		alike := true
		for n < len(all) && all[n].Bucket == all[0].Bucket {
			alike = alike && all[n].Gain == all[0].Gain
			n++
		}
		place, begun := places[all[0].Gain]
		switch {
		case !alike:
			groups = append(groups, all[:n:n])
		case begun:
			groups[place] = append(groups[place], all[:n]...)
		default:
			places[all[0].Gain] = len(groups)
			groups = append(groups, all[:n:n])
		}
		all = all[n:]
	}
	return groups
}

// gainsStatement returns the UPDATE of a group. It contains the values, like the statements of orders.
func gainsStatement(forced string, group []shelfGain) string {
	b := append(append([]byte("UPDATE stock"), forced...), " SET "...)
	separator := ""
	for _, column := range []struct {
		name  string
		units func(*ledger.Gain) int64
	}{
		{"settled", func(g *ledger.Gain) int64 { return g.Settled }},
		{"settled_epoch", func(g *ledger.Gain) int64 { return g.SettledEpoch }},
		{"released", func(g *ledger.Gain) int64 { return g.Released }},
		{"loaded", func(g *ledger.Gain) int64 { return g.Loaded }},
		{"moved_epoch", func(g *ledger.Gain) int64 { return g.MovedEpoch }},
		{"given_epoch", func(g *ledger.Gain) int64 { return g.GivenEpoch }},
	} {
		if !slices.ContainsFunc(group, func(g shelfGain) bool { return column.units(&g.Gain) != 0 }) {
			continue
		}
		b = append(append(append(append(append(b, separator...), column.name...), " = "...), column.name...), " + "...)
		b = appendUnits(b, group, column.units)
		separator = ", "
	}
	separator = " WHERE ("
	for i := 0; i < len(group); separator = " OR (" {
		b = append(appendText(append(append(b, separator...), "sale_id = "...), group[i].Sale), " AND bucket = "...)
		b = append(strconv.AppendInt(b, int64(group[i].Number), 10), " AND sku IN ("...)
		for first := i; i < len(group) && group[i].Bucket == group[first].Bucket; i++ {
			if i > first {
				b = append(b, ',')
			}
			b = appendText(b, group[i].SKU)
		}
		b = append(b, ") AND settled - released + "...) // rule: guard-with-released
		b = append(appendUnits(b, group, (*ledger.Gain).Needs), " <= loaded)"...)
	}
	return string(b)
}

// appendUnits writes the units of each row: a number if they are equal, else a choice by the SKU, in which the SKUs with equal
// units share a list, because a server looks a value up in a list faster than it compares one after the other. Rows with
// different units are of one bucket.
func appendUnits(b []byte, group []shelfGain, units func(*ledger.Gain) int64) []byte {
	alike := map[int64][]string{}
	for i := range group {
		n := units(&group[i].Gain)
		alike[n] = append(alike[n], group[i].SKU)
	}
	if len(alike) == 1 {
		return append(strconv.AppendInt(append(b, '('), units(&group[0].Gain), 10), ')') // in brackets: it may be negative
	}
	b = append(b, "CASE"...)
	ordered := slices.Sorted(maps.Keys(alike))
	last := len(ordered) - 1
	for _, n := range ordered[:last] {
		b = append(b, " WHEN sku IN ("...)
		for i, sku := range alike[n] {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, sku)
		}
		b = strconv.AppendInt(append(b, ") THEN "...), n, 10)
	}
	return append(strconv.AppendInt(append(b, " ELSE "...), ordered[last], 10), " END"...)
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
		err := s.stampBuckets(ctx, tx, "state = 'closed', closed_reason = ?", []any{reason}, byReason[reason])
		if err != nil {
			return err
		}
	}
	return nil
}
