package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
	"flashsale/test/locked"
)

// Redis has lost writes, and no gateway that saw the higher sequence is alive: the controller closes the bucket, and the
// rebuilt bucket has every order.
func TestControllerNoticesARedisThatWentBack(t *testing.T) {
	for name, spoil := range map[string][]string{
		"sequence": {"HSET", "", "seq", "1"},
		"epoch":    {"HSET", "", "epoch", "0"},
		"state":    {"HSET", "", "loaded_state", "loading"},
		"missing":  {"DEL", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.Stock("phone", 10, 1)
			for i := range 3 {
				require.Equal(t, sale.OutcomeQueued, w.Buy(b, fmt.Sprint("buyer-", i)).Outcome)
			}
			controller := w.control()
			fakes.Eventually(t,
				func() bool {
					controller.mu.Lock()
					defer controller.mu.Unlock()
					return len(controller.view.open()) == 1
				},
				"the controller has read the catalogue")
			fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "trimmed")
			spoil[1] = w.Redis.Keys(b).Meta
			w.Do(spoil...)
			fakes.Eventually(t, func() bool { return w.DB.Row(b).Epoch == 2 && w.DB.Row(b).State == sale.BucketOpen }, "rebuilt")
			require.Equal(t, int64(7), w.Shelf(b).Available)
		})
	}
}

// noWindows ignores the versions of windows.
func noWindows(sale.Bucket, int64) {}

// Redis has lost only the write of a resume, which neither sequence nor epoch shows: the sale does not stay paused.
func TestControllerGivesALostWindowAnew(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.control()
	for _, state := range []sale.State{sale.StatePaused, sale.StateOpen} {
		w.Sale.State = state
		w.Sale = w.DB.PutSale(w.Sale)
		fakes.Eventually(t, func() bool { return w.Reading(b).WindowsVersion == w.Sale.Version }, "the window is applied")
	}
	w.Do("HSET", w.Redis.Keys(b).Meta, "state", string(sale.StatePaused), "version", fmt.Sprint(w.Sale.Version-1))
	require.Equal(t, sale.OutcomePaused, w.Buy(b, "ann").Outcome)
	w.sellsSoon(b, "ann")
	require.Equal(t, int64(1), w.DB.Row(b).Epoch, "nothing was rebuilt for it")
}

// A backup of the database was restored within an epoch: Redis would take its new outbox rows for applied ones. The controller
// closes the bucket, and the rebuild continues from the database's number.
func TestControllerNoticesADatabaseThatWentBack(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	controller := w.control()
	fakes.Eventually(t, func() bool {
		controller.mu.Lock()
		defer controller.mu.Unlock()
		return len(controller.view.open()) == 1
	},
		"the controller has read the catalogue")
	w.Do("HSET", w.Redis.Keys(b).Meta, "outbox", "3", "seq", "9")
	fakes.Eventually(t, func() bool { return w.DB.Row(b).Epoch == 2 && w.DB.Row(b).State == sale.BucketOpen }, "rebuilt")
	require.Zero(t, w.Reading(b).Outbox)
	require.Equal(t, int64(10), w.Shelf(b).Available)
}

// Rows that are numbered and applied between the readings of the database and of Redis do not count as lost.
func TestWatchdogReadsTheDatabaseAgain(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.Do("HSET", w.Redis.Keys(b).Meta, "outbox", "5")
	round := func(first, second int64, more func(row *sale.BucketCounters)) []sale.BucketRow {
		t.Helper()
		times := 0
		w.DB.OnCounters = func() {
			w.DB.ChangeRow(b, func(row *sale.BucketCounters) {
				if times++; times == 1 {
					row.Outbox = first
					return
				}
				row.Outbox = second
				more(row)
			})
		}
		doubted, err := newWatchdog(w.Redis, w.DB, silent(), noWindows).round(context.Background(), []sale.Bucket{b})
		require.NoError(t, err)
		require.LessOrEqual(t, times, 2)
		return doubted
	}
	nothing := func(*sale.BucketCounters) {}
	require.Empty(t, round(5, 0, nothing), "no difference")
	require.Empty(t, round(6, 0, nothing), "a row that is still to be applied")
	require.Empty(t, round(4, 5, nothing))
	require.Equal(t, []sale.BucketRow{w.DB.Row(b)}, round(4, 4, nothing))
	require.Empty(t, round(4, 4, func(row *sale.BucketCounters) { row.State = sale.BucketClosed }), "in work already")
	w.DB.ChangeRow(b, func(row *sale.BucketCounters) { row.State = sale.BucketOpen })
	require.Empty(t, round(4, 4, func(row *sale.BucketCounters) { row.Epoch = 2 }), "rebuilt meanwhile")
}

