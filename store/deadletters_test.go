package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// letter makes a dead letter of a delivery.
func letter(d sale.Delivery, offset int64) sale.DeadLetter {
	return sale.DeadLetter{
		ID: fmt.Sprintf("3-%d", offset), Reason: sale.PoisonUnknownBucket, Detail: "why \xff", State: sale.DeadLetterWaiting,
		Partition: 3, Offset: offset, Raw: d.Raw,
	}
}

func add(t *testing.T, s *Store, letters ...sale.DeadLetter) {
	t.Helper()
	for _, l := range letters {
		require.NoError(t, s.AddDeadLetter(t.Context(), l))
	}
}

func state(t *testing.T, s *Store, id string) sale.DeadLetterState {
	t.Helper()
	found, err := s.DeadLetter(t.Context(), id)
	require.NoError(t, err)
	return found.State
}

// lettersOf reads all pages of the dead letters in a state.
func lettersOf(t *testing.T, s database, in sale.DeadLetterState, limit int) (all []sale.DeadLetter) {
	t.Helper()
	q := sale.LetterQuery{State: in, Limit: limit}
	for {
		page, err := s.DeadLetters(t.Context(), &q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Letters), limit)
		all = append(all, page.Letters...)
		if page.Next == nil {
			return all
		}
		require.NotEmpty(t, page.Letters, "a page that is not the last has a letter")
		q.After = page.Next
	}
}

func TestDeadLettersArePaged(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket, m := phone(t, s, 100, 1), memory.New(memory.Options{})
		for i := range 23 {
			l := letter(batch(bucket, 1, int64(i+1), crowd(1)...), int64(i/2))
			l.ID, l.Partition = fmt.Sprint("letter-", i), int32(i%3)
			for _, d := range []database{s, m} {
				require.NoError(t, d.AddDeadLetter(t.Context(), l))
				switch i % 4 {
				case 1:
					require.NoError(t, d.RefuseDeadLetter(t.Context(), l.ID))
				case 2:
					require.NoError(t, d.MarkReplayed(t.Context(), l.ID))
				}
			}
		}
		for _, in := range append(sale.DeadLetterStates(), "") {
			wanted := lettersOf(t, m, in, 100)
			require.NotEmpty(t, wanted)
			for _, limit := range []int{1, 4, 100} {
				for _, s.letterBytes = range []int64{1, 300, maxLetterBytes} {
					require.Equal(t, wanted, lettersOf(t, s, in, limit), "%s %d %d", in, limit, s.letterBytes)
				}
			}
		}
		s.letterBytes = 1
		page, err := s.DeadLetters(t.Context(), &sale.LetterQuery{Limit: 100})
		require.NoError(t, err)
		require.Len(t, page.Letters, 1, "large records end a page")
	})
}

// A decision is in the trail once, with its actor; a repeated one changes nothing and is not there.
func TestDecisionsAreInTheTrail(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		first, second := batch(bucket, 1, 1, crowd(2)...), batch(bucket, 1, 2, crowd(1)...)
		third := batch(bucket, 1, 3, crowd(1)...)
		add(t, s, letter(first, 1), letter(second, 2), letter(third, 3), sale.DeadLetter{ID: "3-4", Raw: []byte("?")})
		settle(t, s, first, third)
		ctx := sale.WithActor(t.Context(), sale.Actor{Who: "night", Role: sale.RoleOperator, RequestID: "r-1"})
		for range 2 {
			require.NoError(t, s.MarkReplayed(ctx, "3-1"))
			require.NoError(t, s.RefuseDeadLetter(ctx, "3-2"))
			require.NoError(t, s.RefuseDeadLetter(ctx, "3-3"))
			require.NoError(t, s.RefuseDeadLetter(ctx, "3-4"))
		}
		require.Error(t, s.RefuseDeadLetter(ctx, "9-9"))
		page, err := s.Trail(ctx, sale.TrailQuery{Limit: 4})
		require.NoError(t, err)
		var told []string
		for _, e := range page.Entries {
			require.Equal(t, "night operator r-1", e.Who+" "+string(e.Role)+" "+e.RequestID)
			told = append(told, fmt.Sprintf("%s %s of %q: %s to %s", e.Verb, e.Target, e.Sale, e.Before, e.After))
		}
		require.Equal(t, []string{
			`refuse deadletter/3-4 of "": {"orders":0,"state":"waiting"} to {"orders":0,"state":"refused"}`,
			`refuse deadletter/3-3 of "eleven": {"orders":1,"state":"waiting"} to {"orders":1,"state":"replayed"}`,
			`refuse deadletter/3-2 of "eleven": {"orders":1,"state":"waiting"} to {"orders":1,"state":"refused"}`,
			`replay deadletter/3-1 of "eleven": {"orders":2,"state":"waiting"} to {"orders":2,"state":"replayed"}`,
		}, told)
	})
}

