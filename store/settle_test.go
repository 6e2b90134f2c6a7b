package store

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

func TestSettleWritesOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		done := settle(t, s, batch(bucket, 1, 1, orders[:2]...), batch(bucket, 1, 2, orders[2]))
		require.Equal(t, sale.Settlement{Rows: 3}, done)

		b := countersOf(t, s, bucket)
		require.EqualValues(t, 3, b.Settled)
		require.EqualValues(t, 3, b.SettledEpoch)
		require.Equal(t, sale.BucketOpen, b.State)
		ledgerAgrees(t, s, bucket)

		found := order(t, s, orders[0].OrderID)
		require.Equal(t, sale.Order{
			OrderID: orders[0].OrderID, Status: sale.StatusConfirmed, Sale: "eleven",
			Lines: orders[0].Lines, Currency: "CNY", CreatedAt: sale.TimeMillis(noon), UpdatedAt: found.UpdatedAt,
			PayBy: found.PayBy, BuyerID: orders[0].Buyer,
		}, found)
		require.Equal(t, max(noon+900_000, found.UpdatedAt.UnixMilli()+60_000), found.PayBy.UnixMilli())
		require.False(t, found.UpdatedAt.Before(found.CreatedAt.Time))
	})
}

func TestSettleWithoutPaymentDeadline(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("free", 1, item("phone", 1))
		wanted.PaymentTTL = 0
		bucket := selling(t, s, wanted)[0].Bucket
		orders := crowd(1)
		settle(t, s, batch(bucket, 1, 1, orders...))
		require.Nil(t, order(t, s, orders[0].OrderID).PayBy)
	})
}

func TestSettleNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		require.Equal(t, sale.Settlement{}, settle(t, s))
	})
}

func TestRedeliveryChangesNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		first, second := batch(bucket, 1, 1, crowd(2)...), batch(bucket, 1, 2, crowd(2)...)
		settle(t, s, first)
		before := countersOf(t, s, bucket)
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, first))
		require.Equal(t, before, countersOf(t, s, bucket))

		require.Equal(t, sale.Settlement{Rows: 2, Duplicate: 1}, settle(t, s, first, second), "what is new beside it settles")
		require.EqualValues(t, 4, countersOf(t, s, bucket).Settled)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
	})
}

func TestSameRecordTwiceInOneSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		d := batch(bucket, 1, 1, crowd(2)...)
		require.Equal(t, sale.Settlement{Rows: 2, Duplicate: 1}, settle(t, s, d, d))
		require.EqualValues(t, 2, countersOf(t, s, bucket).SettledEpoch)
	})
}

func TestRedeliveryAfterRebuildIsNotLate(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		settle(t, s, batch(bucket, 1, 1, orders...))
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, batch(bucket, 1, 1, orders...)))
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[0].OrderID).Status)
	})
}

func TestForkSettlesAndClosesTheBucket(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		shared := crowd(1)[0]
		settle(t, s, batch(bucket, 1, 1, crowd(1)[0], shared))
		other := crowd(1)[0]
		fork := batch(bucket, 1, 1, other, shared)

		done := settle(t, s, fork)
		require.Equal(t, sale.Settlement{Rows: 1, Closed: []sale.Bucket{bucket}}, done, "the shared order has its row")
		require.Equal(t, sale.StatusConfirmed, order(t, s, other.OrderID).Status)
		b := countersOf(t, s, bucket)
		require.Equal(t, sale.BucketClosed, b.State)
		require.EqualValues(t, 3, b.Settled)
		require.EqualValues(t, 4, b.SettledEpoch)
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, fork), "a fork is marked as well")
		ledgerAgrees(t, s, bucket)
	})
}

// A call that is asked again after a loss may take more orders at the same sequence under the same first id: the marker
// of the first time does not swallow them.
func TestMarkedBatchWithMoreOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(4)
		settle(t, s, batch(bucket, 1, 2, orders[0]))
		grown := batch(bucket, 1, 2, orders[:2]...)
		require.Equal(t, sale.Settlement{Rows: 1, Closed: []sale.Bucket{bucket}}, settle(t, s, grown))
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[1].OrderID).Status)
		require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State)
		require.EqualValues(t, 2, countersOf(t, s, bucket).Settled)
		require.Equal(t, sale.Settlement{Duplicate: 2}, settle(t, s, grown, batch(bucket, 1, 2, orders[0])))
		ledgerAgrees(t, s, bucket)

		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		late := sale.Settlement{Rows: 1, Refused: 1}
		require.Equal(t, late, settle(t, s, batch(bucket, 1, 2, orders[:3]...)))
		require.Equal(t, sale.ReasonFenced, order(t, s, orders[2].OrderID).Reason)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State, "a late batch is not a disagreement")
		require.Equal(t, late, settle(t, s, batch(bucket, 1, 2, orders...)), "and once more")
		require.Equal(t, 1, count(t, s, "SELECT (SELECT COUNT(*) FROM batches) + (SELECT COUNT(*) FROM forks)"))
	})
}

