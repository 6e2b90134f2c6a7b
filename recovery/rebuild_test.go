package recovery

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/reserve"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// A rebuilt bucket has the database's units and buyers; keys, limits and look-ups answer as before.
func TestRebuildBringsUnitsAndBuyers(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 3)
	p := w.Purchase(b, "anna")
	p.Key, p.Lines[0].Quantity = "k, k", 2
	taken := w.engine.Reserve(p)
	require.Equal(t, sale.OutcomeQueued, taken.Outcome)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	w.Rebuild(w.CloseRow(b))

	p.Epoch = w.DB.Row(b).Epoch
	require.Equal(t, int64(2), p.Epoch)
	replayed := sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: taken.OrderID, Status: sale.StatusQueued}
	require.Equal(t, replayed, w.engine.Reserve(p), "the database knows when it was created")
	require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, "anna").Outcome)
	reading := w.Reading(b)
	require.Equal(t, sale.Reading{Epoch: 2, WindowsVersion: w.Sale.Version}, reading)
	require.Equal(t, sale.ShelfReading{SKU: "phone", Available: 7, Limit: 3, Number: 1}, w.Shelf(b))
	holdings, err := w.engine.Holdings(context.Background(), b, "anna")
	require.NoError(t, err)
	require.Len(t, holdings, 2)
	require.Zero(t, holdings[0].CreatedAt)
	require.Equal(t, sale.StatusQueued, holdings[0].Status)
}

// A rebuild publishes the journal and waits for its settlement before it reads the new epoch, so no order is lost.
func TestRebuildPublishesTheJournalFirst(t *testing.T) {
	w := newWorld(t, func(o *reserve.EngineOptions) { o.AckTimeout = 10 * time.Millisecond })
	b := w.Stock("phone", 100, 1)
	w.Kafka.GoAway()
	require.Equal(t, 70, fakes.Outcomes(w.BuyAll(b, fakes.Buyers("buyer", 70)))["held"])
	other := &fakes.Kafka{Settle: w.DB.Settle} // the gateway's connection stays broken, the controller's works
	row := w.CloseRow(b)
	require.NoError(t, NewRebuilder(w.Redis, other, w.DB).Rebuild(context.Background(), []sale.BucketRow{row}, nil))
	require.Equal(t, int64(70), w.DB.Settled(b))
	require.Equal(t, int64(30), w.Shelf(b).Available)
	require.Zero(t, w.Reading(b).JournalOrders)
	w.Kafka.ComeBack()
	fakes.Eventually(t, func() bool { return w.Buy(b, "buyer-1").Outcome == sale.OutcomeAlreadyBought }, "the order counts")
	require.Empty(t, w.DB.Refused())
	require.Equal(t, int64(70), w.DB.Settled(b), "the gateway's own records are duplicates")
}

// A rebuild loads any number of buckets and buyers, in chunks, and reports its progress.
func TestRebuildManyBucketsAndBuyers(t *testing.T) {
	w := newWorld(t, nil)
	var rows []sale.BucketRow
	for i := range 300 { // of five sales
		many := w.Sale
		many.ID, many.Buckets = fmt.Sprintf("sale-%d", i/60), 60
		many.Items = []sale.Item{{SKU: "phone", PriceCents: fakes.Price}, {SKU: "case", PriceCents: fakes.Price}}
		if i%60 == 0 {
			w.DB.PutSale(many)
		}
		rows = append(rows, w.DB.AddBucket(sale.Bucket{Sale: many.ID, Number: i % 60}, 1,
			sale.SKUUnits{SKU: "phone", Units: int64(i)}, sale.SKUUnits{SKU: "case", Units: 7}))
	}
	big := rows[299].Bucket
	both := []sale.Line{{SKU: "phone", Quantity: 1, Number: 1}, {SKU: "case", Quantity: 2, Number: 2}}
	for i := range 2500 {
		for k := range 1 + i%3 {
			w.DB.SeedOrders(big, sale.StatusConfirmed, sale.RecordOrder{
				OrderID: sale.OrderID(1_000_000*(3-k) + i), Lines: both, Buyer: fmt.Sprintf("buyer-%d", i),
				Key: fmt.Sprintf("key %d", k),
			})
		}
	}
	var progress []int
	err := NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(context.Background(), rows, func(done, total int) {
		require.Equal(t, 300, total)
		progress = append(progress, done)
	})
	require.NoError(t, err)
	require.Equal(t, []int{256, 300}, progress)
	for i, units := range map[int]int64{0: 0, 255: 255, 299: 299} {
		require.Equal(t, units, w.ShelfOf(rows[i].Bucket, "phone").Available)
		require.EqualValues(t, 7, w.ShelfOf(rows[i].Bucket, "case").Available)
	}
	holdings, err := w.engine.Holdings(context.Background(), big, "buyer-2")
	require.NoError(t, err)
	require.Len(t, holdings, 3)
	require.Equal(t, []sale.Line{{Quantity: 1, Number: 1}, {Quantity: 2, Number: 2}}, holdings[0].Lines)
	require.Equal(t, []string{"key 2", "key 1", "key 0"}, []string{holdings[0].Key, holdings[1].Key, holdings[2].Key})
	require.Empty(t, w.Kafka.Log, "buckets that never sold need no fence")
}

