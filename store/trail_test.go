package store

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var nightShift = sale.Actor{Who: "night", Role: sale.RoleOperator, RequestID: "r-7"}

// trail returns all entries, oldest first.
func trail(t testing.TB, s *Store) []sale.TrailEntry {
	t.Helper()
	page, err := s.Trail(t.Context(), sale.TrailQuery{Limit: 10_000})
	require.NoError(t, err)
	require.False(t, page.More)
	entries := page.Entries
	for i, k := 0, len(entries)-1; i < k; i, k = i+1, k-1 {
		entries[i], entries[k] = entries[k], entries[i]
	}
	return entries
}

// said returns the last entry as text.
func said(t testing.TB, s *Store) string {
	t.Helper()
	all := trail(t, s)
	require.NotEmpty(t, all)
	e := all[len(all)-1]
	return fmt.Sprintf("%s %s %s %s %s %s %s", e.Who, e.Verb, e.Target, e.Before, e.After, e.Outcome, e.RequestID)
}

// A change and its entry are committed together, with who made it; a repeated request, which changes nothing, leaves none.
func TestEveryChangeIsInTheTrail(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := sale.WithActor(t.Context(), nightShift)
		twice := func(change func() error, says string) {
			t.Helper()
			before := len(trail(t, s))
			require.NoError(t, change())
			require.Equal(t, says, said(t, s))
			require.Len(t, trail(t, s), before+1)
			require.NoError(t, change())
			require.Len(t, trail(t, s), before+1, "a repeat changes nothing: %s", says)
		}
		wanted := draft("eleven", 1, item("phone", 10), item("case", 5))
		_, _, err := s.PutSale(ctx, wanted)
		require.NoError(t, err)
		require.Contains(t, said(t, s), `night create sale/eleven null {"sale":"eleven","state":"draft"`)
		wanted.Items[1].Stock, wanted.Name = 7, `<b>"n"</b>`
		twice(func() error { _, _, err := s.PutSale(ctx, wanted); return err },
			`night change sale/eleven {"items":[`+itemText("case", 5)+`],"name":"Name of eleven"} {"items":[`+itemText("case", 7)+
				`],"name":"<b>\"n\"</b>"} done r-7`)
		_, err = s.LoadStock(ctx, "eleven", 8)
		require.NoError(t, err)
		move := func(to, from sale.State, says string) {
			t.Helper()
			twice(func() error { _, err := s.SetState(ctx, "eleven", to, from); return err }, "night "+says+" done r-7")
		}
		move(sale.StatePreloaded, sale.StateDraft, `preload sale/eleven {"state":"draft"} {"state":"preloaded"}`)
		move(sale.StateOpen, sale.StatePreloaded, `open sale/eleven {"state":"preloaded"} {"state":"open"}`)
		twice(func() error { return s.PauseSale(t.Context(), "eleven", "conservation: phone is off by 1") },
			`engine pause sale/eleven {"state":"open"} {"reason":"conservation: phone is off by 1","state":"paused"} done `)
		move(sale.StateOpen, sale.StatePaused,
			`resume sale/eleven {"reason":"conservation: phone is off by 1","state":"paused"} {"state":"open"}`)
		twice(func() error {
			_, err := s.ChangeStock(ctx, sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k", Asked: 5})
			return err
		}, `night stock sale/eleven/items/phone {"stock":10} {"added":5,"stock":15} done r-7`)
		move(sale.StateClosed, sale.StateOpen, `close sale/eleven {"state":"open"} {"state":"closed"}`)

		_, err = s.PutRules(ctx, sale.Rules{}, nil)
		require.NoError(t, err)
		require.Contains(t, said(t, s), "night rules rules {")
		require.Contains(t, said(t, s), `"version":1`)

		_, _, err = s.PutSale(ctx, draft("twelve", 1, item("phone", 1)))
		require.NoError(t, err)
		require.NoError(t, s.DeleteDraft(ctx, "twelve"))
		require.Contains(t, said(t, s), `night archive sale/twelve {"sale":"twelve","state":"draft"`)
		require.Contains(t, said(t, s), `} null done r-7`)
	})
}

