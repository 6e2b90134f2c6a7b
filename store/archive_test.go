package store

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// ended is the sale eleven with two buckets, of which 4 phones were sold, one of them cancelled and given back. It is closed and
// at rest. The deliveries are its records.
func ended(t testing.TB, s *Store) (rows []sale.BucketRow, deliveries []sale.Delivery) {
	t.Helper()
	rows = selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 10), item("case", 3))))
	for _, row := range rows {
		orders := crowd(2)
		d := batch(row.Bucket, 1, 1, orders...)
		settle(t, s, d)
		pay(t, s, orders[0].OrderID, "p")
		if row.Number == 0 {
			cancel(t, s, orders[1].OrderID)
			done(t, s, row.Bucket, 1, 1, 2)
		} else {
			pay(t, s, orders[1].OrderID, "p")
		}
		deliveries = append(deliveries, d)
	}
	closeSale(t, s, "eleven")
	return rows, deliveries
}

func closeSale(t testing.TB, s *Store, id string) {
	t.Helper()
	_, err := s.SetState(t.Context(), id, sale.StateClosed, sale.StateOpen)
	require.NoError(t, err)
}

// judged returns the counters of the sale eleven.
func judged(t testing.TB, s *Store) []sale.StockCounters {
	t.Helper()
	counters, err := s.SaleCounters(t.Context(), "eleven")
	require.NoError(t, err)
	return counters
}

// archiveOnce archives a small sale, and deletes a draft.
func archiveOnce(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	selling(t, s, draft("ended", 1, item("phone", 1)))
	closeSale(t, s, "ended")
	counters, err := s.SaleCounters(ctx, "ended")
	require.NoError(t, err)
	_, err = s.ArchiveSale(ctx, "ended", counters)
	require.NoError(t, err)
	_, err = s.ForgetLists(ctx, "ended")
	require.NoError(t, err)
	require.NoError(t, s.ArchiveDropped(ctx, "ended"))
	put(t, s, draft("sketch", 1, item("phone", 1)))
	require.NoError(t, s.DeleteDraft(ctx, "sketch"))
}

func TestArchiveKeepsRowsAndBooks(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		rows, deliveries := ended(t, s)
		version := changesSince(t, s, 0).Version
		archive, err := s.ArchiveSale(ctx, "eleven", judged(t, s))
		require.NoError(t, err)
		require.Equal(t, []sale.FinalBook{
			{SKU: "phone", Loaded: 10, Settled: 4, Released: 1, Sold: 3}, {SKU: "case", Loaded: 3},
		}, archive.Books)
		require.Equal(t, rows[1].Bucket, archive.BucketNames()[1])
		require.False(t, archive.Dropped)
		require.False(t, archive.ArchivedAt.IsZero())

		again, err := s.ArchiveSale(ctx, "eleven", nil)
		require.NoError(t, err)
		require.Equal(t, archive, again, "a second time changes nothing")
		open, err := s.OpenArchives(ctx)
		require.NoError(t, err)
		require.Equal(t, []sale.Archive{archive}, open)
		for range 2 {
			require.NoError(t, s.ArchiveDropped(ctx, "eleven"))
		}
		open, err = s.OpenArchives(ctx)
		require.NoError(t, err)
		require.Empty(t, open)

		requireArchived(t, s, version)
		requireFinal(t, s, rows, deliveries)
	})
}

// requireArchived checks where the catalogue still has the sale eleven.
func requireArchived(t *testing.T, s *Store, version int64) {
	t.Helper()
	present, err := s.Sale(t.Context(), "eleven")
	require.NoError(t, err)
	require.Equal(t, sale.StateArchived, present.State)
	sales, err := s.Sales(t.Context())
	require.NoError(t, err)
	require.Empty(t, sales)
	archived, err := s.ArchivedSales(t.Context())
	require.NoError(t, err)
	require.Equal(t, []sale.Sale{present}, archived)
	fresh := changesSince(t, s, 0)
	require.Empty(t, fresh.Sales)
	require.Empty(t, fresh.Buckets)
	changed := changesSince(t, s, version)
	require.Equal(t, []sale.Sale{present}, changed.Sales, "those that know the sale are told")
	require.Len(t, changed.Buckets, 2)
	for _, row := range changed.Buckets {
		require.Equal(t, sale.BucketArchived, row.State)
		require.EqualValues(t, 2, row.Epoch)
	}
}

