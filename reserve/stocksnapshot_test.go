package reserve

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// The columns of quiet.
const (
	goneColumn = iota
	leftColumn
)

// quiet is a snapshot of a sale with two buckets and two SKUs. The first SKU is sold to the last unit, after a unit of it was
// moved from the first bucket to the second; of the second SKU the second bucket has two units.
func quiet() *stockSnapshot {
	row := func(number int, epoch int64) sale.BucketCounters {
		return sale.BucketCounters{BucketRow: sale.BucketRow{
			Bucket: sale.Bucket{Sale: "s", Number: number}, Epoch: epoch, State: sale.BucketOpen,
		}}
	}
	s := newStockSnapshot([]string{"gone", "left"}, []sale.StockReading{
		{Reading: sale.Reading{Epoch: 3, Sequence: 7}, Shelves: []sale.ShelfReading{{Taken: 5, Moved: 1}, {}}},
		{Reading: sale.Reading{Epoch: 2, Sequence: 4}, Shelves: []sale.ShelfReading{{Taken: 6, Returned: 1}, {Available: 2}}},
	})
	s.setCounters([]sale.StockCounters{
		{BucketCounters: row(0, 3), Shelves: []sale.ShelfCounters{{MovedEpoch: 1}, {}}},
		{BucketCounters: row(1, 2), Shelves: []sale.ShelfCounters{{GivenEpoch: 1}, {}}},
	})
	return s
}

// provesSoldOut reports whether two readings prove that a SKU has no unit left.
func (s *stockSnapshot) provesSoldOut(column int, again []sale.StockReading) bool {
	s.setCounters(s.counters)
	of := s.judged[column]
	return of.total == 0 && of.whole && !of.moving && s.still(column, again, column)
}

// TestStockSnapshotProvesNothingWhenAnythingDiffers: each single difference prevents the proof, whichever bucket it is in.
func TestStockSnapshotProvesNothingWhenAnythingDiffers(t *testing.T) {
	require.True(t, quiet().provesSoldOut(goneColumn, quiet().readings))
	require.False(t, quiet().provesSoldOut(leftColumn, quiet().readings))
	gone := func(r []sale.StockReading, number int) *sale.ShelfReading { return &r[number].Shelves[goneColumn] }
	books := func(s *stockSnapshot, number int) *sale.ShelfCounters { return &s.counters[number].Shelves[goneColumn] }
	for name, change := range map[string]func(s *stockSnapshot, again []sale.StockReading){
		"a unit is left":            func(s *stockSnapshot, _ []sale.StockReading) { gone(s.readings, 1).Available = 1 },
		"a bucket is closed":        func(s *stockSnapshot, _ []sale.StockReading) { s.counters[0].State = sale.BucketClosed },
		"a bucket is loading":       func(s *stockSnapshot, _ []sale.StockReading) { s.counters[1].State = sale.BucketLoading },
		"redis is an epoch behind":  func(s *stockSnapshot, _ []sale.StockReading) { s.counters[1].Epoch++ },
		"redis is an epoch ahead":   func(s *stockSnapshot, _ []sale.StockReading) { s.counters[0].Epoch-- },
		"another program wrote":     func(s *stockSnapshot, _ []sale.StockReading) { gone(s.readings, 0).Foreign = true },
		"taken and not settled":     func(s *stockSnapshot, _ []sale.StockReading) { gone(s.readings, 0).Moved++ },
		"settled before it is seen": func(s *stockSnapshot, _ []sale.StockReading) { books(s, 0).MovedEpoch++ },
		"given and not there":       func(s *stockSnapshot, _ []sale.StockReading) { books(s, 1).GivenEpoch++ },
		"there before it is seen":   func(s *stockSnapshot, _ []sale.StockReading) { gone(s.readings, 1).Returned++ },
		"a bucket went back":        func(_ *stockSnapshot, again []sale.StockReading) { again[0].Sequence-- },
		"a unit was taken":          func(_ *stockSnapshot, again []sale.StockReading) { gone(again, 0).Taken++ },
		"another write happened":    func(_ *stockSnapshot, again []sale.StockReading) { gone(again, 0).Moved++ },
		"another credit arrived":    func(_ *stockSnapshot, again []sale.StockReading) { gone(again, 1).Returned++ },
		"a unit returned":           func(_ *stockSnapshot, again []sale.StockReading) { gone(again, 1).Available++ },
		"a bucket was loaded anew":  func(_ *stockSnapshot, again []sale.StockReading) { again[1].Epoch++ },
	} {
		t.Run(name, func(t *testing.T) {
			s, again := quiet(), quiet().readings
			change(s, again)
			require.False(t, s.provesSoldOut(goneColumn, again))
		})
	}
}