func itemText(sku string, stock int64) string {
	text, err := sale.JSON(item(sku, stock))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestOrdersBuyersAndRebuildsAreInTheTrail(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := sale.WithActor(t.Context(), nightShift)
		bucket := phone(t, s, 10, 1)
		d := batch(bucket, 1, 1, one("ann", 1), one("bob", 1), one("cat", 1))
		settle(t, s, d)
		id := func(i int) sale.OrderID { return d.Record.Batch.Orders[i].OrderID }
		before := len(trail(t, s))
		_, err := s.CancelOrder(t.Context(), id(0), sale.ReasonBuyer, "ann")
		require.NoError(t, err)
		require.Len(t, trail(t, s), before, "what buyers do is not in the trail")
		for range 2 {
			_, err = s.CancelOrder(ctx, id(1), sale.ReasonShop, "")
			require.NoError(t, err)
			require.Contains(t, said(t, s), "night cancel order/"+id(1).String()+` {`)
			require.Contains(t, said(t, s), `"status":"cancelled"`)
			require.Len(t, trail(t, s), before+1)
		}
		for range 2 {
			_, err = s.PayOrder(ctx, id(2), "pay-1")
			require.NoError(t, err)
			require.Contains(t, said(t, s), "night pay order/"+id(2).String()+` {`)
			require.Contains(t, said(t, s), `"payment_id":"pay-1"`)
			require.Len(t, trail(t, s), before+2)
		}
		remembered, err := s.RememberPayment(ctx, 4711, "pay-2")
		require.NoError(t, err)
		require.True(t, remembered)
		require.Equal(t, `night pay order/4711 null {"payment_id":"pay-2","remembered":true} done r-7`, said(t, s))

		require.NoError(t, s.ReportLoss(t.Context(), bucket, 1, "sequence: Redis went back"))
		require.Equal(t, `engine rebuild sale/eleven null `+
			`{"buckets":[0],"reason":"sequence: Redis went back","state":"closed"} done `, said(t, s))
		closed := len(trail(t, s))
		require.NoError(t, s.ReportLoss(t.Context(), bucket, 1, "again"))
		require.Len(t, trail(t, s), closed)
		rows := changesSince(t, s, 0).Buckets
		reopened(t, s, rows)
		require.Equal(t, `engine rebuild sale/eleven null {"buckets":[0],"state":"open"} done `, said(t, s))

		listed := draft("listed", 1, item("phone", 1))
		listed.Eligibility = sale.EligibilityList
		put(t, s, listed)
		_, err = s.ReplaceBuyers(ctx, "listed", reader(io.EOF, "ann", "bob"))
		require.NoError(t, err)
		require.Equal(t, `night buyers sale/listed {"buyers":0} {"buyers":2} done r-7`, said(t, s))
		newest, err := s.Trail(ctx, sale.TrailQuery{Sale: "listed", Limit: 1})
		require.NoError(t, err)
		require.True(t, newest.More)
		require.Len(t, newest.Entries, 1)
		last := newest.Entries[0]
		rest, err := s.Trail(ctx, sale.TrailQuery{Sale: "listed", Limit: 5, Before: last.ID})
		require.NoError(t, err)
		require.False(t, rest.More)
		require.Len(t, rest.Entries, 1)
		none, err := s.Trail(ctx, sale.TrailQuery{Limit: 5, Since: sale.TimeMillis(last.At.UnixMilli() + 3_600_000)})
		require.NoError(t, err)
		require.Empty(t, none.Entries)
	})
}

// verified feeds the chain to the check, in pages of 4.
func verified(t testing.TB, s *Store) error {
	t.Helper()
	query := sale.TrailQuery{Chain: true, Limit: 4}
	var check sale.TrailCheck
	for first := true; ; first = false {
		page, err := s.Trail(t.Context(), query)
		require.NoError(t, err)
		if first {
			check.Head = page.Head
		}
		for _, entry := range page.Entries {
			if err := check.Feed(entry); err != nil {
				return err
			}
			query.Before = entry.Position
		}
		if !page.More {
			return check.End()
		}
	}
}

// A change of no other row has its entry, and the chain takes it.
func TestNoteOfAChangeWithoutARow(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := sale.WithActor(t.Context(), nightShift)
		require.NoError(t, s.Note(ctx, sale.Change{Verb: sale.VerbLogLevel, Target: sale.TargetProcess("h/1"), After: "debug"}))
		page, err := s.Trail(ctx, sale.TrailQuery{Limit: 9})
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		entry := page.Entries[0]
		require.Equal(t, []string{sale.VerbLogLevel, "process/h/1", sale.OutcomeDone, nightShift.Who},
			[]string{entry.Verb, entry.Target, entry.Outcome, entry.Who})
		require.NoError(t, verified(t, s))
	})
}

