package reserve

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// quiet is a snapshot of a SKU with two buckets, sold to the last unit. One of its units was moved from the first bucket to the
// second.
func quiet() *skuSnapshot {
	open := func(number int, epoch int64) sale.BucketRow {
		return sale.BucketRow{Bucket: sale.Bucket{Sale: "s", SKU: "k", Number: number}, Epoch: epoch, State: sale.BucketOpen}
	}
	return &skuSnapshot{
		readings: []sale.Reading{{Epoch: 3, Sequence: 7, Taken: 5, Moved: 1}, {Epoch: 2, Sequence: 4, Taken: 6, Returned: 1}},
		counters: []sale.BucketCounters{{BucketRow: open(0, 3), MovedEpoch: 1}, {BucketRow: open(1, 2), GivenEpoch: 1}},
		promised: make([]int64, 2),
	}
}

// TestSkuSnapshotProvesNothingWhenAnythingDiffers: each single difference prevents the proof, whichever bucket it is in.
func TestSkuSnapshotProvesNothingWhenAnythingDiffers(t *testing.T) {
	proves := func(v *skuSnapshot, again []sale.Reading) bool {
		return v.total() == 0 && v.whole() && !v.moving() && v.still(again)
	}
	require.True(t, proves(quiet(), quiet().readings))
	for name, change := range map[string]func(v *skuSnapshot, again []sale.Reading){
		"a unit is left":            func(v *skuSnapshot, _ []sale.Reading) { v.readings[1].Available = 1 },
		"a bucket is closed":        func(v *skuSnapshot, _ []sale.Reading) { v.counters[0].State = sale.BucketClosed },
		"a bucket is loading":       func(v *skuSnapshot, _ []sale.Reading) { v.counters[1].State = sale.BucketLoading },
		"redis is an epoch behind":  func(v *skuSnapshot, _ []sale.Reading) { v.counters[1].Epoch++ },
		"redis is an epoch ahead":   func(v *skuSnapshot, _ []sale.Reading) { v.counters[0].Epoch-- },
		"taken and not settled":     func(v *skuSnapshot, _ []sale.Reading) { v.readings[0].Moved++ },
		"settled before it is seen": func(v *skuSnapshot, _ []sale.Reading) { v.counters[0].MovedEpoch++ },
		"given and not there":       func(v *skuSnapshot, _ []sale.Reading) { v.counters[1].GivenEpoch++ },
		"there before it is seen":   func(v *skuSnapshot, _ []sale.Reading) { v.readings[1].Returned++ },
		"a bucket has moved":        func(_ *skuSnapshot, again []sale.Reading) { again[0].Sequence++ },
		"another write happened":    func(_ *skuSnapshot, again []sale.Reading) { again[0].Moved++ },
		"another credit arrived":    func(_ *skuSnapshot, again []sale.Reading) { again[1].Returned++ },
		"a unit returned":           func(_ *skuSnapshot, again []sale.Reading) { again[1].Available++ },
		"a bucket was loaded anew":  func(_ *skuSnapshot, again []sale.Reading) { again[1].Epoch++ },
	} {
		t.Run(name, func(t *testing.T) {
			v, again := quiet(), quiet().readings
			change(v, again)
			require.False(t, proves(v, again))
		})
	}
}

// TestSoldOutNoticesWhatHappensMeanwhile: a credit arrives and is bought while the database is read, so both readings of Redis
// show empty buckets.
func TestSoldOutNoticesWhatHappensMeanwhile(t *testing.T) {
	m := newMarket(t, 0, 0)
	meanwhile := func(set ...string) {
		m.DB.OnCounters = func() { m.Do("HSET", m.Redis.Keys(m.buckets[1]).Meta, set[0], set[1]) }
	}
	soldOut := func() bool {
		found, err := m.engine.SoldOut(context.Background(), m.buckets)
		require.NoError(t, err)
		return found
	}
	require.True(t, soldOut())
	meanwhile("seq", "2")
	require.False(t, soldOut())
	require.True(t, soldOut(), "nothing has changed since")
	meanwhile("moved", "1")
	require.False(t, soldOut(), "the bucket lost a write, and a transfer took the sequence of an order")
	meanwhile("moved", "0")
	require.False(t, soldOut())
	meanwhile("epoch", "2")
	require.False(t, soldOut())
}