// Orders of a refused dead letter stay refused; other orders of a batch with the same identity settle.
func TestMarkedBatchWithMoreOrdersThanWereRefused(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		short, grown := batch(bucket, 1, 2, orders[0]), batch(bucket, 1, 2, orders[:2]...)
		add(t, s, letter(short, 7), letter(grown, 8))
		require.NoError(t, s.RefuseDeadLetter(t.Context(), "3-7"))
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
		require.NoError(t, s.RefuseDeadLetter(t.Context(), "3-8"))
		require.Equal(t, sale.DeadLetterRefused, state(t, s, "3-8"), "not taken for settled")
		require.Equal(t, sale.ReasonDeadLetter, order(t, s, orders[1].OrderID).Reason)
		require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State)
		require.Equal(t, sale.Settlement{Duplicate: 2}, settle(t, s, short, grown))

		require.Equal(t, 0, settle(t, s, batch(bucket, 1, 2, orders...)).Refused)
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[2].OrderID).Status)
		require.Equal(t, sale.StatusRefused, order(t, s, orders[0].OrderID).Status)
	})
}

func TestForkInsideOneSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		done := settle(t, s, batch(bucket, 1, 1, crowd(1)...), batch(bucket, 1, 1, crowd(1)...))
		require.Equal(t, sale.Settlement{Rows: 2, Closed: []sale.Bucket{bucket}}, done)
	})
}

func TestLateBatchIsRefused(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		late := batch(bucket, 1, 1, crowd(2)...)
		require.Equal(t, sale.Settlement{Rows: 2, Refused: 2}, settle(t, s, late))
		refused := order(t, s, late.Record.Batch.BatchID)
		require.Equal(t, sale.StatusRefused, refused.Status)
		require.Equal(t, sale.ReasonFenced, refused.Reason)
		b := countersOf(t, s, bucket)
		require.Equal(t, sale.BucketOpen, b.State, "late batches are not a disagreement")
		require.Zero(t, b.Settled)
		require.Zero(t, b.SettledEpoch)

		orders[0].Buyer = "again"
		require.Equal(t, 0, settle(t, s, batch(bucket, 2, 1, orders...)).Refused, "the buyer may buy again")
		require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, batch(bucket, 2, 1, orders...)))
	})
}

// Only the epoch makes a batch late. A fence record is a barrier for reading: a batch behind it settles like one before it.
func TestFencesDecideNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		done := settle(t, s, batch(bucket, 1, 1, crowd(1)...), fence("f"), batch(bucket, 1, 2, crowd(1)...))
		require.Equal(t, sale.Settlement{Rows: 2}, done)
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		done = settle(t, s, batch(bucket, 1, 3, crowd(1)...), fence("g"))
		require.Equal(t, sale.Settlement{Rows: 1, Refused: 1}, done)
	})
}

func TestLateForkAndLateRepeat(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		settle(t, s, batch(bucket, 1, 1, orders[0]))
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		done := settle(t, s, batch(bucket, 1, 1, orders[1], orders[0]))
		require.Equal(t, sale.Settlement{Rows: 1, Refused: 1}, done, "a confirmed order stays confirmed")
		require.Equal(t, sale.StatusConfirmed, order(t, s, orders[0].OrderID).Status)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
	})
}

func TestClosedBucketSettlesItsEpoch(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		_, err := s.CloseBuckets(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.Equal(t, sale.Settlement{Rows: 1}, settle(t, s, batch(bucket, 1, 1, crowd(1)...)))
	})
}

