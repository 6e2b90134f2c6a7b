package reserve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// TestSeveralLinesLackInTheHomeBucket: one transfer brings all that lack, and none of what is there.
func TestSeveralLinesLackInTheHomeBucket(t *testing.T) {
	m := newMarketOf(t, []string{"a", "b", "c"}, []int64{8, 4, 9}, []int64{0, 0, 1}).carry()
	require.Equal(t, sale.OutcomeQueued, m.basket(1, "anna", m.Line("c", 1), m.Line("a", 5), m.Line("b", 1)).Outcome)
	m.balanced()
	transfers := m.transfers()
	require.Len(t, transfers, 1)
	require.Equal(t, sale.Bucket{Sale: "sale", Number: 1}, transfers[0].Receiver())
	require.Equal(t, []sale.SKUUnits{{SKU: "a", Units: 5}, {SKU: "b", Units: 2}}, transfers[0].Units,
		"half of the units, or as many as are asked for")
	require.Zero(t, m.ShelfOf(m.buckets[1], "c").Available)
	require.Equal(t, int64(9), m.ShelfOf(m.buckets[0], "c").Available)
	require.Empty(t, m.DB.Reported())
}

// TestLinesAreBroughtFromSeveralBuckets: each SKU is in another bucket, one of them in two.
func TestLinesAreBroughtFromSeveralBuckets(t *testing.T) {
	m := newMarketOf(t, []string{"a", "b", "c"}, []int64{1, 0, 0}, []int64{0, 0, 0}, []int64{0, 1, 0}, []int64{0, 1, 1}).carry()
	require.Equal(t, sale.OutcomeQueued, m.basket(1, "anna", m.Line("a", 1), m.Line("b", 2), m.Line("c", 1)).Outcome)
	m.balanced()
	require.Zero(t, m.left())
	require.Len(t, m.transfers(), 3)
}

// TestARefusalNamesTheRightSKU: that of the first line that asks for more than all buckets have, with what they have.
func TestARefusalNamesTheRightSKU(t *testing.T) {
	m := newMarketOf(t, []string{"a", "b", "c"}, []int64{2, 1, 0}, []int64{1, 0, 0}).carry()
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "b", Available: 1},
		m.basket(1, "anna", m.Line("a", 3), m.Line("b", 2)))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: "a", Available: 3},
		m.basket(1, "anna", m.Line("a", 4), m.Line("b", 2), m.Line("c", 1)))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "c"},
		m.basket(0, "bert", m.Line("a", 2), m.Line("c", 1), m.Line("b", 5)))
	require.Empty(t, m.transfers(), "nothing moves for a purchase that cannot be served")
	require.Equal(t, sale.OutcomeQueued, m.basket(1, "anna", m.Line("a", 3), m.Line("b", 1)).Outcome)
	m.balanced()
}

// TestOfTwoSKUsOneIsSoldOut: the other one is sold, and only the first is said to be sold out.
func TestOfTwoSKUsOneIsSoldOut(t *testing.T) {
	m := newMarketOf(t, []string{"gone", "left"}, []int64{0, 4}, []int64{0, 0}).carry()
	gone := sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "gone"}
	require.Equal(t, gone, m.basket(1, "anna", m.Line("gone", 1)))
	require.Equal(t, gone, m.basket(1, "anna", m.Line("left", 1), m.Line("gone", 1)))
	require.True(t, m.soldOut())
	found, err := m.engine.SoldOut(context.Background(), m.buckets, "left")
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, sale.OutcomeQueued, m.basket(1, "anna", m.Line("left", 1)).Outcome)
	m.balanced()
	require.Equal(t, int64(3), m.left())
}

// TestASoldOutSKUIsToldWhileOthersSell: purchases of another SKU change every bucket all the time, and do not prevent the proof.
func TestASoldOutSKUIsToldWhileOthersSell(t *testing.T) {
	m := newMarketOf(t, []string{"gone", "left"}, []int64{0, 100_000}, []int64{0, 100_000})
	over := make(chan struct{})
	var all sync.WaitGroup
	var sold atomic.Int64
	for i := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				if m.basket(i%2, fmt.Sprintf("buyer-%d-%d", i, n), m.Line("left", 1)).Outcome == sale.OutcomeQueued {
					sold.Add(1)
				}
			}
		})
	}
	fakes.Eventually(t, func() bool { return sold.Load() > 8 }, "the others sell")
	for i := range 20 {
		buyer := fmt.Sprint("late-", i)
		require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "gone"}, m.basket(i%2, buyer, m.Line("gone", 1)))
	}
	close(over)
	all.Wait()
}

