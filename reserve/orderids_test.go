package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// leaseDesk leases node ids and records the calls.
type leaseDesk struct {
	mu     sync.Mutex
	away   error
	next   int64
	mark   int64 // of the last owner of the next node
	leased []int64
	marks  []int64
}

func (d *leaseDesk) LeaseNode(_ context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return sale.NodeLease{}, d.away
	}
	d.next++
	d.leased = append(d.leased, d.next)
	return sale.NodeLease{Node: d.next, Holder: holder, HighWaterMS: d.mark}, nil
}

func (d *leaseDesk) RenewNode(_ context.Context, _ sale.NodeLease, mark int64, _ time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away == nil {
		d.marks = append(d.marks, mark)
	}
	return d.away
}

func (d *leaseDesk) setAway(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = err
}

// in2027 moves a bubble's clock past the beginning of order ids.
func in2027() { <-time.After(time.Until(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))) }

// withOrderIDs runs a generator inside a bubble of fake time.
func withOrderIDs(t *testing.T, desk *leaseDesk, test func(t *testing.T, ids *OrderIDs)) {
	synctest.Test(t, func(t *testing.T) {
		in2027()
		ids := NewOrderIDs(desk, "holder", slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { ids.Run(ctx) })
		synctest.Wait()
		test(t, ids)
		cancel()
		running.Wait()
	})
}

// Ids rise, carry the leased node and stay below the stored mark.
func TestOrderIDsRiseBelowTheMark(t *testing.T) {
	desk := &leaseDesk{next: 41}
	withOrderIDs(t, desk, func(t *testing.T, ids *OrderIDs) {
		require.True(t, ids.Ready())
		last := sale.OrderID(0)
		for range 1000 {
			for range 10 {
				id, ok := ids.Next()
				require.True(t, ok)
				require.Greater(t, id, last)
				require.Equal(t, int64(42), int64(id)>>12&1023)
				last = id
			}
			<-time.After(time.Second)
			desk.mu.Lock()
			require.Less(t, last.Time().UnixMilli(), desk.marks[len(desk.marks)-1])
			desk.mu.Unlock()
		}
		require.Equal(t, []int64{42}, desk.leased, "one lease, renewed")
		require.GreaterOrEqual(t, len(desk.marks), 100)
	})
}

// While the database is away there are ids until the lease is nearly over, and none afterwards. When it is back, another node
// is leased.
func TestOrderIDsOutliveTheDatabaseForAWhile(t *testing.T) {
	desk := &leaseDesk{}
	withOrderIDs(t, desk, func(t *testing.T, ids *OrderIDs) {
		desk.setAway(errors.New("away"))
		<-time.After(9 * time.Minute)
		_, ok := ids.Next()
		require.True(t, ok)
		<-time.After(time.Minute)
		_, ok = ids.Next()
		require.False(t, ok)
		require.False(t, ids.Ready())
		desk.setAway(nil)
		<-time.After(2 * nodeRetry)
		_, ok = ids.Next()
		require.True(t, ok)
		require.Equal(t, []int64{1, 2}, desk.leased)
	})
}

// A node whose last owner was ahead of this clock is not used before the clock has passed the mark.
func TestOrderIDsWaitForTheMark(t *testing.T) {
	desk := &leaseDesk{mark: time.Date(2027, 1, 1, 0, 0, 30, 0, time.UTC).UnixMilli()}
	withOrderIDs(t, desk, func(t *testing.T, ids *OrderIDs) {
		_, ok := ids.Next()
		require.False(t, ok)
		<-time.After(29 * time.Second)
		require.False(t, ids.Ready())
		<-time.After(3 * time.Second)
		id, ok := ids.Next()
		require.True(t, ok)
		require.Greater(t, id.Time().UnixMilli(), desk.mark)
	})
}

// A lease that another process has acquired is given up at once, not at the end of its time.
func TestOrderIDsGiveUpALostLease(t *testing.T) {
	desk := &leaseDesk{}
	withOrderIDs(t, desk, func(t *testing.T, ids *OrderIDs) {
		desk.setAway(fmt.Errorf("renew: %w", sale.ErrLeaseHeld))
		<-time.After(nodeRenewEvery + time.Second)
		require.False(t, ids.Ready())
	})
}

// A node id outside the bits of an order id is refused.
func TestOrderIDsRefuseAWrongNode(t *testing.T) {
	withOrderIDs(t, &leaseDesk{next: sale.MaxNode}, func(t *testing.T, ids *OrderIDs) {
		require.False(t, ids.Ready())
	})
}

// Check returns why there is no node id.
func TestOrderIDsSayWhatTheyWaitFor(t *testing.T) {
	none := errors.New("none of 1024 is free")
	desk := &leaseDesk{away: none}
	require.ErrorIs(t, NewOrderIDs(desk, "holder", slog.New(slog.DiscardHandler)).Check(t.Context()), ErrNoLease)
	withOrderIDs(t, desk, func(t *testing.T, ids *OrderIDs) {
		require.ErrorIs(t, ids.Check(t.Context()), none)
		desk.setAway(nil)
		<-time.After(nodeRetry)
		synctest.Wait()
		require.NoError(t, ids.Check(t.Context()))
	})
}