func TestNeverBeyondLoaded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 3, 2)
		orders := []sale.RecordOrder{one("a", 2), one("b", 2), one("c", 1), one("d", 1)}
		done := settle(t, s, batch(bucket, 1, 1, orders...))
		require.Equal(t, sale.Settlement{Rows: 4, Refused: 2, Closed: []sale.Bucket{bucket}}, done)
		for i, reason := range []sale.OrderReason{"", sale.ReasonSoldOut, "", sale.ReasonSoldOut} {
			require.Equal(t, reason, order(t, s, orders[i].OrderID).Reason, "order %d", i)
		}
		b := countersOf(t, s, bucket)
		require.EqualValues(t, 3, b.Settled)
		require.EqualValues(t, 6, b.SettledEpoch, "refused orders are no longer in flight")
		require.Equal(t, sale.BucketClosed, b.State)
	})
}

func TestNeverBeyondTheLimit(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for limit := 1; limit <= 3; limit++ {
			id := strings.Repeat("x", limit)
			bucket := selling(t, s, draft(id, limit, item("phone", 100)))[0].Bucket
			for i := range limit {
				require.Equal(t, 0, settle(t, s, batch(bucket, 1, int64(i+1), one("ann", 1))).Refused)
			}
			beyond := one("ann", 1)
			done := settle(t, s, batch(bucket, 1, 50, beyond, one("bob", 1)))
			require.Equal(t, sale.Settlement{Rows: 2, Refused: 1, Closed: []sale.Bucket{bucket}}, done)
			require.Equal(t, sale.ReasonOverLimit, order(t, s, beyond.OrderID).Reason)
			require.EqualValues(t, limit+1, countersOf(t, s, bucket).Settled)

			alone := one("eve", limit+1)
			settle(t, s, batch(bucket, 1, 51, alone))
			require.Equal(t, sale.ReasonOverLimit, order(t, s, alone.OrderID).Reason, "a quantity alone over the limit")
			ledgerAgrees(t, s, bucket)
		}
	})
}

func TestSameBuyerTwiceInOneBatch(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		done := settle(t, s, batch(bucket, 1, 1, one("ann", 1), one("ann", 1)))
		require.Equal(t, sale.Settlement{Rows: 2, Refused: 1, Closed: []sale.Bucket{bucket}}, done)
	})
}

// After Redis lost writes there may be two orders with one key: the database confirms one of them, with any limit.
func TestKeyMakesOneOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		pressed := func(buyer, key string) sale.RecordOrder {
			o := one(buyer, 1)
			o.Key = key
			return o
		}
		for limit := 1; limit <= 3; limit++ {
			bucket := selling(t, s, draft(strings.Repeat("k", limit), limit, item("phone", 100)))[0].Bucket
			first, second := pressed("ann", "k1"), pressed("ann", "k1")
			sequence := int64(0)
			refused := func(o sale.RecordOrder, more ...sale.RecordOrder) {
				t.Helper()
				sequence++
				d := batch(bucket, countersOf(t, s, bucket).Epoch, sequence, append(more, o)...)
				done := settle(t, s, d)
				require.Equal(t, sale.Settlement{Rows: 1 + len(more), Refused: 1, Closed: []sale.Bucket{bucket}}, done)
				require.Equal(t, sale.ReasonOverLimit, order(t, s, o.OrderID).Reason)
				require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, d))
				reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
			}
			refused(second, first)
			refused(pressed("ann", "k1"), crowd(2)...)
			_, err := s.CancelOrder(t.Context(), first.OrderID, sale.ReasonBuyer, "")
			require.NoError(t, err)
			refused(pressed("ann", "k1"), pressed("bob", "k1"))
			fresh := batch(bucket, countersOf(t, s, bucket).Epoch, 50, pressed("ann", "k2"))
			require.Zero(t, settle(t, s, fresh).Refused, "a new key")
			ledgerAgrees(t, s, bucket)
		}
	})
}

