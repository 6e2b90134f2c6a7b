package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// pair is a sale of phones in two open buckets with half the stock each.
func pair(t testing.TB, s *Store, stock int64) (a, b sale.Bucket) {
	t.Helper()
	rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", stock))))
	return rows[0].Bucket, rows[1].Bucket
}

func TestTransferMovesLoadedUnits(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		a, b := pair(t, s, 20)
		d := transfer(a, 1, 1, 5, 6)
		settle(t, s, batch(a, 1, 4, crowd(2)...), d)
		for range 2 {
			giver, receiver := countersOf(t, s, a), countersOf(t, s, b)
			require.EqualValues(t, []int64{4, 2, 8, 6, 0, 5}, []int64{
				giver.Loaded, giver.Settled, giver.SettledEpoch, giver.MovedEpoch, giver.GivenEpoch, giver.Sequence,
			})
			require.EqualValues(t, []int64{16, 0, 0, 6, 0}, []int64{
				receiver.Loaded, receiver.SettledEpoch, receiver.MovedEpoch, receiver.GivenEpoch, receiver.Sequence,
			})
			require.Equal(t, []sale.OutboxRow{credit(b, 1, 6)},
				waiting(t, s, b))
			require.Empty(t, waiting(t, s, a))
			require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, d), "delivered again")
		}
		require.Len(t, page(t, s, 10), 1, "a transfer makes no event")
		require.Zero(t, settle(t, s, batch(b, 1, 9, crowd(16)...)).Refused, "the receiver may sell them")
		require.Equal(t, 1, settle(t, s, batch(a, 1, 9, crowd(3)...)).Refused, "the giver may not")
	})
}

func TestLateTransferMovesNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		a, b := pair(t, s, 20)
		reopened(t, s, []sale.BucketRow{countersOf(t, s, a).BucketRow})
		before, receiver := countersOf(t, s, a), countersOf(t, s, b)
		late := transfer(a, 1, 1, 5, 6)
		require.Equal(t, sale.Settlement{}, settle(t, s, late))
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, late))
		require.Equal(t, before, countersOf(t, s, a), "the rebuild has counted the units as the giver's")
		require.Equal(t, receiver, countersOf(t, s, b))
		require.Empty(t, waiting(t, s, b))
	})
}

func TestTransferOfUnitsThatAreNotLoaded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		a, b := pair(t, s, 20)
		done := settle(t, s, batch(a, 1, 4, crowd(5)...), transfer(a, 1, 1, 5, 6))
		require.Equal(t, sale.Settlement{Rows: 5, Closed: []sale.Bucket{a}}, done)
		require.EqualValues(t, 10, countersOf(t, s, a).Loaded)
		require.EqualValues(t, 10, countersOf(t, s, b).Loaded)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, b).State)
	})
}

func TestForkOfATransfer(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		a, b := pair(t, s, 20)
		settle(t, s, transfer(a, 1, 1, 5, 6))
		done := settle(t, s, transfer(a, 1, 1, 5, 1))
		require.Equal(t, sale.Settlement{Closed: []sale.Bucket{a}}, done)
		require.EqualValues(t, 16, countersOf(t, s, b).Loaded, "once")
		done = settle(t, s, batch(a, 1, 5, crowd(1)...))
		require.Equal(t, sale.Settlement{Rows: 1, Closed: []sale.Bucket{a}}, done)
	})
}

func TestTransferToNowhereIsPoison(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		a, _ := pair(t, s, 20)
		d := transfer(a, 7, 1, 5, 6)
		_, err := s.Settle(ctx, []sale.Delivery{fence("f"), d})
		var poison *sale.PoisonError
		require.ErrorAs(t, err, &poison)
		require.Equal(t, 1, poison.Index)
		require.Equal(t, sale.PoisonUnknownBucket, poison.Reason)

		add(t, s, letter(d, 7))
		for range 2 {
			require.NoError(t, s.RefuseDeadLetter(ctx, "3-7"))
			require.Equal(t, sale.DeadLetterRefused, state(t, s, "3-7"))
			require.Equal(t, []sale.OutboxRow{credit(a, 1, 6)},
				waiting(t, s, a))
			giver := countersOf(t, s, a)
			require.EqualValues(t, []int64{10, 6, 6, 6},
				[]int64{giver.Loaded, giver.SettledEpoch, giver.MovedEpoch, giver.GivenEpoch})
		}
		require.Equal(t, sale.BucketOpen, countersOf(t, s, a).State, "the units go back to the giving bucket")
	})
}

// Either the giver or the receiver of a transfer in the dead letters gets the units, once, after any further commands.
func TestTransferIsRefusedOrReplayed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		a, b := pair(t, s, 20)
		refused, replayed := transfer(a, 1, 1, 5, 6), transfer(a, 1, 1, 6, 3)
		add(t, s, letter(refused, 7), letter(replayed, 8))
		require.NoError(t, s.RefuseDeadLetter(ctx, "3-7"))
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, refused))
		require.EqualValues(t, []int64{10, 10}, []int64{countersOf(t, s, a).Loaded, countersOf(t, s, b).Loaded})

		require.Equal(t, sale.Settlement{}, settle(t, s, replayed))
		require.NoError(t, s.RefuseDeadLetter(ctx, "3-8"))
		require.Equal(t, sale.DeadLetterReplayed, state(t, s, "3-8"), "it has settled")
		require.EqualValues(t, []int64{7, 13}, []int64{countersOf(t, s, a).Loaded, countersOf(t, s, b).Loaded})
		require.Equal(t, []sale.OutboxRow{credit(a, 1, 6)}, waiting(t, s, a))
		require.Equal(t, []sale.OutboxRow{credit(b, 1, 3)}, waiting(t, s, b))
		require.EqualValues(t, []int64{9, 6}, []int64{countersOf(t, s, a).MovedEpoch, countersOf(t, s, a).GivenEpoch})
		require.Equal(t, sale.BucketOpen, countersOf(t, s, a).State)
	})
}

// Transfers in both directions beside batches: no unit is made or lost, and no transaction waits long in a deadlock.
func TestTransfersAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		a, b := pair(t, s, 400)
		require.NoError(t, together(4, func(i int) error {
			from, to := a, 1
			if i%2 == 1 {
				from, to = b, 0
			}
			for n := range int64(8) {
				sequence := 1 + n + 100*int64(i)
				_, err := s.Settle(t.Context(), []sale.Delivery{
					transfer(from, to, 1, sequence, 3), batch(sale.Bucket{Sale: "eleven", Number: to}, 1,
						50+sequence, crowd(2)...),
				})
				if err != nil {
					return err
				}
			}
			return nil
		}))
		var loaded int64
		for _, bucket := range []sale.Bucket{a, b} {
			own := countersOf(t, s, bucket)
			loaded += own.Loaded
			require.EqualValues(t, 48, own.MovedEpoch)
			require.EqualValues(t, 48, own.GivenEpoch)
			for i, row := range waiting(t, s, bucket) {
				require.EqualValues(t, i+1, row.Number, "without gaps, in the order of the commits")
			}
			ledgerAgrees(t, s, bucket)
		}
		require.EqualValues(t, 400, loaded)
	})
}