// When Redis changes during the load, the rebuild begins again, in a later epoch.
func TestRebuildBeginsAgainWhenRedisChanges(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 10, 1)
	times := 0
	w.DB.OnBeginLoads = func() {
		if times++; times == 1 {
			// Another controller begins a later epoch of the bucket and dies.
			w.DB.ChangeRow(b, func(row *sale.BucketCounters) { row.Epoch, row.State = 3, sale.BucketClosed })
			server.MustDo(t, "HSET", w.Redis.Keys(b).Meta, "epoch", "3")
		}
	}
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, 2, times)
	require.Equal(t, int64(4), w.DB.Row(b).Epoch)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

// A server that has lost its scripts may have lost writes of every bucket: a rebuild that loads them for one bucket first
// closes another one that no process has reported yet.
func TestRebuildClosesTheOtherBucketsOfAServerWithoutScripts(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	reported, silent := w.Stock("phone", 10, 1), w.Stock("watch", 10, 1)
	server.MustDo(t, "SCRIPT", "FLUSH")
	w.Rebuild(w.CloseRow(reported))
	require.Equal(t, sale.OutcomeQueued, w.Buy(reported, "anna").Outcome)
	require.Equal(t, sale.BucketClosed, w.DB.Row(silent).State)
	fenced := w.engine.Reserve(w.at(silent, "late", w.DB.Row(silent).Epoch))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "state"}, fenced,
		"a gateway that has not progress of it yet")
	require.Equal(t, sale.BucketOpen, w.DB.Row(reported).State)
	w.Rebuild(w.DB.Row(silent))
	require.Equal(t, sale.OutcomeQueued, w.Buy(silent, "anna").Outcome)
	w.Rebuild(w.CloseRow(reported))
	require.Equal(t, sale.BucketOpen, w.DB.Row(silent).State, "the scripts were loaded")
}

// A server that restarts after its other buckets were closed may have them open again: it does not get the scripts.
func TestRebuildLoadsNoScriptsOnAServerThatEndedMeanwhile(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 10, 1)
	row := w.CloseRow(b)
	server.MustDo(t, "SCRIPT", "FLUSH")
	w.DB.OnChanges = func() { // the connection that asked for the bucket's key ends
		list := server.MustDo(t, "CLIENT", "LIST").(string)
		asked := regexp.MustCompile(`(?m)^id=(\d+) .* cmd=exists `).FindStringSubmatch(list)
		require.Len(t, asked, 2, list)
		server.MustDo(t, "CLIENT", "KILL", "ID", asked[1])
	}
	err := NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(context.Background(), []sale.BucketRow{row}, nil)
	require.ErrorContains(t, err, "load the fenced scripts for bucket "+b.String())
	require.Equal(t, []any{int64(0)}, server.MustDo(t, "SCRIPT", "EXISTS", scripts.ReserveScript().SHA))
	require.Equal(t, sale.BucketLoading, w.DB.Row(b).State)

	w.DB.OnChanges = nil
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

