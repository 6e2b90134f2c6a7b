package settle

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

func recordsOf(count int) []record {
	list := make([]record, count)
	for i := range list {
		list[i] = delivered(int64(i), recordBytes("demo", int64(1+i*10), 2))
	}
	return list
}

func TestSettleTakesOneTransactionForAll(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	records := append(recordsOf(20), delivered(20, sale.AppendFence(nil, "token-1")))

	require.NoError(t, s.settle(t.Context(), records))

	require.Equal(t, []int{21}, store.sizes)
	require.Equal(t, 40, store.settledOrders())
	require.Equal(t, []string{"token-1"}, store.fences())
	require.Empty(t, dead.letters)
	require.InDelta(t, 40, testutil.ToFloat64(s.metrics.rows), 0)
}

func TestSettleOfNothingTouchesNothing(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	require.NoError(t, s.settle(t.Context(), nil))
	require.Empty(t, store.sizes)
}

// For every set of poison records: exactly those go to the dead letters, all others are settled once, in order, and the
// number of transactions is at most that of a bisection.
func TestBisectionFindsExactlyThePoison(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, store, dead := newFakeSettling(t)
		count := rapid.IntRange(1, 100).Draw(rt, "records")
		poison := rapid.MapOfN(rapid.Int64Range(0, int64(count-1)), rapid.Just(true), 0, 8).Draw(rt, "poison")
		store.poison = func(d *sale.Delivery) bool { return poison[d.Offset] }

		require.NoError(rt, s.settle(t.Context(), recordsOf(count)))

		var moved []int64
		for _, letter := range dead.letters {
			moved = append(moved, letter.Offset)
			require.Equal(rt, sale.PoisonData, letter.Reason)
			require.Contains(rt, store.letterIDs(), letter.ID)
		}
		require.Len(rt, moved, len(poison))
		for _, offset := range moved {
			require.True(rt, poison[offset], "record %d was moved without being poison", offset)
		}
		require.Equal(rt, 2*(count-len(poison)), store.settledOrders())
		require.True(rt, slices.IsSorted(store.order), "committed out of order: %v", store.order)
		require.LessOrEqual(rt, len(store.sizes), 1+len(poison)+2*len(poison)*(bits.Len(uint(count))+1))
		require.EqualValues(rt, count, store.position(3).Next)
	})
}

func TestANamedPoisonIsCutOutWithoutSearching(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	records := recordsOf(64)
	records[40] = delivered(40, recordBytes("unknown-sale", 5000, 3))

	require.NoError(t, s.settle(t.Context(), records))

	require.Equal(t, []int{64, 40, 1, 1, 23}, store.sizes, "the second of the ones moves the position")
	require.Len(t, dead.letters, 1)
	require.Equal(t, sale.PoisonUnknownBucket, dead.letters[0].Reason)
	require.Equal(t, "3-40", dead.letters[0].ID)
	require.Equal(t, "bucket unknown-sale:0 is not in the buckets table", dead.letters[0].Detail)
	require.Equal(t, batchOf("unknown-sale", 5000, 3).Orders, dead.letters[0].Orders, "with their lines")
	require.Equal(t, 126, store.settledOrders())
}

func TestAFenceIsNotCommittedBeforeWhatStandsAheadOfIt(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	records := recordsOf(9)
	records[4] = delivered(4, sale.AppendFence(nil, "barrier"))
	store.poison = func(d *sale.Delivery) bool { return d.Offset == 6 }

	require.NoError(t, s.settle(t.Context(), records))

	require.Equal(t, []int64{0, 1, 2, 3, 4, 5, 7, 8}, store.order)
}

func TestRecordsThatCannotBeDecodedAreBuriedAndTheRestSettles(t *testing.T) {
	whole := recordBytes("demo", 900, 2)
	broken := map[string][]byte{
		"truncated":       whole[:len(whole)-3],
		"header alone":    whole[:20],
		"unknown version": append([]byte("fs3"), whole[3:]...),
		"empty":           nil,
		"not text":        {0xff, 0xfe, 0},
	}
	for name, raw := range broken {
		t.Run(name, func(t *testing.T) {
			s, store, dead := newFakeSettling(t)
			records := []record{
				delivered(0, recordBytes("demo", 1, 2)), delivered(1, raw), delivered(2, recordBytes("demo", 10, 2)),
			}

			require.NoError(t, s.settle(t.Context(), records))

			require.Equal(t, []int{3}, store.sizes)
			require.Equal(t, 4, store.settledOrders())
			require.EqualValues(t, 3, store.position(3).Next)
			require.Len(t, dead.letters, 1)
			letter := dead.letters[0]
			require.Equal(t, sale.PoisonDecode, letter.Reason)
			require.Equal(t, raw, letter.Raw)
			require.Equal(t, int64(1), letter.Offset)
			require.Nil(t, letter.Batch)
			require.Contains(t, letter.Detail, "record cannot be decoded")
			require.InDelta(t, 1, testutil.ToFloat64(s.metrics.deadLetters.WithLabelValues(sale.PoisonDecode)), 0)
		})
	}
}

