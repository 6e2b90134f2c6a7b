package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// controller is one that does not run.
func (w *world) controller() *Controller {
	return NewController(ControllerOptions{
		Redis: w.Redis, Rebuilder: NewRebuilder(w.Redis, w.Kafka, w.DB), Catalogue: w.DB, Buckets: w.DB, Units: w.DB,
		Leases: w.DB, Owner: "controller-test", Log: slog.New(slog.DiscardHandler),
	})
}

// control runs a controller until the test ends.
func (w *world) control() *Controller {
	controller := w.controller()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { controller.Run(ctx) })
	w.T.Cleanup(func() { cancel(); running.Wait() })
	return controller
}

// Redis restarts, with its data or without: the controller finds that the script is missing and rebuilds the buckets, with all
// orders.
func TestControllerBringsRestartedRedisBack(t *testing.T) {
	server := harness.Redis(t, "--appendfsync", "always")
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 10, 1)
	w.control()
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	server.Kill()
	server.Start()
	w.sellsSoon(b, "anna")
	server.MustDo(t, "FLUSHALL")
	server.MustDo(t, "SCRIPT", "FLUSH")
	w.sellsSoon(b, "bert")
	for _, owner := range []string{"before", "anna", "bert"} {
		require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, owner).Outcome, owner)
	}
	require.Equal(t, int64(7), w.Shelf(b).Available)
	require.Equal(t, int64(3), w.DB.Settled(b))
	require.Empty(t, w.DB.Refused())
}

// At its start a controller asks every bucket, so it notices data that was lost while no controller ran although the script is
// loaded.
func TestControllerAsksEveryBucketAtItsStart(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.Do("DEL", w.Redis.Keys(b).Meta)
	w.control()
	w.sellsSoon(b, "anna")
}

// Reported buckets are rebuilt, also those that a dead controller left loading; drafts are not changed.
func TestControllerMendsWhatIsNotOpen(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	draft := w.Sale
	draft.ID, draft.State = "draft", sale.StateDraft
	w.DB.PutSale(draft)
	untouched := sale.Bucket{Sale: "draft"}
	w.DB.AddBucket(untouched, 0, sale.SKUUnits{SKU: "phone", Units: 5})
	_, err := w.DB.BeginLoads(context.Background(), []sale.BucketRow{w.CloseRow(b)})
	require.NoError(t, err)
	w.control()
	w.sellsSoon(b, "anna")
	require.Equal(t, sale.BucketClosed, w.DB.Row(untouched).State)
	require.Zero(t, w.Reading(untouched).Epoch)
}

// When an operator's process dies before Redis has the pause, the controller applies it. It also loads a list that Redis lost.
func TestControllerFinishesWhatOthersBegan(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.control()
	w.Sale.State = sale.StatePaused
	w.Sale = w.DB.PutSale(w.Sale)
	fakes.Eventually(t, func() bool { return w.Buy(b, "pat").Outcome == sale.OutcomePaused }, "the pause is applied")

	w.DB.List("sale", "anna", "bert")
	w.Sale.State, w.Sale.Eligibility, w.Sale.ListVersion, w.Sale.ListSize = sale.StateOpen, sale.EligibilityList, 1, 2
	w.Sale = w.DB.PutSale(w.Sale)
	press := func(buyer string) sale.Outcome {
		if w.DB.Row(b).State != sale.BucketOpen { // as a gateway, which does not ask Redis then: that would report the new epoch
			return sale.OutcomeFenced
		}
		p := w.Purchase(b, buyer)
		p.ListVersion, p.ListSize = 1, 2
		return w.engine.Reserve(p).Outcome
	}
	fakes.Eventually(t, func() bool { return press("anna") == sale.OutcomeQueued }, "the list is loaded")
	require.Equal(t, sale.OutcomeNotEligible, press("carl"))
	require.Equal(t, sale.OutcomeQueued, press("bert"))
}

// While another process owns the lease of a sale, the controller does not rebuild it.
func TestControllerRespectsTheLease(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.DB.HoldLease("sale/sale", "an operator")
	row := w.CloseRow(b)
	controller := w.control()
	fakes.Eventually(t, func() bool {
		controller.mu.Lock()
		defer controller.mu.Unlock()
		return !controller.rebuilding["sale"].IsZero()
	}, "the controller has tried")
	require.Equal(t, row, w.DB.Row(b))
	require.NoError(t, w.DB.ReleaseLease(context.Background(), "sale/sale", "an operator"))
	w.sellsSoon(b, "anna")
}

// A bucket that another process has opened since the controller read the rows is not closed again: the controller may have stood
// still for as long as one likes before it got the lease.
func TestControllerLeavesWhatOthersHaveOpened(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	shut := w.CloseRow(b)
	w.Rebuild(shut)
	open := w.DB.Row(b)
	require.Equal(t, sale.BucketOpen, open.State)
	controller := w.controller()
	stale := open
	stale.State = sale.BucketLoading // as the row was before the other process opened it
	require.NoError(t, controller.rebuildSale(t.Context(), b.Sale, []sale.BucketRow{stale}))
	require.Equal(t, open, w.DB.Row(b))

	shut = w.CloseRow(b)
	require.NoError(t, controller.rebuildSale(t.Context(), b.Sale, []sale.BucketRow{stale}), "it is closed in truth")
	require.Greater(t, w.DB.Row(b).Epoch, shut.Epoch)
	require.Equal(t, sale.BucketOpen, w.DB.Row(b).State)
}