// What the buyers of a settlement have bought is read in every settlement, with all lines and keys of their orders that are
// not refused; orders that gave their units back keep their keys.
func TestWhatBuyersHaveBoughtIsRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 1000, 2)
		ann, again, gone := basket("ann"), lined("ann", units("case", 1)), one("ann", 1)
		ann.Key, gone.Key = "k1", "k2"
		refused := one("ann", 3) // beyond the limit
		refused.Key = "k3"
		settle(t, s, batch(bucket, 1, 1, ann, again, gone, one("Ann", 1)), batch(bucket, 1, 2, refused))
		cancel(t, s, gone.OrderID)
		orders := append(crowd(maxIDs), one("ann", 1), one("bob", 1))
		work, err := sortDeliveries([]sale.Delivery{batch(bucket, 1, 3, orders...)})
		require.NoError(t, err)
		for _, closely := range []bool{false, true} {
			var state *ledger.State
			require.NoError(t, s.transact(t.Context(), func(tx *sql.Tx) (err error) {
				state, err = s.readState(t.Context(), tx, work, closely, &notes{})
				return err
			}))
			require.Equal(t, map[ledger.Owner]*ledger.Bought{{Sale: "wide", Buyer: "ann"}: {
				Units: map[string]int{"phone": 1, "case": 2, "cable": 1}, Keys: map[string]bool{"k1": true, "k2": true},
			}}, state.Bought)
		}
	})
}

func TestQuantitiesFillTheLimit(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 3)
		done := settle(t, s, batch(bucket, 1, 1, one("ann", 2), one("bob", 3), one("ann", 1)), batch(bucket, 1, 2, one("cat", 1)))
		require.Equal(t, sale.Settlement{Rows: 4}, done)
		done = settle(t, s, batch(bucket, 1, 3, one("cat", 2)))
		require.Equal(t, sale.Settlement{Rows: 1}, done)
		done = settle(t, s, batch(bucket, 1, 4, one("cat", 1)))
		require.Equal(t, 1, done.Refused)
	})
}

func TestOrderIDThatHasARowElsewhere(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		settle(t, s, batch(bucket, 1, 1, orders[0]))
		done := settle(t, s, batch(bucket, 1, 2, orders[0], orders[1]))
		require.Equal(t, sale.Settlement{Rows: 1, Closed: []sale.Bucket{bucket}}, done, "counted twice by Redis")
		require.EqualValues(t, 2, countersOf(t, s, bucket).Settled)
		require.EqualValues(t, 3, countersOf(t, s, bucket).SettledEpoch)
	})
}

// Buckets of one SKU share statements, and the SKUs of a bucket do.
func TestManyShelvesInOneSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		var rows []sale.BucketRow
		for i := range 30 {
			rows = append(rows, selling(t, s, inBuckets(10, draft(fmt.Sprintf("sale-%d", i), 2, item("phone", 100))))...)
		}
		var items []sale.Item
		for i := range 2 * maxTerms {
			items = append(items, item(fmt.Sprintf("sku-%d", i), 20))
		}
		bucket := selling(t, s, draft("many", 9, items...))[0].Bucket
		var deliveries []sale.Delivery
		for i, row := range rows {
			deliveries = append(deliveries, batch(row.Bucket, 1, 1, crowd(1+i%3)...))
		}
		var orders []sale.RecordOrder
		for i := range items {
			orders = append(orders, lined(fmt.Sprintf("buyer-%d", i), units(items[i].SKU, 1+i%7)))
		}
		deliveries = append(deliveries, batch(bucket, 1, 1, orders...))
		sent := statements(t, s)
		require.Equal(t, sale.Settlement{Rows: 600 + len(orders)}, settle(t, s, deliveries...))
		require.Less(t, statements(t, s)-sent, 60)
		for i, row := range rows[:6] {
			require.EqualValues(t, 1+i%3, countersOf(t, s, row.Bucket).Settled)
			ledgerAgrees(t, s, row.Bucket)
		}
		ledgerAgrees(t, s, bucket)
		require.Equal(t, sale.Settlement{Duplicate: 301}, settle(t, s, deliveries...))
	})
}

func TestFencesPass(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		passed := func(tokens ...string) bool {
			all, err := s.FencesPassed(t.Context(), tokens)
			require.NoError(t, err)
			return all
		}
		require.True(t, passed())
		require.False(t, passed("f1"))
		settle(t, s, batch(bucket, 1, 1, crowd(1)...), fence("f1"))
		settle(t, s, fence("f2"))
		settle(t, s, fence("f2"))
		require.True(t, passed("f1", "f2", "f1"))
		require.False(t, passed("f1", "f3"))

		_, err := s.db.Exec("UPDATE fences SET passed_ms = 1 WHERE token = 'f1'")
		require.NoError(t, err)
		settle(t, s, fence("f3"))
		require.False(t, passed("f1"), "fences of long ago are forgotten")
	})
}