func TestDeadLettersAreKept(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		d := batch(bucket, 1, 1, crowd(2)...)
		garbled := sale.DeadLetter{ID: "2-9", Reason: sale.PoisonDecode, Detail: strings.Repeat("é", 2000), Partition: 2,
			Offset: 9, Raw: []byte("\x00\xff'\\")}
		empty := sale.DeadLetter{ID: "2-10", Reason: sale.PoisonDecode, Partition: 2, Offset: 10}
		add(t, s, letter(d, 7), garbled, empty, letter(d, 7))

		all := lettersOf(t, s, sale.DeadLetterWaiting, 10)
		require.Len(t, all, 3)
		require.Equal(t, []string{"2-9", "2-10", "3-7"}, []string{all[0].ID, all[1].ID, all[2].ID})
		require.Equal(t, garbled.Raw, all[0].Raw)
		require.Nil(t, all[0].Batch)
		require.Empty(t, all[1].Raw)
		require.Equal(t, "why ?", all[2].Detail)
		require.Equal(t, sale.PoisonUnknownBucket, all[2].Reason)
		require.Equal(t, sale.DeadLetterWaiting, all[2].State)
		require.Equal(t, d.Raw, all[2].Raw)
		require.Equal(t, d.Record.Batch, all[2].Batch)
		require.Equal(t, d.Record.Batch.Orders, all[2].Orders)

		one, err := s.DeadLetter(t.Context(), "3-7")
		require.NoError(t, err)
		require.Equal(t, all[2], one)
		_, err = s.DeadLetter(t.Context(), "9-9")
		require.ErrorIs(t, err, sale.ErrNotFound)
	})
}

// A topic made anew starts its offsets anew: the record is another one and must not be lost.
func TestDeadLetterOfTheSameIDButOtherBytes(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		first, second := batch(bucket, 1, 1, crowd(1)...), batch(bucket, 1, 2, crowd(1)...)
		for range 2 {
			add(t, s, letter(first, 7), letter(second, 7))
		}
		all := lettersOf(t, s, "", 1)
		require.Len(t, all, 2)
		require.Equal(t, "3-7", all[0].ID)
		require.True(t, strings.HasPrefix(all[1].ID, "3-7-"))
		require.Equal(t, second.Raw, all[1].Raw)
	})
}

func TestSameDeadLetterAddedAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		l := letter(batch(bucket, 1, 1, crowd(3)...), 7)
		require.NoError(t, together(6, func(int) error { return s.AddDeadLetter(t.Context(), l) }))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM dead_letters"))
		require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM dead_letter_orders"))
	})
}

func TestOrdersOfWaitingDeadLetters(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		d := batch(bucket, 1, 1, orders...)
		add(t, s, letter(d, 7))
		waiting := sale.Order{
			OrderID: orders[0].OrderID, Status: sale.StatusQueued, Reason: sale.ReasonDeadLetter, Sale: "eleven",
			Lines: orders[0].Lines, Currency: "CNY", CreatedAt: sale.TimeMillis(noon),
			UpdatedAt: sale.TimeMillis(noon), PayBy: sale.PayBy(sale.TimeMillis(noon).Time, 900), BuyerID: orders[0].Buyer,
		}
		require.Equal(t, waiting, order(t, s, orders[0].OrderID))
		mine, err := s.BuyerOrders(ctx, "eleven", "phone", orders[0].Buyer, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []sale.Order{waiting}, mine)

		settle(t, s, d) // a replay that has not been marked yet
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[0].OrderID).Status, "a row comes first")
		mine, err = s.BuyerOrders(ctx, "eleven", "phone", orders[0].Buyer, 0, 10)
		require.NoError(t, err)
		require.Len(t, mine, 1)
		require.Equal(t, sale.StatusConfirmed, mine[0].Status)

		require.NoError(t, s.MarkReplayed(ctx, "3-7"))
		require.Equal(t, sale.DeadLetterReplayed, state(t, s, "3-7"))
		require.NoError(t, s.RefuseDeadLetter(ctx, "3-7"))
		require.Equal(t, sale.DeadLetterReplayed, state(t, s, "3-7"), "a settled one cannot be refused")
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[0].OrderID).Status)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
		require.Empty(t, lettersOf(t, s, sale.DeadLetterWaiting, 10))
		require.ErrorIs(t, s.MarkReplayed(ctx, "9-9"), sale.ErrNotFound)
	})
}

func TestRefuseDeadLetter(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		settle(t, s, batch(bucket, 1, 1, orders[0]))
		d := batch(bucket, 1, 2, orders[1], orders[2], orders[0])
		add(t, s, letter(d, 7))
		for range 2 { // the second time changes nothing
			require.NoError(t, s.RefuseDeadLetter(ctx, "3-7"))
			require.Equal(t, sale.DeadLetterRefused, state(t, s, "3-7"))
			refused := order(t, s, orders[1].OrderID)
			require.Equal(t, sale.StatusRefused, refused.Status)
			require.Equal(t, sale.ReasonDeadLetter, refused.Reason)
			require.Equal(t, orders[1].Lines, refused.Lines)
			require.Equal(t, sale.StatusConfirmed, order(t, s, orders[0].OrderID).Status, "a row is kept")
			b := countersOf(t, s, bucket)
			require.Equal(t, sale.BucketClosed, b.State, "a rebuild gives the units back")
			require.EqualValues(t, 1, b.Settled)
			require.EqualValues(t, 4, b.SettledEpoch)
		}
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, d), "a replay of a refused one changes nothing")
		require.NoError(t, s.MarkReplayed(ctx, "3-7"))
		require.Equal(t, sale.DeadLetterRefused, state(t, s, "3-7"))
		loads, err := s.BeginLoads(ctx, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.EqualValues(t, 9, loads[0].Stock[0].Available)
		require.ErrorIs(t, s.RefuseDeadLetter(ctx, "9-9"), sale.ErrNotFound)
	})
}