func TestTheSameRecordsAgainSettleOnce(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	records := append(recordsOf(5), delivered(5, recordBytes("unknown-sale", 700, 1)))
	for range 3 {
		require.NoError(t, s.settle(t.Context(), records))
	}
	require.Equal(t, 10, store.settledOrders())
	require.Equal(t, []string{"3-5"}, store.letterIDs())
	require.InDelta(t, 10, testutil.ToFloat64(s.metrics.rows), 0)
}

// longestWait is the longest pause of role.Backoff.
const longestWait = time.Second

// settle repeats after a transient error for as long as it lasts, and meanwhile moves no record to the dead letters and
// skips none.
func TestTransientErrorsAreRetriedUntilTheyPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, dead := newFakeSettling(t)
		for range 300 {
			store.failures = append(store.failures, errAway)
		}
		began := time.Now()

		require.NoError(t, s.settle(t.Context(), recordsOf(4)))

		require.Equal(t, 8, store.settledOrders())
		require.Empty(t, dead.letters)
		require.Len(t, store.sizes, 301)
		require.InDelta(t, 300, testutil.ToFloat64(s.metrics.retries), 0)
		waited := time.Since(began)
		require.Greater(t, waited, 290*longestWait/2, "the waits grow")
		require.Less(t, waited, 300*longestWait, "and are bounded")
	})
}

func TestBurialRetriesTheTopicThenTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, dead := newFakeSettling(t)
		dead.failures = 3
		store.failures = []error{errAway, errAway} // both hit the row of the dead letter: nothing is settled before it

		require.NoError(t, s.settle(t.Context(), []record{delivered(7, []byte("garbage"))}))

		require.Len(t, dead.letters, 1, "the topic got it once, before the row")
		require.Equal(t, []string{"3-7"}, store.letterIDs())
		require.InDelta(t, 5, testutil.ToFloat64(s.metrics.retries), 0)
	})
}

func TestNoAttemptBeginsAfterTheSession(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, s.settle(ended, recordsOf(2)), context.Canceled)
	require.Empty(t, store.sizes)
}

func TestRetryingEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := newFakeSettling(t)
		for range 1000 {
			store.failures = append(store.failures, errAway)
		}
		session, end := context.WithTimeout(t.Context(), 10*time.Second)
		defer end()
		began := time.Now()

		require.ErrorIs(t, s.settle(session, recordsOf(2)), context.DeadlineExceeded)

		require.Equal(t, 10*time.Second, time.Since(began))
		require.Zero(t, store.settledOrders())
	})
}

// When a partition is revoked, the running transaction may end within the drain time, and counts.
func TestATransactionUnderWayIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := newFakeSettling(t)
		store.started, store.gate = make(chan struct{}, 1), make(chan struct{})
		session, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.settle(session, recordsOf(3)) }()
		<-store.started
		end()
		<-time.After(drainTimeout - time.Millisecond) // of the bubble: no time passes
		store.gate <- struct{}{}
		require.NoError(t, <-done)
		require.Equal(t, 6, store.settledOrders())
	})
}

func TestATransactionThatHangsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := newFakeSettling(t)
		store.started, store.gate = make(chan struct{}, 1), make(chan struct{})
		session, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.settle(session, recordsOf(3)) }()
		<-store.started
		end()
		began := time.Now()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, drainTimeout, time.Since(began))
		require.Zero(t, store.settledOrders())
	})
}

func TestAHangingTransactionIsRepeatedWithinTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := newFakeSettling(t)
		store.started, store.gate = make(chan struct{}, 2), make(chan struct{})
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- s.settle(t.Context(), recordsOf(1)) }()
		<-store.started
		<-store.started // the first attempt hung until its timeout
		require.GreaterOrEqual(t, time.Since(began), attemptTimeout)
		store.gate <- struct{}{}
		require.NoError(t, <-done)
	})
}