func TestPoisonIsNamed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		good := batch(bucket, 1, 1, crowd(1)...)
		foreign := batch(sale.Bucket{Sale: "eleven", Number: 1}, 1, 1, crowd(1)...)
		unsold := batch(bucket, 1, 4, crowd(1)[0], lined("ann", units("phone", 1), units("case", 1)))
		timeless := batch(bucket, 1, 2, crowd(1)...)
		timeless.Record.Batch.CreatedMS = ledger.MaxMomentMS + 1
		long := batch(bucket, 1, 3, one(strings.Repeat("b", 65), 1))

		for name, c := range map[string]struct {
			deliveries []sale.Delivery
			index      int
			reason     string
		}{
			"unknown bucket":  {[]sale.Delivery{good, fence("f"), foreign}, 2, sale.PoisonUnknownBucket},
			"unknown SKU":     {[]sale.Delivery{good, unsold}, 1, sale.PoisonUnknownBucket},
			"impossible time": {[]sale.Delivery{good, timeless}, 1, sale.PoisonData},
			"refused alone":   {[]sale.Delivery{fence("f"), long}, 1, sale.PoisonData},
			"refused of some": {[]sale.Delivery{good, long}, -1, sale.PoisonData},
		} {
			_, err := s.Settle(t.Context(), c.deliveries)
			var poison *sale.PoisonError
			require.ErrorAs(t, err, &poison, name)
			require.Equal(t, c.index, poison.Index, name)
			require.Equal(t, c.reason, poison.Reason, name)
		}
		require.Zero(t, countersOf(t, s, bucket).Settled, "nothing half done")
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM batches"))
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM fences"))
	})
}

func TestUpdatedAtIsNeverBeforeCreatedAt(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		past, future := batch(bucket, 1, 1, crowd(1)...), batch(bucket, 1, 2, crowd(1)...)
		past.Record.Batch.CreatedMS, future.Record.Batch.CreatedMS = opening.UnixMilli()-1e12, closing.UnixMilli()
		settle(t, s, past, future)
		early, late := order(t, s, past.Record.Batch.BatchID), order(t, s, future.Record.Batch.BatchID)
		require.True(t, early.UpdatedAt.After(early.CreatedAt.Time))
		require.Equal(t, late.CreatedAt, late.UpdatedAt)
	})
}

// The guards do not rely on the decisions of the plan.
func TestGuardIsTheLastWord(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 3, 1)
		writes := func(write func(tx *sql.Tx) error) error {
			tx, err := s.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			err = write(tx)
			require.NoError(t, tx.Rollback())
			return err
		}
		moves := func(epoch int64) error {
			return writes(func(tx *sql.Tx) error {
				return s.moveBuckets(t.Context(), tx, map[sale.Bucket]*ledger.Move{bucket: {Epoch: epoch}})
			})
		}
		require.ErrorIs(t, moves(2), errStartOver, "another epoch")
		require.NoError(t, moves(1), "a move that keeps the sequence is a change")
		for name, c := range map[string]struct {
			phone, box ledger.Gain
			fits       bool
		}{
			"beyond loaded":          {ledger.Gain{Settled: 4, SettledEpoch: 4}, ledger.Gain{}, false},
			"one of two beyond":      {ledger.Gain{Settled: 1, SettledEpoch: 1}, ledger.Gain{Settled: 4, SettledEpoch: 4}, false},
			"two alike beyond":       {ledger.Gain{Settled: 4}, ledger.Gain{Settled: 4}, false},
			"moved out beyond":       {ledger.Gain{Loaded: -2, Settled: 2}, ledger.Gain{Settled: 1}, false},
			"fits":                   {ledger.Gain{Settled: 3, SettledEpoch: 5}, ledger.Gain{Settled: 2, Released: 1}, true},
			"fits with what it adds": {ledger.Gain{Loaded: 1, Settled: 4}, ledger.Gain{Loaded: -3, GivenEpoch: -3}, true},
			"nothing":                {ledger.Gain{}, ledger.Gain{}, true},
		} {
			err := writes(func(tx *sql.Tx) error {
				return s.moveStock(t.Context(), tx, map[sale.Shelf]*ledger.Gain{
					{Bucket: bucket, SKU: "phone"}: &c.phone, {Bucket: bucket, SKU: "case"}: &c.box,
				})
			})
			if c.fits {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, errStartOver, name)
			}
		}
	})
}