// TestStockSnapshotIsOfOneSKU: what happens to another SKU of the sale does not prevent the proof, or no SKU of a busy sale
// would ever be sold out.
func TestStockSnapshotIsOfOneSKU(t *testing.T) {
	for name, change := range map[string]func(s *stockSnapshot, again []sale.StockReading){
		"sold meanwhile": func(_ *stockSnapshot, again []sale.StockReading) {
			again[1].Sequence++
			again[1].Shelves[leftColumn].Available--
			again[1].Shelves[leftColumn].Taken++
		},
		"on its way": func(s *stockSnapshot, _ []sale.StockReading) { s.counters[1].Shelves[leftColumn].GivenEpoch++ },
		"foreign":    func(s *stockSnapshot, _ []sale.StockReading) { s.readings[0].Shelves[leftColumn].Foreign = true },
	} {
		t.Run(name, func(t *testing.T) {
			s, again := quiet(), quiet().readings
			change(s, again)
			require.True(t, s.provesSoldOut(goneColumn, again))
		})
	}
}

// waitingFor is a purchase of the SKUs of quiet: so many units of each.
func waitingFor(home int, gone, left int) *waitingPurchase {
	p := &waitingPurchase{home: home, found: make(chan result, 1)}
	for column, quantity := range []int{gone, left} {
		if quantity > 0 {
			p.lines = append(p.lines, sale.Line{SKU: quiet().skus[column], Quantity: quantity})
			p.columns = append(p.columns, column)
		}
	}
	return p
}

// TestWaitingPurchasesAreRetriedInTheirOrder: no more purchases are retried than there are units, so a crowd does not retry for
// one unit.
func TestWaitingPurchasesAreRetriedInTheirOrder(t *testing.T) {
	s := quiet()
	s.readings[0].Shelves[goneColumn].Available, s.readings[1].Shelves[goneColumn].Available = 3, 1
	all := []*waitingPurchase{
		waitingFor(0, 2, 0), waitingFor(0, 2, 0), waitingFor(1, 1, 0), waitingFor(0, 1, 0), waitingFor(1, 1, 0),
		waitingFor(0, 0, 1), waitingFor(1, 0, 2),
	}
	left := s.retryServed(all)
	require.Equal(t, []*waitingPurchase{all[1], all[4], all[5]}, left)
	for _, p := range all {
		require.Equal(t, !slices.Contains(left, p), p.done)
	}
	b := bringingOf(s)
	require.Equal(t, -1, b.giver(&receiver{number: 0, wants: []want{{goneColumn, 1}, {leftColumn, 1}}}, true),
		"promised units are not moved")
}

// TestAPurchaseIsRetriedWhenItsBucketHasAllLines: and a purchase that is not retried holds nothing back.
func TestAPurchaseIsRetriedWhenItsBucketHasAllLines(t *testing.T) {
	s := quiet()
	s.readings[0].Shelves[leftColumn].Available = 1
	lacks, single := waitingFor(0, 1, 1), waitingFor(0, 0, 1)
	require.Equal(t, []*waitingPurchase{lacks}, s.retryServed([]*waitingPurchase{lacks, single}))
	require.True(t, single.done)

	s = quiet()
	s.readings[0].Shelves[goneColumn].Available, s.readings[0].Shelves[leftColumn].Available = 1, 1
	both, late := waitingFor(0, 1, 1), waitingFor(0, 0, 1)
	require.Equal(t, []*waitingPurchase{late}, s.retryServed([]*waitingPurchase{both, late}))
	require.True(t, both.done)
}