// The earlier epoch of a bucket that another rebuild is loading does not sell again either, to a gateway that still knows that
// epoch. The new epoch is left to the other rebuild.
func TestRebuildClosesEarlierLivesOfBucketsThatAreLoading(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	phone, watch, radio := w.Stock("phone", 10, 1), w.Stock("watch", 10, 1), w.Stock("radio", 10, 1)
	for _, b := range []sale.Bucket{watch, radio} {
		w.CloseRow(b)
		w.DB.ChangeRow(b, func(row *sale.BucketCounters) { row.Epoch, row.State = 2, sale.BucketLoading })
	}
	server.MustDo(t, "HSET", w.Redis.Keys(radio).Meta, "epoch", "2")
	server.MustDo(t, "SCRIPT", "FLUSH")
	w.Rebuild(w.CloseRow(phone))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "state"}, w.engine.Reserve(w.at(watch, "late", 1)))
	require.Equal(t, "open", server.MustDo(t, "HGET", w.Redis.Keys(radio).Meta, "loaded_state"))
}

// A database that does not know an epoch of Redis was restored from a backup: the rebuild refuses it, and the error says what
// to do.
func TestRebuildRefusesADatabaseThatIsBehind(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.Do("HSET", w.Redis.Keys(b).Meta, "epoch", "7")
	row := w.CloseRow(b)
	err := NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(context.Background(), []sale.BucketRow{row}, nil)
	require.ErrorIs(t, err, sale.ErrBehind)
	require.ErrorContains(t, err, "bucket sale:0 is in epoch 1 here and in epoch 7 there")
	require.ErrorContains(t, err, "run: BEGIN; UPDATE catalogue SET version = version + 1 WHERE id = 1; UPDATE stock SET ")
	require.ErrorContains(t, err, "UPDATE buckets SET epoch = 7, state = 'closed'")
	require.Equal(t, row, w.DB.Row(b), "no epoch has begun")
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)

	w.DB.ChangeRow(b, func(row *sale.BucketCounters) { row.Epoch = 7 })
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, int64(8), w.DB.Row(b).Epoch)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

// A controller that was overtaken changes nothing: neither its load nor its close reaches a later epoch.
func TestRebuildOfAnOldEpochChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	old := w.DB.Row(b)
	w.Rebuild(w.CloseRow(b))
	ctx := context.Background()
	rebuilder := NewRebuilder(w.Redis, w.Kafka, w.DB)
	require.NoError(t, rebuilder.Rebuild(ctx, []sale.BucketRow{old}, nil), "another rebuild was faster")
	require.Equal(t, int64(2), w.DB.Row(b).Epoch)

	zombie := sale.Load{BucketRow: old, Window: sale.WindowOf(&w.Sale),
		Stock: []sale.ShelfLoad{{SKU: "phone", Available: 999, Number: 1, Limit: 1}}}
	require.NoError(t, w.Redis.Load(ctx, []sale.Load{zombie}))
	good, again, err := rebuilder.verify(ctx, []sale.Load{zombie})
	require.NoError(t, err)
	require.Empty(t, good)
	require.Equal(t, []sale.BucketRow{old}, again)
	_, newer, err := w.Redis.CloseBuckets(ctx, []sale.BucketRow{old})
	require.NoError(t, err)
	require.Equal(t, []sale.BucketRow{old}, newer)
	require.Equal(t, int64(10), w.Shelf(b).Available)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

func (w *world) at(b sale.Bucket, buyer string, epoch int64) sale.Purchase {
	p := w.Purchase(b, buyer)
	p.Epoch = epoch
	return p
}

// A load does not replace a window that was applied meanwhile.
func TestLoadKeepsANewerWindow(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.DB.OnBeginLoads = func() {
		paused := w.Sale
		paused.Version, paused.State = paused.Version+100, sale.StatePaused
		require.NoError(t, w.Redis.ApplyWindow(context.Background(), []sale.Bucket{b}, sale.WindowOf(&paused)))
	}
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, sale.OutcomePaused, w.Buy(b, "anna").Outcome)
}