func TestClosedBucketsAreReported(t *testing.T) {
	s, _, _ := newFakeSettling(t)
	s.report(&sale.Settlement{Rows: 3, Closed: []sale.Bucket{{Sale: "demo"}}})
	require.InDelta(t, 3, testutil.ToFloat64(s.metrics.rows), 0)
}

func TestPoisonWithAnImpossibleIndexIsSearchedFor(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	store.failures = []error{fmt.Errorf("settle: %w",
		&sale.PoisonError{Index: 99, Reason: sale.PoisonData, Err: errors.New("x")})}
	require.NoError(t, s.settle(t.Context(), recordsOf(4)))
	require.Equal(t, []int{4, 2, 2}, store.sizes)
	require.Empty(t, dead.letters)
}

func TestTransfersAndFencesSettleAmongTheBatches(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	transfer := sale.Transfer{
		Bucket: sale.Bucket{Sale: "demo", Number: 1}, Epoch: 1, Sequence: 9, TransferID: 77, CreatedMS: 5, To: 0,
		Units: []sale.SKUUnits{{SKU: "case", Units: 7}, {SKU: "phone", Units: 30}},
	}
	records := append(recordsOf(2), delivered(2, sale.AppendTransfer(nil, &transfer)), delivered(3, sale.AppendFence(nil, "f")))
	for range 2 {
		require.NoError(t, s.settle(t.Context(), records))
	}
	require.Equal(t, []int{4, 4}, store.sizes)
	stored := store.Snapshot()
	for _, moved := range transfer.Units {
		giver := stored.Stock[sale.Shelf{Bucket: transfer.Bucket, SKU: moved.SKU}]
		require.Equal(t, 1_000_000-moved.Units, giver.Loaded, "its units have moved once")
	}
	require.EqualValues(t, 4, store.position(3).Next)
}

func TestATransferThatCannotSettleIsBuried(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	transfer := sale.Transfer{
		Bucket: sale.Bucket{Sale: "gone"}, TransferID: 77, To: 1, Units: []sale.SKUUnits{{SKU: "phone", Units: 30}},
	}
	store.poison = func(d *sale.Delivery) bool { return d.Record.Transfer != nil }
	require.NoError(t, s.settle(t.Context(), []record{delivered(4, sale.AppendTransfer(nil, &transfer))}))
	require.Equal(t, []string{"3-4"}, store.letterIDs())
	require.Empty(t, dead.letters[0].Orders)
	require.EqualValues(t, 5, store.position(3).Next, "the position passes a record in the dead letters")
}

// A commit whose answer is lost has happened: sending the same identity again changes nothing.
func TestACommitWithoutAnAnswerSettlesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := newFakeSettling(t)
		store.unanswered = 3
		require.NoError(t, s.settle(t.Context(), recordsOf(4)))
		require.Len(t, store.sizes, 4)
		require.Equal(t, 8, store.settledOrders())
		require.Len(t, store.Snapshot().Markers, 4, "one identity a record")
		for _, row := range store.Snapshot().Buckets {
			require.Equal(t, sale.BucketOpen, row.State, "a record that comes again under another identity closes its bucket")
		}
	})
}

func TestThePositionWaitsForWhatIsNotBuriedYet(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	ended, end := context.WithCancel(t.Context())
	dead.failures = 1000
	records := append(recordsOf(2), delivered(2, []byte("garbage")))
	done := make(chan error, 1)
	go func() { done <- s.settle(ended, records) }()
	end()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Zero(t, store.position(3).Next, "nothing passes the record that is still to be moved")
}

// Neither a repetition nor the dead letters help when the database has lost what the records depend on.
func TestADatabaseThatIsBehindStopsSettling(t *testing.T) {
	s, store, dead := newFakeSettling(t)
	young := batchOf("demo", 70, 1)
	young.Epoch = 3

	err := s.settle(t.Context(), append(recordsOf(2), delivered(2, sale.AppendBatch(nil, young))))

	require.ErrorIs(t, err, sale.ErrBehind)
	require.Len(t, store.sizes, 1, "no attempt is repeated")
	require.Zero(t, store.settledOrders())
	require.Empty(t, dead.letters)
}

func TestOnlyWhatNoWaitingMendsIsFinal(t *testing.T) {
	require.False(t, final(nil))
	require.False(t, final(errAway))
	require.True(t, final(errors.Join(errAway, &OffsetError{})))
	require.True(t, final(fmt.Errorf("settle: %w", sale.ErrBehind)))
}
