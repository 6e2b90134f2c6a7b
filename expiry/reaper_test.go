package expiry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/memory"
)

// errAway is the error of a database that cannot be reached.
var errAway = errors.New("connection refused")

// countedLeases are leases in memory that count how often they are asked.
func countedLeases(asked *atomic.Int64) lease.Leases {
	return memory.New(memory.Options{Hooks: memory.Hooks{Before: func(context.Context, string) error {
		asked.Add(1)
		return nil
	}}})
}

// fakeUnpaid has a number of due orders.
type fakeUnpaid struct {
	mu    sync.Mutex
	due   int
	calls int
	away  bool
	hangs int // so many calls return only when their context ends

	thaws  []sale.Thaw // none of which can be moved
	thawed int         // calls

	unpaid []sale.UnpaidOrders
	counts int           // of unpaid
	takes  time.Duration // each of these counts
	began  time.Duration
}

func (u *fakeUnpaid) ExpireOrders(ctx context.Context, limit int, _ time.Duration) (sale.Expiry, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls++
	if u.hangs > 0 {
		u.hangs--
		u.mu.Unlock() // the count of the backlog goes on
		<-ctx.Done()
		u.mu.Lock()
		return sale.Expiry{}, ctx.Err()
	}
	if u.away {
		return sale.Expiry{}, errAway
	}
	n := min(limit, u.due)
	u.due -= n
	return sale.Expiry{Orders: n}, nil
}

func (u *fakeUnpaid) Thaws(_ context.Context, began time.Duration) ([]sale.Thaw, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.began = began
	return u.thaws, nil
}

func (u *fakeUnpaid) ThawOrders(_ context.Context, thaw sale.Thaw) (sale.Thaw, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.thawed++
	return thaw, errAway
}

func (u *fakeUnpaid) UnpaidOrders(context.Context) ([]sale.UnpaidOrders, error) {
	if u.takes > 0 {
		<-time.After(u.takes)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counts++
	if u.away {
		return nil, errAway
	}
	return slices.Clone(u.unpaid), nil
}

func (u *fakeUnpaid) set(due int, away bool) (calls int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.due, u.away = due, away
	return u.calls
}

func newFakeReaper(t *testing.T, unpaid *fakeUnpaid, leases lease.Leases, holder string) *Reaper {
	t.Helper()
	r, err := NewReaper(ReaperOptions{
		Orders: unpaid, Leases: leases, Owner: holder, Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return r
}

func reaping(t *testing.T, r *Reaper) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func TestReaperTakesPageAfterPageWithoutAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 100_300}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		synctest.Wait() // no virtual time passes: the pages needed none
		require.Equal(t, 101, unpaid.set(0, false))
		require.InDelta(t, 100_300, testutil.ToFloat64(r.expired), 0)
		unpaid.set(5, false)
		<-time.After(reaperEvery)
		synctest.Wait()
		require.InDelta(t, 100_305, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestReaperAsksSeldomWhileNothingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{}
		var asked atomic.Int64
		end := reaping(t, newFakeReaper(t, unpaid, countedLeases(&asked), "me"))
		<-time.After(time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, unpaid.set(0, false), int(time.Minute/reaperEvery)+1)
		require.LessOrEqual(t, int(asked.Load()), int(time.Minute/(lease.TTL/6))+1)
		end()
	})
}

func TestReaperWaitsForItsDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 10, away: true}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		<-time.After(time.Minute)
		synctest.Wait()
		require.Zero(t, testutil.ToFloat64(r.expired))
		unpaid.set(10, false)
		<-time.After(time.Second)
		synctest.Wait()
		require.InDelta(t, 10, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

// A database that accepts a statement and never answers costs the time of one page.
func TestAPageThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 10, hangs: 1}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		<-time.After(pageTimeout + time.Second)
		synctest.Wait()
		require.InDelta(t, 10, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestAReaperIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid, leases := &fakeUnpaid{}, memory.New(memory.Options{})
		_, err := leases.AcquireLease(t.Context(), "expiry", "one that was killed", lease.TTL)
		require.NoError(t, err)
		r := newFakeReaper(t, unpaid, leases, "me")
		end := reaping(t, r)
		unpaid.set(3, false)
		<-time.After(lease.TTL - lease.AskEvery)
		synctest.Wait()
		require.Zero(t, testutil.ToFloat64(r.expired))
		<-time.After(2 * lease.AskEvery)
		synctest.Wait()
		require.InDelta(t, 3, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestReaperNeedsItsMetrics(t *testing.T) {
	r := newFakeReaper(t, &fakeUnpaid{}, memory.New(memory.Options{}), "me")
	_, err := NewReaper(r.ReaperOptions)
	require.ErrorContains(t, err, "register the metrics of expiry")
}

// reaperOf runs on a database in memory in which a sale has orders of four buyers.
func reaperOf(t *testing.T, freezeAfter time.Duration) (*Reaper, *memory.Database, sale.Bucket) {
	t.Helper()
	d := memory.New(memory.Options{})
	now := sale.Time{Time: time.Now()}
	d.SeedSale(sale.Sale{ID: "s", State: sale.StateOpen, StartsAt: now, EndsAt: sale.Time{Time: now.Add(time.Hour)},
		PaymentTTL: 60, PerBuyerLimit: 1, Buckets: 1, Items: []sale.Item{{SKU: "phone", Stock: 10}}})
	rows, err := d.LoadStock(t.Context(), "s", 1)
	require.NoError(t, err)
	batch := &sale.Batch{Bucket: rows[0].Bucket, Sequence: 1, BatchID: 1, CreatedMS: now.UnixMilli()}
	for id := range sale.OrderID(4) {
		batch.Orders = append(batch.Orders, sale.RecordOrder{OrderID: id + 1, Buyer: "buyer-" + id.String(),
			Lines: []sale.Line{{SKU: "phone", Quantity: 1, Number: 1}}})
	}
	_, err = d.Settle(t.Context(), []sale.Delivery{{Record: sale.Record{Batch: batch}}})
	require.NoError(t, err)
	r, err := NewReaper(ReaperOptions{Orders: d, Leases: d, Owner: "me", FreezeAfter: freezeAfter,
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return r, d, rows[0].Bucket
}

func statuses(d *memory.Database) map[sale.OrderStatus]int {
	found := map[sale.OrderStatus]int{}
	for _, o := range d.Snapshot().Orders {
		found[o.Status]++
	}
	return found
}

// The last payment is longer ago than the operator allows: the first order that falls due freezes the sale and does not expire.
// A request that thaws it and dies is followed by the reaper.
func TestReaperFreezesWhenPaymentsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d, _ := reaperOf(t, 30*time.Second)
		_, err := d.PayOrder(t.Context(), 1, "p")
		require.NoError(t, err)
		end := reaping(t, r)
		defer end()
		<-time.After(time.Minute + time.Second)
		synctest.Wait()
		frozen, err := d.Sale(t.Context(), "s")
		require.NoError(t, err)
		require.NotNil(t, frozen.HoldsFrozenSince)
		<-time.After(time.Hour)
		synctest.Wait()
		require.Equal(t, map[sale.OrderStatus]int{sale.StatusPaid: 1, sale.StatusConfirmed: 3}, statuses(d))

		_, err = d.BeginThaw(t.Context(), "s") // by a request that dies at once
		require.NoError(t, err)
		<-time.After(thawAfter - time.Second)
		synctest.Wait()
		frozen, err = d.Sale(t.Context(), "s")
		require.NoError(t, err)
		require.NotNil(t, frozen.HoldsFrozenSince, "the request may still be at work")
		<-time.After(2 * time.Second)
		synctest.Wait()
		thawed := d.Snapshot().Orders[2]
		require.InDelta(t, time.Hour.Seconds()+1, thawed.PayBy.Sub(thawed.FirstPayBy.Time).Seconds(), reaperEvery.Seconds())
		require.Equal(t, 3, statuses(d)[sale.StatusExpired], "they were due when the sale was frozen")
	})
}

// While payments come, and where none ever came, orders expire.
func TestReaperExpiresWhilePaymentsCome(t *testing.T) {
	for _, pays := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, d, _ := reaperOf(t, 30*time.Second)
			end := reaping(t, r)
			defer end()
			<-time.After(50 * time.Second)
			if pays {
				_, err := d.PayOrder(t.Context(), 1, "p")
				require.NoError(t, err)
			}
			<-time.After(11 * time.Second)
			synctest.Wait()
			require.Zero(t, statuses(d)[sale.StatusConfirmed])
			frozen, err := d.Sale(t.Context(), "s")
			require.NoError(t, err)
			require.Nil(t, frozen.HoldsFrozenSince)
		})
	}
}

// A frozen sale is left alone for as long as it takes, and one that settles during the freeze too.
func TestReaperLeavesFrozenSalesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d, _ := reaperOf(t, 0)
		end := reaping(t, r)
		defer end()
		<-time.After(59 * time.Second)
		_, err := d.FreezeHolds(t.Context(), "s", "")
		require.NoError(t, err)
		<-time.After(24 * time.Hour)
		synctest.Wait()
		require.Equal(t, map[sale.OrderStatus]int{sale.StatusConfirmed: 4}, statuses(d))
		thaw, err := d.BeginThaw(t.Context(), "s")
		for err == nil && !thaw.Done {
			thaw, err = d.ThawOrders(t.Context(), thaw)
		}
		require.NoError(t, err)
		<-time.After(500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, map[sale.OrderStatus]int{sale.StatusConfirmed: 4}, statuses(d), "a second is left")
		<-time.After(time.Second)
		synctest.Wait()
		require.Equal(t, map[sale.OrderStatus]int{sale.StatusExpired: 4}, statuses(d))
	})
}

// A thaw that cannot be moved does not keep orders from expiring, and is looked for again.
func TestThawsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 3, thaws: []sale.Thaw{{Sale: "s", Number: 1}}}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		defer end()
		<-time.After(5 * time.Second)
		synctest.Wait()
		require.InDelta(t, 3, testutil.ToFloat64(r.expired), 0)
		unpaid.mu.Lock()
		defer unpaid.mu.Unlock()
		require.Greater(t, unpaid.thawed, 1)
		require.Equal(t, thawAfter, unpaid.began)
	})
}