// A row that was changed, removed or added by hand is found, wherever it is in the chain.
func TestTheChainFindsChangedRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := sale.WithActor(t.Context(), nightShift)
		for i := range 9 {
			change := sale.Change{Sale: "s", Verb: sale.VerbOpen, Target: "sale/s", After: i}
			require.NoError(t, s.NoteRefused(ctx, change, "wrong_state"))
		}
		require.NoError(t, verified(t, s), "entries that are not chained break nothing")
		for _, chained := range []int{4, 4, 1, 0} {
			n, err := s.ChainTrail(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, chained, n)
		}
		require.NoError(t, verified(t, s))
		page, err := s.Trail(t.Context(), sale.TrailQuery{Limit: 1})
		require.NoError(t, err)
		head := page.Head
		require.EqualValues(t, 9, head.Position)

		for _, row := range []int{1, 5, 9} {
			for column, value := range map[string]any{
				"who": "nobody", "role": "viewer", "verb": "close", "target": "sale/t", "sale_id": "t", "before_value": "0",
				"after_value": "77", "outcome": "done", "request_id": "x", "at": moment{sale.TimeMillis(0)},
				"hash": head.Hash[1:] + "0",
			} {
				where := fmt.Sprintf(" WHERE position = %d", row)
				var was any
				require.NoError(t, s.db.QueryRow("SELECT "+column+" FROM trail"+where).Scan(&was))
				exec(t, s, "UPDATE trail SET "+column+" = ?"+where, value)
				require.ErrorIs(t, verified(t, s), sale.ErrTrailBroken, "%s of %d", column, row)
				exec(t, s, "UPDATE trail SET "+column+" = ?"+where, was)
				require.NoError(t, verified(t, s))
			}
		}
		exec(t, s, "UPDATE trail_head SET position = 8")
		require.ErrorIs(t, verified(t, s), sale.ErrTrailBroken)
		exec(t, s, "UPDATE trail_head SET position = 9")
		for _, position := range []int{-7, 0, 10} { // every reader of the trail would see such a row
			exec(t, s, sqlNote+fmt.Sprintf(noteRow, s.dialect.now), "boss", "admin", "pause", "sale/s", "s", "null", "null",
				"done", "x")
			exec(t, s, "UPDATE trail SET position = ?, hash = '' WHERE position IS NULL", position)
			require.ErrorIs(t, verified(t, s), sale.ErrTrailBroken, "with an entry at %d", position)
			exec(t, s, "DELETE FROM trail WHERE position = ?", position)
			require.NoError(t, verified(t, s))
		}
		for _, row := range []int{9, 5, 1} {
			exec(t, s, "DELETE FROM trail WHERE position = ?", row)
			require.ErrorIs(t, verified(t, s), sale.ErrTrailBroken, "without %d", row)
		}
	})
}

func exec(t testing.TB, s *Store, statement string, args ...any) {
	t.Helper()
	_, err := s.db.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}

// Several processes that chain at once, while entries are written, make one chain.
func TestChainByManyAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const writers, entries = 4, 25
		err := together(2*writers, func(i int) error {
			for k := range entries {
				if i%2 == 0 {
					change := sale.Change{Verb: "open", Target: fmt.Sprintf("%d/%d", i, k)}
					if err := s.NoteRefused(t.Context(), change, "x"); err != nil {
						return err
					}
					continue
				}
				if _, err := s.ChainTrail(t.Context(), 7); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		for range writers * entries {
			if n, err := s.ChainTrail(t.Context(), 50); err != nil || n == 0 {
				require.NoError(t, err)
				break
			}
		}
		require.NoError(t, verified(t, s))
		page, err := s.Trail(t.Context(), sale.TrailQuery{Limit: 1})
		require.NoError(t, err)
		require.EqualValues(t, writers*entries, page.Head.Position)
	})
}

// A change that is rolled back leaves no entry, and an entry that cannot be written undoes its change.
func TestEntriesAreCommittedWithTheirChange(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, draft("eleven", 1, item("phone", 10)))
		before := len(trail(t, s))
		_, err := s.SetState(t.Context(), "eleven", sale.StateOpen, sale.StatePreloaded)
		require.Error(t, err)
		require.Len(t, trail(t, s), before)
		exec(t, s, "ALTER TABLE trail RENAME TO trail_away")
		_, err = s.SetState(context.WithoutCancel(t.Context()), "eleven", sale.StatePreloaded, sale.StateDraft)
		require.ErrorContains(t, err, "into the trail")
		exec(t, s, "ALTER TABLE trail_away RENAME TO trail")
		present, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, sale.StateDraft, present.State)
	})
}