// In the ordinary case the outbox gives the units back, and the bucket stays open.
func TestRefusedDeadLetterGivesBack(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := []sale.RecordOrder{one("ann", 1), one("bob", 2)}
		d := batch(bucket, 1, 5, orders...)
		add(t, s, letter(d, 7))
		for range 2 {
			require.NoError(t, s.RefuseDeadLetter(t.Context(), "3-7"))
			b := countersOf(t, s, bucket)
			require.Equal(t, sale.BucketOpen, b.State)
			require.EqualValues(t, []int64{0, 0, 3, 3, 5},
				[]int64{b.Settled, b.Released, b.SettledEpoch, b.GivenEpoch, b.Sequence})
			require.Equal(t, []sale.OutboxRow{{
				Bucket: bucket, Number: 1, Epoch: 1, Kind: sale.OutboxRefusal, Orders: given(orders...),
			}}, waiting(t, s, bucket))
		}
		require.Len(t, drained(t, s), 2, "refusals are events")
		require.Zero(t, settle(t, s, batch(bucket, 1, 6, one("ann", 1))).Refused, "she may buy again")
	})
}

func TestRefuseDeadLetterThatSettledMeanwhile(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		d := batch(bucket, 1, 1, crowd(1)...)
		add(t, s, letter(d, 7))
		settle(t, s, d)
		require.NoError(t, s.RefuseDeadLetter(t.Context(), "3-7"))
		require.Equal(t, sale.DeadLetterReplayed, state(t, s, "3-7"))
		require.Equal(t, sale.StatusConfirmed, order(t, s, d.Record.Batch.BatchID).Status)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
	})
}

func TestRefuseDeadLetterOfAnOlderEpoch(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		d := batch(bucket, 1, 1, crowd(1)...)
		add(t, s, letter(d, 7))
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, s.RefuseDeadLetter(t.Context(), "3-7"))
		require.Equal(t, sale.ReasonDeadLetter, order(t, s, d.Record.Batch.BatchID).Reason)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State, "the rebuild in between gave the units back")
		require.Zero(t, countersOf(t, s, bucket).SettledEpoch)
	})
}

func TestRefuseDeadLetterWithoutAHome(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		lost := batch(sale.Bucket{Sale: "lost"}, 1, 1, crowd(1)...)
		timeless := batch(phone(t, s, 1, 1), 1, 2, crowd(1)...)
		timeless.Record.Batch.CreatedMS = sale.MaxCreatedMS // with the payment time it is outside the times of the database
		timeless.Raw = sale.AppendBatch(nil, timeless.Record.Batch)
		add(t, s, letter(lost, 1), letter(timeless, 2), sale.DeadLetter{ID: "3-3", Reason: sale.PoisonDecode, Raw: []byte("?")})
		homeless := order(t, s, lost.Record.Batch.BatchID)
		require.Equal(t, sale.StatusQueued, homeless.Status)
		require.Equal(t, lost.Record.Batch.Orders[0].Lines, homeless.Lines, "the price is the record's")
		require.Empty(t, homeless.Currency)
		for _, id := range []string{"3-1", "3-2", "3-3"} {
			require.NoError(t, s.RefuseDeadLetter(ctx, id))
			require.Equal(t, sale.DeadLetterRefused, state(t, s, id))
		}
		for _, d := range []sale.Delivery{lost, timeless} {
			require.Equal(t, sale.StatusRefused, order(t, s, d.Record.Batch.BatchID).Status)
		}
		put(t, s, draft("lost", 1, item("phone", 1)))
		reopened(t, s, load(t, s, "lost"))
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, lost), "the sale exists by now; the refusal stays")
	})
}

func TestRefusedAtOnceWithAReplay(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		for i := range int64(10) {
			d := batch(bucket, countersOf(t, s, bucket).Epoch, i+1, crowd(2)...)
			l := letter(d, i)
			add(t, s, l)
			require.NoError(t, together(2, func(k int) error {
				if k == 0 {
					return s.RefuseDeadLetter(t.Context(), l.ID)
				}
				if _, err := s.Settle(t.Context(), []sale.Delivery{d}); err != nil {
					return err
				}
				return s.MarkReplayed(t.Context(), l.ID)
			}))
			statuses := map[sale.OrderStatus]int{}
			for _, o := range d.Record.Batch.Orders {
				statuses[order(t, s, o.OrderID).Status]++
			}
			require.Len(t, statuses, 1, "all or none")
		}
		ledgerAgrees(t, s, bucket)
	})
}