// The buckets that may have a journal are those of sales that have begun, until they are over.
func TestViewWatched(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) sale.Time { return sale.Time{Time: now.Add(d)} }
	v := newView()
	v.update(sale.Changes{Version: 9, Sales: []sale.Sale{
		{ID: "draft", State: sale.StateDraft, StartsAt: at(-time.Hour), EndsAt: at(time.Hour)},
		{ID: "later", State: sale.StateOpen, StartsAt: at(time.Minute), EndsAt: at(time.Hour)},
		{ID: "now", State: sale.StatePaused, StartsAt: at(-time.Minute), EndsAt: at(time.Hour)},
		{ID: "over", State: sale.StateOpen, StartsAt: at(-time.Hour), EndsAt: at(-time.Minute)},
		{ID: "closed", State: sale.StateClosed, StartsAt: at(-time.Hour), EndsAt: at(time.Minute)},
	}})
	const neverLoaded = 1
	for _, id := range []string{"draft", "later", "now", "over", "closed", "unknown"} {
		v.update(sale.Changes{Version: 8, Buckets: []sale.BucketRow{
			{Bucket: sale.Bucket{Sale: id}, Epoch: 1, State: sale.BucketClosed},
			{Bucket: sale.Bucket{Sale: id, Number: neverLoaded}, State: sale.BucketClosed},
		}})
	}
	done := map[string]bool{}
	for _, w := range v.watched(now) {
		require.Zero(t, w.Number)
		done[w.Sale] = w.Done
	}
	require.Equal(t, map[string]bool{"now": false, "over": true, "closed": true}, done)
	require.Equal(t, int64(9), v.since(), "a late page does not lower the version")
	require.Len(t, v.broken(), 4, "live sales only")

	row := sale.BucketRow{Bucket: sale.Bucket{Sale: "now"}, Epoch: 2, State: sale.BucketOpen}
	v.update(sale.Changes{Buckets: []sale.BucketRow{row}})
	row.Epoch, row.State = 1, sale.BucketClosed
	v.update(sale.Changes{Buckets: []sale.BucketRow{row}})
	require.Len(t, v.open(), 1, "a row does not return to an older epoch")
}

// The controller picks the buckets to compare by Redis's clock, by which they sell: a settling process whose own clock is
// behind must not leave a sale unwatched.
func TestControllerGoesByRedissClock(t *testing.T) {
	embedded := miniredis.RunT(t)
	controller := NewController(ControllerOptions{
		Redis: fakes.Dial(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{embedded.Addr()}, Embedded: true}),
	})
	starts := time.Now().Add(time.Hour)
	b := sale.Bucket{Sale: "sale"}
	controller.view.update(sale.Changes{
		Sales:   []sale.Sale{{ID: "sale", State: sale.StateOpen, StartsAt: sale.Time{Time: starts}}},
		Buckets: []sale.BucketRow{{Bucket: b, Epoch: 1, State: sale.BucketOpen}},
	})
	moving, err := controller.moving(t.Context())
	require.NoError(t, err)
	require.Empty(t, moving)
	embedded.SetTime(starts.Add(time.Second))
	moving, err = controller.moving(t.Context())
	require.NoError(t, err)
	require.Equal(t, []sale.Bucket{b}, moving)
	embedded.Close()
	_, err = controller.moving(t.Context())
	require.Error(t, err, "no other clock is used")
}

// One node of three restarts: its buckets are rebuilt, the others keep selling in their epoch.
func TestClusterNodeRestarts(t *testing.T) {
	nodes := harness.RedisCluster(t, 3)
	w := newWorldOn(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{nodes[0].Addr, nodes[1].Addr}}, nil)
	w.Sale.Items, w.Sale.Buckets = []sale.Item{{SKU: "phone"}}, 9
	w.Sale = w.DB.PutSale(w.Sale)
	var rows []sale.BucketRow
	for i := range 9 {
		rows = append(rows, w.DB.AddBucket(sale.Bucket{Sale: "sale", Number: i}, 0, sale.SKUUnits{SKU: "phone", Units: 10}))
	}
	w.Rebuild(rows...)
	w.control()
	nodes[2].Kill()
	nodes[2].Start()
	later := 0
	for _, row := range rows {
		fakes.Eventually(t, func() bool {
			press := w.Basket(row.Bucket, fmt.Sprint("buyer-", row.Number), w.Line("phone", 1))
			return w.Reserve(press).Outcome == sale.OutcomeQueued
		}, "the bucket sells again")
		if w.DB.Row(row.Bucket).Epoch > 1 {
			later++
		}
	}
	require.Positive(t, later)
	require.Less(t, later, len(rows), "buckets of the other nodes were not rebuilt")
}