// TestTwoBucketsDoNotKeepTheLastUnits: two buyers need both SKUs, and each of their buckets has the last unit of one.
func TestTwoBucketsDoNotKeepTheLastUnits(t *testing.T) {
	m := newMarketOf(t, []string{"a", "b"}, []int64{1, 0}, []int64{0, 1}).carry()
	both := []sale.Line{m.Line("a", 1), m.Line("b", 1)}
	m.round(m.waiting(0, both...), m.waiting(1, both...)) // of one round, the elder first
	require.Equal(t, int64(1), m.ShelfOf(m.buckets[1], "b").Moved, "the bucket with the elder purchase gets it")
	require.Zero(t, m.ShelfOf(m.buckets[0], "a").Moved)
	answers := make(chan sale.Answer, 2)
	for number, buyer := range []string{"anna", "bert"} {
		go func() { answers <- m.basket(number, buyer, both...) }()
	}
	found := fakes.Outcomes([]sale.Answer{<-answers, <-answers})
	require.Equal(t, map[string]int{"queued": 1, "sold_out": 1}, found)
	m.balanced()
	require.Zero(t, m.left())
}

// TestUnitsInADeadLetterDelayOnlyTheirSKU: a second SKU moves and is sold out while the transfer of the first does not settle.
func TestUnitsInADeadLetterDelayOnlyTheirSKU(t *testing.T) {
	m := newMarketOf(t, []string{"lost", "other"}, []int64{1, 0}, []int64{0, 0}, []int64{0, 2}).carry()
	m.DB.FailTransfers()
	require.Equal(t, sale.OutcomeOverloaded, m.basket(1, "anna", m.Line("lost", 1)).Outcome)
	letters := m.DB.Snapshot().Letters
	require.Len(t, letters, 1)
	m.DB.RepairTransfers()
	require.Equal(t, sale.OutcomeQueued, m.basket(1, "anna", m.Line("other", 2)).Outcome)
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "other"}, m.basket(1, "bert", m.Line("other", 1)))
	require.Equal(t, sale.OutcomeOverloaded, m.basket(1, "bert", m.Line("lost", 1)).Outcome, "its unit is on its way")
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "other"},
		m.basket(1, "bert", m.Line("lost", 1), m.Line("other", 1)), "one sold out line is enough")
	require.Equal(t, 1, m.DB.EndDeadLetters(false))
	require.Equal(t, sale.OutcomeQueued, m.insist(1, "bert", m.Line("lost", 1)).Outcome)
	m.balanced()
}

// TestACrowdDrainsEverySKU: baskets of a crowd over 200 SKUs whose units lie anywhere, and at last buyers of one unit: every
// unit of every SKU is sold, and no SKU is said to be sold out before.
func TestACrowdDrainsEverySKU(t *testing.T) {
	const skus, buckets, baskets, seed = 200, 4, 600, 71
	random := rand.New(rand.NewPCG(seed, 1))
	names, units, total := make([]string, skus), make([][]int64, buckets), int64(0)
	for i := range names {
		names[i] = fmt.Sprint("sku-", i)
	}
	for number := range units {
		units[number] = make([]int64, skus)
		for column := range skus {
			if random.IntN(3) == 0 {
				units[number][column] = random.Int64N(7)
				total += units[number][column]
			}
		}
	}
	m := newMarketOf(t, names, units...).carry()
	var taken atomic.Int64
	note := func(buyer string, a sale.Answer, lines []sale.Line) {
		switch a.Outcome {
		case sale.OutcomeQueued, sale.OutcomeHeld:
			taken.Add(int64(sale.UnitsOf(lines)))
		case sale.OutcomeSoldOut, sale.OutcomeNotEnough:
		default:
			t.Errorf("%s: %+v", buyer, a)
		}
	}
	var crowd sync.WaitGroup
	for i := range baskets {
		lines := make([]sale.Line, 1+random.IntN(4))
		first := random.IntN(skus)
		for line := range lines {
			lines[line] = m.Line(names[(first+line*41)%skus], 1+random.IntN(2))
		}
		number, buyer := random.IntN(buckets), fmt.Sprint("basket-", i)
		crowd.Go(func() { note(buyer, m.insist(number, buyer, lines...), lines) })
	}
	crowd.Wait()
	for column, name := range names {
		number, lines := column%buckets, []sale.Line{m.Line(name, 1)}
		crowd.Go(func() {
			for n := 0; ; n++ {
				buyer := fmt.Sprintf("single-%d-%d", column, n)
				a := m.insist(number, buyer, lines...)
				note(buyer, a, lines)
				if a.Outcome != sale.OutcomeQueued && a.Outcome != sale.OutcomeHeld {
					return
				}
			}
		})
	}
	crowd.Wait()
	require.Equal(t, total, taken.Load(), "seed %d", seed)
	m.balanced()
	require.Zero(t, m.left())
}