// requireFinal checks that nothing brings an archived sale back, or changes its books.
func requireFinal(t *testing.T, s *Store, rows []sale.BucketRow, deliveries []sale.Delivery) {
	t.Helper()
	ctx := t.Context()
	books := judged(t, s)
	repeated := settle(t, s, deliveries...)
	require.Equal(t, 2, repeated.Duplicate)
	require.Zero(t, repeated.Rows)
	late := one("late", 1)
	require.Equal(t, 1, settle(t, s, batch(rows[0].Bucket, 1, 7, late)).Refused)
	require.Equal(t, sale.ReasonFenced, order(t, s, late.OrderID).Reason)

	last := make([]sale.BucketRow, len(rows))
	for i, row := range rows {
		require.NoError(t, s.ReportLoss(ctx, row.Bucket, 1, "an old gateway"))
		require.NoError(t, s.ReportLoss(ctx, row.Bucket, 2, "none has this epoch"))
		last[i] = sale.BucketRow{Bucket: row.Bucket, Epoch: 2, State: sale.BucketArchived, Partition: row.Partition}
	}
	present, err := s.CloseBuckets(ctx, last)
	require.NoError(t, err)
	require.Equal(t, last, present)
	loads, err := s.BeginLoads(ctx, last)
	require.NoError(t, err)
	require.Empty(t, loads)

	var state *sale.StateError
	_, _, err = s.PutSale(ctx, inBuckets(2, draft("eleven", 1, item("phone", 10), item("case", 3))))
	require.ErrorAs(t, err, &state, "the same definition too")
	_, err = s.LoadStock(ctx, "eleven", 8)
	require.ErrorAs(t, err, &state)
	_, err = s.ChangeStock(ctx, sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k", Asked: 1})
	require.ErrorAs(t, err, &state)
	_, err = s.SetState(ctx, "eleven", sale.StateOpen, sale.StatePreloaded, sale.StateClosed)
	require.ErrorAs(t, err, &state)
	require.ErrorAs(t, s.DeleteDraft(ctx, "eleven"), &state)
	require.Equal(t, books, judged(t, s))
}

func TestArchiveRefusesWhatIsNotAtRest(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 10))))
		bucket := rows[0].Bucket
		var state *sale.StateError
		_, err := s.ArchiveSale(t.Context(), "eleven", judged(t, s))
		require.ErrorAs(t, err, &state, "it is open")
		_, err = s.ArchiveSale(t.Context(), "unknown", nil)
		require.ErrorIs(t, err, sale.ErrNotFound)

		orders := crowd(2)
		settle(t, s, batch(bucket, 1, 1, orders...))
		pay(t, s, orders[0].OrderID, "p")
		changeStock(t, s, "phone", "k", -1)
		add(t, s, letter(batch(bucket, 1, 9, one("eve", 1)), 1))
		add(t, s, letter(transfer(bucket, 1, 1, 8, 1), 2))
		other := bucket
		other.Sale = "eleve"
		add(t, s, letter(batch(other, 1, 9, one("eve", 1)), 3))
		closeSale(t, s, "eleven")
		old := judged(t, s)
		old[1].Sequence++
		_, err = s.CloseBuckets(t.Context(), rows[1:])
		require.NoError(t, err)
		requireUnrest(t, s, old, sale.Unrest{Buckets: 1, Outbox: 1, DeadLetters: 2, StockChanges: 1, Unpaid: 1, Moved: 1})

		require.NoError(t, s.RefuseDeadLetter(t.Context(), letter(batch(bucket, 1, 9, one("eve", 1)), 1).ID))
		require.NoError(t, s.RefuseDeadLetter(t.Context(), letter(transfer(bucket, 1, 1, 8, 1), 2).ID))
		cancel(t, s, orders[1].OrderID)
		reopened(t, s, rows)
		reopened(t, s, rows[1:])
		archive, err := s.ArchiveSale(t.Context(), "eleven", judged(t, s))
		require.NoError(t, err)
		require.Equal(t, []sale.FinalBook{{SKU: "phone", Loaded: 9, Settled: 2, Released: 1, Sold: 1}}, archive.Books)
	})
}

// requireUnrest requires that the sale eleven is not archived by what was judged, and why.
func requireUnrest(t *testing.T, s *Store, judged []sale.StockCounters, want sale.Unrest) {
	t.Helper()
	_, err := s.ArchiveSale(t.Context(), "eleven", judged)
	var unrest *sale.UnrestError
	require.ErrorAs(t, err, &unrest)
	require.Equal(t, want, unrest.Unrest)
	want.Buckets, want.Moved = 0, 0
	known, err := s.Unrest(t.Context(), "eleven")
	require.NoError(t, err)
	require.Equal(t, want, known)
	present, err := s.Sale(t.Context(), "eleven")
	require.NoError(t, err)
	require.Equal(t, sale.StateClosed, present.State, "nothing was written")
}

// A draft goes with its lists, and a later sale of its id has none of their buyers.
func TestDraftIsDeletedWithItsLists(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		wanted := draft("eleven", 1, item("phone", 10))
		wanted.Eligibility = sale.EligibilityList
		put(t, s, wanted)
		_, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "ann", "bob"))
		require.NoError(t, err)
		var state *sale.StateError
		require.ErrorAs(t, s.DeleteDraft(ctx, "eleven"), &state, "its list is first")
		for range 2 {
			last, err := s.ForgetLists(ctx, "eleven")
			require.NoError(t, err)
			require.Positive(t, last)
			require.Zero(t, count(t, s, "SELECT COUNT(*) FROM buyers"))
		}
		require.NoError(t, s.DeleteDraft(ctx, "eleven"))
		require.ErrorIs(t, s.DeleteDraft(ctx, "eleven"), sale.ErrNotFound)
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM items"))

		// As an upload that died while the draft was deleted leaves it.
		_, err = s.db.ExecContext(ctx, "INSERT INTO buyers (sale_id, list_version, buyer_id) VALUES ('eleven', 1, 'ghost')")
		require.NoError(t, err)
		put(t, s, wanted)
		size, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "cat"))
		require.NoError(t, err)
		require.EqualValues(t, 1, size)
		require.NoError(t, s.EachListed(ctx, "eleven", func(buyer string) error {
			require.Equal(t, "cat", buyer)
			return nil
		}))
		_, err = s.LoadStock(ctx, "eleven", 8)
		require.NoError(t, err)
		require.ErrorAs(t, s.DeleteDraft(ctx, "eleven"), &state, "it has stock")
		_, err = s.ForgetLists(ctx, "eleven")
		require.ErrorAs(t, err, &state)
	})
}
