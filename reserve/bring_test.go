package reserve

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// bringingOf is the state of a round on two buckets, without any server.
func bringingOf(s *stockSnapshot) *bringing {
	r := &rebalancer{buckets: make([]sale.Bucket, len(s.readings)), pending: pendingTransfers{}}
	return &bringing{rebalancer: r, stockSnapshot: s, rank: make([]int, len(s.readings)), refuses: make([]bool, len(s.readings))}
}

// threeBuckets is a snapshot of two SKUs in three open buckets.
func threeBuckets(units ...[2]int64) *stockSnapshot {
	var readings []sale.StockReading
	var counters []sale.StockCounters
	for number, n := range units {
		readings = append(readings, sale.StockReading{
			Reading: sale.Reading{Epoch: 1}, Shelves: []sale.ShelfReading{{Available: n[0]}, {Available: n[1]}},
		})
		row := sale.BucketRow{Bucket: sale.Bucket{Sale: "s", Number: number}, Epoch: 1, State: sale.BucketOpen}
		counters = append(counters, sale.StockCounters{
			BucketCounters: sale.BucketCounters{BucketRow: row}, Shelves: make([]sale.ShelfCounters, 2),
		})
	}
	s := newStockSnapshot(quiet().skus, readings)
	s.setCounters(counters)
	return s
}

func TestTheBucketThatHasTheMostGives(t *testing.T) {
	b := bringingOf(threeBuckets([2]int64{0, 0}, [2]int64{3, 0}, [2]int64{9, 1}))
	one := &receiver{number: 0, wants: []want{{goneColumn, 1}}}
	require.Equal(t, 2, b.giver(one, false), "of those that have enough the fullest")
	both := &receiver{number: 0, wants: []want{{goneColumn, 1}, {leftColumn, 1}}}
	b.readings[1].Shelves[goneColumn].Available = 99
	require.Equal(t, 2, b.giver(both, false), "the one that can give both SKUs")
	require.Equal(t, 1, b.giver(one, false))
	b.promised[b.shelf(1, goneColumn)] = 97
	require.Equal(t, 2, b.giver(one, false), "promised units are not moved")
	b.refuses[2] = true
	require.Equal(t, 1, b.giver(one, false), "a bucket that refused is not asked again in the round")
	b.counters[1].State = sale.BucketLoading
	require.Equal(t, -1, b.giver(one, false))
}

// TestABucketKeepsWhatItsBuyersWaitWith: until a bucket with an elder purchase needs it; otherwise two buckets would keep the
// last units from each other that both need.
func TestABucketKeepsWhatItsBuyersWaitWith(t *testing.T) {
	b := bringingOf(threeBuckets([2]int64{1, 0}, [2]int64{0, 3}, [2]int64{0, 0}))
	receivers := b.receivers([]*waitingPurchase{waitingFor(0, 1, 1), waitingFor(1, 1, 1), waitingFor(1, 1, 1)})
	require.Equal(t, []*receiver{
		{number: 0, wants: []want{{leftColumn, 1}}}, {number: 1, wants: []want{{goneColumn, 2}}},
	}, receivers)
	elder, younger := receivers[0], receivers[1]
	require.Equal(t, 1, b.giver(elder, false), "it has one more than its buyers wait for")
	wants := b.wantsFrom(1, elder, false)
	require.Equal(t, []int64{1, 2}, []int64{wants[0].Asked, wants[0].Kept})
	b.readings[1].Shelves[leftColumn].Available = 2
	require.Equal(t, -1, b.giver(elder, false))
	require.Equal(t, 1, b.giver(elder, true))
	wants = b.wantsFrom(1, elder, true)
	require.Equal(t, []int64{1, 1}, []int64{wants[0].Asked, wants[0].Kept}, "no more than the elder ones need")
	require.Equal(t, -1, b.giver(younger, true), "the bucket with the elder purchase keeps what it has")
	require.Empty(t, b.receivers(nil))
}

// TestReceiversAreAskedOnce: nothing is sent of a SKU that is on its way, and a purchase whose bucket does not sell ends.
func TestReceiversAreAskedOnce(t *testing.T) {
	b := bringingOf(threeBuckets([2]int64{0, 0}, [2]int64{0, 0}, [2]int64{9, 9}))
	b.pending.add(0, "gone", pendingTransfer{from: 2, epoch: 1, moved: 1})
	b.counters[1].State = sale.BucketClosed
	closed := waitingFor(1, 1, 1)
	receivers := b.receivers([]*waitingPurchase{closed, waitingFor(0, 1, 1), waitingFor(0, 3, 0)})
	require.Equal(t, []*receiver{{number: 0, wants: []want{{leftColumn, 1}}}}, receivers)
	require.Equal(t, sale.OutcomeOverloaded, (<-closed.found).answer.Outcome)
	b.counters[2].Shelves[goneColumn].MovedEpoch = 1
	b.counters[0].Shelves[leftColumn].GivenEpoch = 1
	b.demand = make([]int64, len(b.demand))
	receivers = b.receivers([]*waitingPurchase{waitingFor(0, 1, 1), waitingFor(0, 3, 0)})
	require.Equal(t, []*receiver{{number: 0, wants: []want{{goneColumn, 4}}}}, receivers, "settled; the other SKU is credited")
}
