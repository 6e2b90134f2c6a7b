package recovery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/fakes"
	"flashsale/test/memory"
)

func (w *world) archiver() *Archiver {
	return NewArchiver(ArchiverOptions{
		Redis: w.Redis, Archives: w.DB, Leases: w.DB, Owner: "archiver", Log: slog.New(slog.DiscardHandler),
	})
}

// archived archives the world's sale in the database alone, as a process does that dies before Redis has dropped anything.
func (w *world) archived() sale.Archive {
	w.T.Helper()
	_, err := w.DB.SetState(w.T.Context(), w.Sale.ID, sale.StateClosed, sale.StateOpen)
	require.NoError(w.T, err)
	judged, err := w.DB.SaleCounters(w.T.Context(), w.Sale.ID)
	require.NoError(w.T, err)
	archive, err := w.DB.ArchiveSale(w.T.Context(), w.Sale.ID, judged)
	require.NoError(w.T, err)
	return archive
}

// keysLeft counts the keys of the world's sale in Redis.
func (w *world) keysLeft() (keys int) {
	w.T.Helper()
	for number := range w.Sale.Buckets {
		of := w.Redis.Keys(sale.Bucket{Sale: w.Sale.ID, Number: number})
		for _, key := range []string{of.Meta, of.Stock, of.Buyers, of.Journal} {
			keys += int(w.Server.MustDo(w.T, "EXISTS", key).(int64))
		}
	}
	return keys
}

// An archive whose process died is finished by the archiver: Redis has nothing of the sale, and its buyers are no longer listed.
func TestArchiverFinishesWhatIsLeft(t *testing.T) {
	w := newWorld(t, nil)
	w.StockAll(1, []string{"phone"}, []int64{3}, []int64{3})
	w.DB.SeedSale(w.Sale, "ann")
	require.NoError(t, w.Redis.LoadList(t.Context(), w.Sale.ID, 1, 1, func(add func(string) error) error { return add("ann") }))
	w.archived()
	require.Positive(t, w.keysLeft())

	w.Redis.SetDoubt(sale.ErrForeign) // it may be the Redis of another engine
	require.ErrorIs(t, w.archiver().finish(t.Context()), sale.ErrForeign)
	require.Positive(t, w.keysLeft())
	require.False(t, w.DB.Snapshot().Archives[w.Sale.ID].Dropped)

	w.Redis.SetDoubt(nil)
	for range 2 {
		require.NoError(t, w.archiver().finish(t.Context()))
		require.Zero(t, w.keysLeft())
		require.True(t, w.DB.Snapshot().Archives[w.Sale.ID].Dropped)
		require.Empty(t, w.DB.Snapshot().Sales[w.Sale.ID].Listed)
		whole, err := w.Redis.HasList(t.Context(), w.Sale.ID, 1, 1)
		require.NoError(t, err)
		require.False(t, whole)
	}
}

// A sale that another process is archiving is left to it.
func TestArchiverLeavesAHeldSale(t *testing.T) {
	w := newWorld(t, nil)
	w.Stock("phone", 3, 1)
	w.archived()
	w.DB.SeedLease(string(lease.Sale(w.Sale.ID)), memory.Lease{Holder: "admin", Until: time.Now().Add(time.Hour)})
	a := w.archiver()
	require.Equal(t, archiveEvery, a.rest(0))
	require.NoError(t, a.finish(t.Context()))
	require.Positive(t, w.keysLeft())
	require.Equal(t, archiveAgain, a.rest(0), "it may have died")
	require.NoError(t, w.DB.ReleaseLease(t.Context(), string(lease.Sale(w.Sale.ID)), "admin"))
	require.NoError(t, a.finish(t.Context()))
	require.Zero(t, w.keysLeft())
	require.Equal(t, archiveEvery, a.rest(0))
}

// listOf yields buyers, as an upload does.
func listOf(buyers ...string) func() (string, error) {
	return func() (string, error) {
		if len(buyers) == 0 {
			return "", io.EOF
		}
		next := buyers[0]
		buyers = buyers[1:]
		return next, nil
	}
}