// TestWaitingPurchasesAreRetriedInTheirOrder: no more purchases are retried than there are units, so a crowd does not retry for
// one unit.
func TestWaitingPurchasesAreRetriedInTheirOrder(t *testing.T) {
	v := quiet()
	v.readings[0].Available, v.readings[1].Available = 3, 1
	one := func(home int, quantity int64) *waitingPurchase {
		return &waitingPurchase{home: home, quantity: quantity, found: make(chan result, 1)}
	}
	all := []*waitingPurchase{one(0, 2), one(0, 2), one(1, 1), one(0, 1), one(1, 1)}
	left := v.retryServed(all)
	require.Equal(t, []*waitingPurchase{all[1], all[4]}, left)
	for _, s := range all {
		require.Equal(t, !slices.Contains(left, s), s.done)
	}
	require.Equal(t, -1, v.fullest(make([]bool, 2)), "promised units are not moved")
}

func TestFullestBucketGives(t *testing.T) {
	v := quiet()
	v.readings[0].Available, v.readings[1].Available = 3, 9
	require.Equal(t, 1, v.fullest([]bool{false, false}))
	require.Equal(t, 0, v.fullest([]bool{false, true}), "a bucket that was served gives nothing in the same round")
	v.promised[1] = 7
	require.Equal(t, 0, v.fullest([]bool{false, false}))
	v.counters[0].State = sale.BucketLoading
	require.Equal(t, 1, v.fullest([]bool{false, false}))
}

// TestPendingTransfersEnd: when the transfer is settled, or when its epoch is over.
func TestPendingTransfersEnd(t *testing.T) {
	m := &rebalancer{pending: []pendingTransfer{
		{from: 0, to: 1, epoch: 3, moved: 1}, {from: 0, to: 1, epoch: 3, moved: 2}, {from: 1, to: 0, epoch: 1, moved: 9},
	}}
	v := quiet()
	m.pending = m.unsettled(v)
	require.Equal(t, []pendingTransfer{{from: 0, to: 1, epoch: 3, moved: 2}}, m.pending)
	require.True(t, m.hasPending(1, v))
	require.False(t, m.hasPending(0, v))
	v.counters[0].MovedEpoch = 2
	m.pending = m.unsettled(v)
	require.False(t, m.hasPending(1, v))
	v.counters[1].GivenEpoch = 2
	require.True(t, m.hasPending(1, v), "settled, and not applied to Redis")
}

// TestTriedAgainGoesFirst: the first of a batch is its oldest, because the bounds of a batch count from it.
func TestTriedAgainGoesFirst(t *testing.T) {
	q := &bucketQueue{}
	at := time.Now()
	for _, second := range []int{1, 3, 5, 4, 0, 5} {
		q.pending = append(q.pending, &request{arrivedAt: at.Add(time.Duration(second) * time.Second)})
		q.moveUp()
	}
	for i := 1; i < len(q.pending); i++ {
		require.False(t, q.pending[i].arrivedAt.Before(q.pending[i-1].arrivedAt))
	}
}

// TestWaitingPurchasesAreBounded: purchases beyond the bound are overloaded at once.
func TestWaitingPurchasesAreBounded(t *testing.T) {
	m := &rebalancer{running: true, waiting: make([]*waitingPurchase, maxWaitingPurchases)}
	require.False(t, m.join(&waitingPurchase{}))
	late := &waitingPurchase{until: time.Now().Add(-time.Second), found: make(chan result, 1)}
	m.waiting = []*waitingPurchase{late}
	require.Empty(t, m.next())
	require.False(t, m.running)
	require.Equal(t, sale.OutcomeOverloaded, (<-late.found).answer.Outcome)
}