// Not in doubt are: a bucket that is being rebuilt, one that has sold since the database was read, and one in a later epoch,
// which is a fault of the database.
func TestDoubtOf(t *testing.T) {
	counters := func(state sale.BucketState, epoch, sequence int64) *sale.BucketCounters {
		return &sale.BucketCounters{BucketRow: sale.BucketRow{Epoch: epoch, State: state}, Sequence: sequence}
	}
	for _, c := range []struct {
		counters *sale.BucketCounters
		reading  sale.Reading
		doubt    string
	}{
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 3, Sequence: 7}, ""},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 3, Sequence: 9}, ""},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 3, Sequence: 6}, "sequence"},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 2, Sequence: 9}, "epoch"},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 3, Sequence: 7, Shut: true}, "state"},
		{counters(sale.BucketClosed, 3, 7), sale.Reading{Epoch: 3, Sequence: 7, Shut: true}, ""},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 4, Shut: true}, ""},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{}, "missing"},
		{counters(sale.BucketOpen, 3, 7), sale.Reading{Epoch: 4}, ""},
		{counters(sale.BucketLoading, 3, 7), sale.Reading{Epoch: 2}, ""},
		{counters(sale.BucketClosed, 3, 7), sale.Reading{}, ""},
	} {
		require.Equal(t, c.doubt, doubtOf(c.counters, &c.reading), "%+v", c)
	}
}

// A database that is behind Redis is logged once, after a longer time than a rebuild between two readings explains.
func TestWatchdogTellsOfADatabaseThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &locked.Buffer{}
		w := newWatchdog(nil, nil, slog.New(slog.NewTextHandler(log, nil)), noWindows)
		row := sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn", Number: 2}, Epoch: 3}
		w.noteAhead(row, 5)
		<-time.After(behindAfter)
		w.noteAhead(row, 5)
		require.Empty(t, log.String())
		<-time.After(time.Millisecond)
		for range 3 {
			w.noteAhead(row, 5)
			<-time.After(time.Second)
		}
		require.Equal(t, 1, countLines(log.String()))
		require.Contains(t, log.String(), "redis has epochs that this database has not begun")
		require.Contains(t, log.String(), "bucket autumn:2 is in epoch 3 here and in epoch 5 there")
		require.Contains(t, log.String(), "UPDATE buckets SET epoch = 5, state = 'closed'")
		w.noteAhead(row, 3)
		require.Empty(t, w.ahead)
	})
}

func countLines(text string) int {
	n := 0
	for _, c := range text {
		if c == '\n' {
			n++
		}
	}
	return n
}

// The buckets to compare are those that are open in a sale that has begun and is not closed.
func TestViewMoving(t *testing.T) {
	now := time.Now()
	v := newView()
	at := func(d time.Duration) sale.Time { return sale.Time{Time: now.Add(d)} }
	v.update(sale.Changes{Version: 1, Sales: []sale.Sale{
		{ID: "now", State: sale.StateOpen, StartsAt: at(-time.Minute), EndsAt: at(time.Minute)},
		{ID: "later", State: sale.StateOpen, StartsAt: at(time.Minute), EndsAt: at(time.Hour)},
		{ID: "over", State: sale.StateOpen, StartsAt: at(-time.Hour), EndsAt: at(-time.Minute)},
		{ID: "closed", State: sale.StateClosed, StartsAt: at(-time.Hour), EndsAt: at(-time.Minute)},
		{ID: "draft", State: sale.StateDraft, StartsAt: at(-time.Hour), EndsAt: at(time.Minute)},
	}})
	for _, id := range []string{"now", "later", "over", "closed", "draft"} {
		v.update(sale.Changes{Version: 2, Buckets: []sale.BucketRow{
			{Bucket: sale.Bucket{Sale: id}, Epoch: 1, State: sale.BucketOpen},
			{Bucket: sale.Bucket{Sale: id, Number: 1}, Epoch: 1, State: sale.BucketClosed},
		}})
	}
	require.ElementsMatch(t, []sale.Bucket{{Sale: "now"}, {Sale: "over"}}, v.moving(now))
}

// While the database or Redis is away the round returns an error and doubts nothing.
func TestWatchdogWithoutItsStores(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	dog := newWatchdog(w.Redis, w.DB, silent(), noWindows)
	doubted, err := dog.round(context.Background(), []sale.Bucket{b})
	require.NoError(t, err)
	require.Empty(t, doubted)
	w.DB.SetAway(context.DeadlineExceeded)
	_, err = dog.round(context.Background(), []sale.Bucket{b})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	w.DB.SetAway(nil)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = dog.round(ended, []sale.Bucket{b})
	require.Error(t, err)
}
