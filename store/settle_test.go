package store

import (
	"database/sql"
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
			OrderID: orders[0].OrderID, Status: sale.StatusConfirmed, Sale: "eleven", SKU: "phone", Quantity: 1,
			UnitPriceCents: 129900, Currency: "CNY", CreatedAt: sale.TimeMillis(noon), UpdatedAt: found.UpdatedAt,
			PayBy: found.PayBy, BuyerID: orders[0].Buyer,
		}, found)
		require.Equal(t, max(noon+900_000, found.UpdatedAt.UnixMilli()+60_000), found.PayBy.UnixMilli())
		require.False(t, found.UpdatedAt.Before(found.CreatedAt.Time))
	})
}

func TestSettleWithoutPaymentDeadline(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("free", 1, item("phone", 1, 1))
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
		require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM allowances"))
	})
}

func TestNeverBeyondTheLimit(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for limit := 1; limit <= 3; limit++ {
			id := strings.Repeat("x", limit)
			bucket := selling(t, s, draft(id, limit, item("phone", 100, 1)))[0].Bucket
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
			bucket := selling(t, s, draft(strings.Repeat("k", limit), limit, item("phone", 100, 1)))[0].Bucket
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

// The store reads the keys of buyers with slots, and of all buyers once units were given back.
func TestKeysAreReadWhereOrdersMayBe(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for limit := 1; limit <= 2; limit++ {
			bucket := selling(t, s, draft(strings.Repeat("k", limit), limit, item("phone", 1000, 1)))[0].Bucket
			sold, gone := pressed(1)[0], pressed(1)[0]
			settle(t, s, batch(bucket, 1, 1, sold, gone))
			read := func(closely bool, orders ...sale.RecordOrder) (keys []string) {
				work, err := sortDeliveries([]sale.Delivery{batch(bucket, 1, 2, orders...)})
				require.NoError(t, err)
				require.NoError(t, s.transact(t.Context(), func(tx *sql.Tx) error {
					state, err := s.readState(t.Context(), tx, work, closely)
					for key := range state.Keys {
						keys = append(keys, key.Key)
					}
					return err
				}))
				return keys
			}
			more := append(crowd(20), one(sold.Buyer, 1), one(gone.Buyer, 1))
			again := append(pressed(20), sold, gone)
			require.Empty(t, read(false, more...))
			if limit == 1 {
				require.Empty(t, read(false, again...), "the unique key over slot 0 will object")
			} else {
				require.ElementsMatch(t, []string{sold.Key, gone.Key}, read(false, again...))
			}
			require.ElementsMatch(t, []string{sold.Key, gone.Key}, read(true, again...))
			_, err := s.CancelOrder(t.Context(), gone.OrderID, sale.ReasonBuyer, "")
			require.NoError(t, err)
			require.ElementsMatch(t, []string{sold.Key, gone.Key}, read(false, again...))
			require.Empty(t, read(false, more...), "no order has a key")
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
		require.Equal(t, 9, count(t, s, "SELECT COUNT(*) FROM allowances"))
		require.Equal(t, 2, count(t, s, "SELECT MAX(slot) FROM allowances"))
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE slot IS NOT NULL"))
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

func TestManyBucketsInOneSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		var items []sale.Item
		for i := range 150 {
			items = append(items, item("sku-"+string(rune('a'+i%26))+strings.Repeat("z", i/26), 10, 2))
		}
		rows := selling(t, s, draft("wide", 2, items...))
		require.Len(t, rows, 300)
		var deliveries []sale.Delivery
		for i, row := range rows {
			deliveries = append(deliveries, batch(row.Bucket, 1, 1, crowd(1+i%3)...))
		}
		require.Equal(t, sale.Settlement{Rows: 600}, settle(t, s, deliveries...))
		for i, row := range rows[:6] {
			require.EqualValues(t, 1+i%3, countersOf(t, s, row.Bucket).Settled)
			ledgerAgrees(t, s, row.Bucket)
		}
		require.Equal(t, sale.Settlement{Duplicate: 300}, settle(t, s, deliveries...))
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
		foreign := batch(sale.Bucket{Sale: "eleven", SKU: "other"}, 1, 1, crowd(1)...)
		timeless := batch(bucket, 1, 2, crowd(1)...)
		timeless.Record.Batch.CreatedMS = ledger.MaxMomentMS + 1
		long := batch(bucket, 1, 3, one(strings.Repeat("b", 65), 1))

		for name, c := range map[string]struct {
			deliveries []sale.Delivery
			index      int
			reason     string
		}{
			"unknown bucket":  {[]sale.Delivery{good, fence("f"), foreign}, 2, sale.PoisonUnknownBucket},
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

// The guard does not rely on the decisions of the plan.
func TestGuardIsTheLastWord(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 3, 1)
		for name, c := range map[string]struct {
			ledger.Move
			fits bool
		}{
			"beyond loaded": {ledger.Move{Epoch: 1, Gain: ledger.Gain{Settled: 4, SettledEpoch: 4}}, false},
			"another epoch": {ledger.Move{Epoch: 2, Gain: ledger.Gain{Settled: 1, SettledEpoch: 1}}, false},
			"fits":          {ledger.Move{Epoch: 1, Gain: ledger.Gain{Settled: 3, SettledEpoch: 5}}, true},
		} {
			tx, err := s.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			err = s.moveStock(t.Context(), tx, map[sale.Bucket]*ledger.Move{bucket: &c.Move})
			if c.fits {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, errStartOver, name)
			}
			require.NoError(t, tx.Rollback())
		}
	})
}