// A bucket of 100,000 orders, half of them released, is rebuilt in half of the ten seconds that the documentation promises.
func TestRebuildOfAHundredThousandOrders(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 100_000, 1)
	for i, buyer := range fakes.Buyers("buyer", 100_000) {
		o := sale.RecordOrder{OrderID: sale.OrderID(1<<60 + i), Lines: []sale.Line{w.Line("phone", 1)}, Buyer: buyer,
			Key: fmt.Sprint("press ", i)}
		if i%2 == 0 {
			w.DB.SeedOrders(b, sale.StatusConfirmed, o)
		} else {
			w.DB.SeedOrders(b, sale.StatusCancelled, o)
		}
	}
	w.DB.ChangeUnits(b, "phone", func(units *sale.ShelfCounters) { units.Settled, units.Released = 100_000, 50_000 })
	began := time.Now()
	w.Rebuild(w.CloseRow(b))
	require.Less(t, time.Since(began), 5*time.Second)
	t.Logf("rebuilt in %v", time.Since(began))
	require.Equal(t, int64(50_000), w.Shelf(b).Available)
	require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, "buyer-0").Outcome)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "buyer-1").Outcome)
}

// Entries that are in the journal when the new epoch is loaded, as on a server that restarted with an old journal, are not
// sold: only the database counts. The entries stay, and the relay publishes them although their epoch is over.
func TestJournalIsNeverCounted(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.Stock("phone", 10, 1)
	w.abandon(b, []string{"anna", "bert"})
	server := harness.SharedRedis(t)
	keys := w.Redis.Keys(b)
	old := server.MustDo(t, "DUMP", keys.Journal)
	w.Kafka.ComeBack()
	w.DB.OnBeginLoads = func() {
		server.MustDo(t, "RESTORE", keys.Journal, "0", old.(string), "REPLACE")
		server.MustDo(t, "HSET", keys.Meta, "held", "2")
	}
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, int64(2), w.DB.Settled(b), "published before the load")
	reading := w.Reading(b)
	require.Equal(t, int64(2), reading.Epoch)
	require.Equal(t, int64(8), w.Shelf(b).Available)
	require.Equal(t, int64(2), reading.JournalOrders)
	relay := w.newRelay(w.Kafka, Watched{BucketRow: w.DB.Row(b)})
	relay.Deadline = time.Nanosecond
	fakes.Eventually(t, func() bool {
		require.NoError(t, relay.relayOnce(context.Background()))
		return w.Reading(b).JournalOrders == 0
	}, "entries of an old epoch are relayed")
	require.Equal(t, int64(2), w.DB.Settled(b))
	require.Equal(t, int64(8), w.Shelf(b).Available)
}

// A rebuild whose records are never settled ends with its context, and the bucket stays closed.
func TestRebuildWaitsForTheFence(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	row := w.CloseRow(b)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	unsettled := &fakes.Kafka{}
	require.ErrorIs(t, NewRebuilder(w.Redis, unsettled, w.DB).Rebuild(ctx, []sale.BucketRow{row}, nil), context.DeadlineExceeded)
	require.Len(t, unsettled.Log, 1, "one fence")
	require.Equal(t, sale.BucketClosed, w.DB.Row(b).State)
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)
}

// While the database is away a rebuild returns its error and opens nothing; the next one opens the bucket.
func TestRebuildWithoutTheDatabase(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	row := w.CloseRow(b)
	away := errors.New("the database is away")
	rebuilder := NewRebuilder(w.Redis, w.Kafka, w.DB)
	w.DB.OnBeginLoads = func() { w.DB.SetAway(away) }
	require.ErrorIs(t, rebuilder.Rebuild(context.Background(), []sale.BucketRow{row}, nil), away)
	require.ErrorIs(t, rebuilder.Rebuild(context.Background(), []sale.BucketRow{row}, nil), away)
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)
	w.DB.OnBeginLoads = nil
	w.DB.SetAway(nil)
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

// The error of a rebuild that ends while it waits names the store that it waits for.
func TestRebuildNamesWhatItWaitsFor(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	row := w.CloseRow(b)
	silent := &fakes.Kafka{}
	silent.GoAway()
	for store, kafka := range map[sale.Store]*fakes.Kafka{sale.StoreKafka: silent, sale.StoreSettlement: {}} {
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := NewRebuilder(w.Redis, kafka, w.DB).Rebuild(short, []sale.BucketRow{row}, nil)
		cancel()
		require.Error(t, err)
		require.Equal(t, store, sale.AwayStore(err), err)
	}
}