// A draft goes with its list in Redis, so that a later sale of its id does not find it.
func TestArchiverDropsDrafts(t *testing.T) {
	w := newWorld(t, nil)
	_, _, err := w.DB.Database.PutSale(t.Context(), sale.Sale{
		ID: "sketch", Name: "Sketch", Currency: "CNY", PerBuyerLimit: 1, Eligibility: sale.EligibilityList, Buckets: 1,
		StartsAt: w.Sale.StartsAt, EndsAt: w.Sale.EndsAt, Items: []sale.Item{{SKU: "phone", Stock: 1}},
	})
	require.NoError(t, err)
	_, err = w.DB.ReplaceBuyers(t.Context(), "sketch", listOf("ann"))
	require.NoError(t, err)
	require.NoError(t, w.Redis.LoadList(t.Context(), "sketch", 1, 1, func(add func(string) error) error { return add("ann") }))
	require.NoError(t, w.archiver().DropDraft(t.Context(), "sketch"))
	require.NotContains(t, w.DB.Snapshot().Sales, "sketch")
	whole, err := w.Redis.HasList(t.Context(), "sketch", 1, 1)
	require.NoError(t, err)
	require.False(t, whole)
}

// The controller forgets an archived sale, and never rebuilds its buckets.
func TestControllerForgetsAnArchivedSale(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 3, 1)
	c := NewController(ControllerOptions{
		Redis: w.Redis, Rebuilder: NewRebuilder(w.Redis, w.Kafka, w.DB), Catalogue: w.DB, Buckets: w.DB, Units: w.DB,
		Leases: w.DB, Owner: "test", Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, c.readChanges(t.Context()))
	require.Len(t, c.view.open(), 1)
	w.archived()
	require.NoError(t, c.readChanges(t.Context()))
	require.Empty(t, c.view.open())
	require.Empty(t, c.view.broken())
	require.Empty(t, c.view.unapplied())
	require.Empty(t, c.Watched(time.Now()))
	require.Empty(t, c.view.order)
	c.view.applied(w.Sale.ID, 1) // a window that was given meanwhile
	c.view.hasWindow(b, 0)
	_, buckets := c.view.saleOf(w.Sale.ID)
	require.Empty(t, buckets)

	// Buckets of an archive that come before its sale, in two readings of the changes.
	v := newView()
	v.update(sale.Changes{Sales: []sale.Sale{w.Sale}, Buckets: []sale.BucketRow{{Bucket: b, Epoch: 1, State: sale.BucketOpen}}})
	v.update(sale.Changes{Buckets: []sale.BucketRow{{Bucket: b, Epoch: 2, State: sale.BucketArchived}}})
	require.Empty(t, v.broken())

	row := w.DB.Row(b)
	require.Equal(t, sale.BucketArchived, row.State)
	require.NoError(t, c.Rebuilder.Rebuild(t.Context(), []sale.BucketRow{row}, nil), "there is nothing to do")
	require.Equal(t, row, w.DB.Row(b))
}

func TestRelayForgetsArchivedBuckets(t *testing.T) {
	r := NewRelay(RelayOptions{})
	bucket := func(number int) sale.Bucket { return sale.Bucket{Sale: "s", Number: number} }
	for number := range 5 {
		r.quiet[bucket(number)] = 1
	}
	r.forgetGone([]Watched{{BucketRow: sale.BucketRow{Bucket: bucket(4)}}, {}, {}})
	require.Len(t, r.quiet, 5, "most are there")
	r.forgetGone([]Watched{{BucketRow: sale.BucketRow{Bucket: bucket(4)}}})
	require.Equal(t, map[sale.Bucket]int64{bucket(4): 1}, r.quiet)
}

// Run finishes at once what another process has left, and a Redis that is away is no end of it.
func TestArchiverRuns(t *testing.T) {
	w := newWorld(t, nil)
	w.Stock("phone", 3, 1)
	w.archived()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan struct{})
	go func() { defer close(ran); w.archiver().Run(ctx) }()
	fakes.Eventually(t, func() bool { return w.keysLeft() == 0 && w.DB.Snapshot().Archives[w.Sale.ID].Dropped }, "it is dropped")
	cancel()
	<-ran
	w.DB.SetAway(errors.New("away"))
	require.Error(t, w.archiver().finish(t.Context()))
}
