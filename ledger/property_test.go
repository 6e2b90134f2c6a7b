package ledger

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

var skus = []string{"phone", "case"}

// drawn is random records and the units of the two buckets that they concern.
type drawn struct {
	limits    map[string]int
	saleLimit int
	loaded    map[sale.Shelf]int64
	records   []sale.Record
}

func draw(r *rapid.T) drawn {
	var made ids
	d := drawn{limits: map[string]int{}, loaded: map[sale.Shelf]int64{}, saleLimit: rapid.IntRange(0, 4).Draw(r, "sale limit")}
	for _, sku := range skus {
		d.limits[sku] = rapid.IntRange(1, 3).Draw(r, "limit")
		for number := range 2 {
			d.loaded[shelfNo(number, sku)] = rapid.Int64Range(0, 12).Draw(r, "loaded")
		}
	}
	for range rapid.IntRange(1, 8).Draw(r, "records") {
		bucket, sequence := rapid.IntRange(0, 1).Draw(r, "bucket"), rapid.Int64Range(1, 9).Draw(r, "sequence")
		epoch := int64(rapid.IntRange(0, 9).Draw(r, "epoch")+8) / 9 // sometimes late
		if rapid.IntRange(0, 2).Draw(r, "kind") == 0 {
			t := transferOf(bucket, 1-bucket, epoch, sequence, drawUnits(r)...)
			t.TransferID += sale.OrderID(1000 * len(d.records))
			d.records = append(d.records, sale.Record{Transfer: t})
			continue
		}
		var orders []sale.RecordOrder
		if old := d.aBatch(r); old != nil { // the same call again, which takes more or less than the first time
			bucket, epoch, sequence = old.Number, old.Epoch, old.Sequence
			orders = slices.Clone(old.Orders[:rapid.IntRange(1, len(old.Orders)).Draw(r, "kept")])
		}
		for range rapid.IntRange(max(1-len(orders), 0), 3).Draw(r, "orders") {
			buyer := rapid.SampledFrom([]string{"ann", "bob", "cat", "dan"}).Draw(r, "buyer")
			key := rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(r, "key")
			orders = append(orders, keyed(made.order(buyer, drawLines(r)...), key))
		}
		d.records = append(d.records, sale.Record{Batch: batch(bucket, epoch, sequence, orders...)})
	}
	return d
}

func drawLines(r *rapid.T) (lines []sale.Line) {
	for _, sku := range drawSKUs(r) {
		lines = append(lines, line(sku, rapid.IntRange(1, 2).Draw(r, "quantity")))
	}
	return lines
}

func drawUnits(r *rapid.T) (units []sale.SKUUnits) {
	for _, sku := range drawSKUs(r) {
		units = append(units, sale.SKUUnits{SKU: sku, Units: rapid.Int64Range(1, 5).Draw(r, "units")})
	}
	return units
}

func drawSKUs(r *rapid.T) []string {
	return rapid.SampledFrom([][]string{{"phone"}, {"phone"}, {"case"}, {"phone", "case"}, {"case", "phone"}}).Draw(r, "skus")
}

// aBatch is sometimes one of the batches drawn so far.
func (d drawn) aBatch(r *rapid.T) *sale.Batch {
	if len(d.records) == 0 || rapid.IntRange(0, 3).Draw(r, "again") > 0 {
		return nil
	}
	return rapid.SampledFrom(d.records).Draw(r, "of").Batch
}

func (d drawn) state(closely bool) *State {
	state := stateOf(closely, d.limits["phone"], d.loaded[phones(0)], d.loaded[phones(1)])
	for _, row := range state.Buckets {
		row.SaleLimit = d.saleLimit
	}
	return shelve(state, "case", 2, d.limits["case"], d.loaded[shelfNo(0, "case")], d.loaded[shelfNo(1, "case")])
}

func (d drawn) decide(closely bool) (*State, *Plan) {
	state := d.state(closely)
	p := NewPlan(state)
	for _, r := range d.records {
		if r.Batch != nil {
			p.Settle(r.Batch)
		} else {
			p.Transfer(r.Transfer)
		}
	}
	return state, p
}

// A hasty plan asks for a closer look or is the close plan.
func TestHastyPlansNeverDiffer(t *testing.T) {
	same := 0
	rapid.Check(t, func(r *rapid.T) {
		d := draw(r)
		_, hasty := d.decide(false)
		_, closely := d.decide(true)
		require.Equal(r, closely.Behind, hasty.Behind)
		if hasty.LookCloser {
			return
		}
		same++
		hasty.state, closely.state = nil, nil
		require.Equal(r, closely, hasty)
	})
	require.Positive(t, same)
}

// After any records no bucket has sold more units of a SKU than loaded, transfers make and lose none, every order is whole,
// every buyer is within the limits and has one order per key, outbox rows have numbers without gaps, and the moves and gains
// match the decisions of the plan.
func TestPlansKeepThePromise(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := draw(r)
		state, p := d.decide(true)
		given := applyPlan(r, d.state(true), state, p)
		for _, sku := range skus {
			require.Equal(r, d.loaded[shelfNo(0, sku)]+d.loaded[shelfNo(1, sku)],
				state.Stock[shelfNo(0, sku)].Loaded+state.Stock[shelfNo(1, sku)].Loaded)
		}
		numbers := map[sale.Bucket]int64{}
		for _, row := range p.Outbox {
			numbers[row.Bucket]++
			require.Equal(r, numbers[row.Bucket], row.Number)
			for _, l := range row.Lines {
				given[sale.Shelf{Bucket: row.Bucket, SKU: l.SKU}] -= l.Units
			}
		}
		for shelf, units := range given {
			require.Zero(r, units, shelf)
		}
		for _, o := range p.Refused {
			late := p.Closing[o.Bucket] == ""
			require.True(r, !late || o.Reason == sale.ReasonFenced, "a refusal in the epoch closes the bucket")
		}
		require.Len(r, p.Settlement.Closed, len(p.Closing))
		buyersAreWithinTheirLimits(r, d, p)
		everythingIsNoted(r, d, p)
	})
}

// applyPlan applies the moves and gains of a plan to what was there before, compares the result with the state of the plan,
// and returns the units that the gains say outbox rows have given.
func applyPlan(r *rapid.T, before, after *State, p *Plan) map[sale.Shelf]int64 {
	sold, given := map[sale.Shelf]int64{}, map[sale.Shelf]int64{}
	for _, o := range p.Confirmed {
		for _, l := range o.Lines {
			sold[sale.Shelf{Bucket: o.Bucket, SKU: l.SKU}] += int64(l.Quantity)
		}
	}
	for bucket, row := range before.Buckets {
		if m := p.Moves[bucket]; m != nil {
			require.True(r, m.Apply(row), "the guard of %s", bucket)
		}
		require.Equal(r, after.Buckets[bucket], row)
	}
	for shelf, units := range before.Stock {
		if g := p.Gains[shelf]; g != nil {
			require.NotNil(r, p.Moves[shelf.Bucket], "a gain has a move")
			require.True(r, g.Apply(units), "the guard of %s", shelf)
		}
		is := after.Stock[shelf]
		require.Equal(r, []int64{is.Loaded, is.Settled, is.Released}, []int64{units.Loaded, units.Settled, units.Released})
		require.GreaterOrEqual(r, units.Free(), int64(0))
		require.Equal(r, sold[shelf], units.Settled, "every line of the confirmed orders and no other")
		given[shelf] = units.GivenEpoch
	}
	return given
}

func buyersAreWithinTheirLimits(r *rapid.T, d drawn, p *Plan) {
	bought, keys := map[string]map[string]int{}, map[[2]string]bool{}
	for _, o := range p.Confirmed {
		require.False(r, o.Key != "" && keys[[2]string{o.Buyer, o.Key}], "two orders of one key")
		keys[[2]string{o.Buyer, o.Key}] = true
		if bought[o.Buyer] == nil {
			bought[o.Buyer] = map[string]int{}
		}
		for _, l := range o.Lines {
			bought[o.Buyer][l.SKU] += l.Quantity
		}
	}
	for buyer, units := range bought {
		all := 0
		for sku, n := range units {
			require.LessOrEqual(r, n, d.limits[sku], buyer)
			all += n
		}
		require.True(r, d.saleLimit == 0 || all <= d.saleLimit, buyer)
	}
}

// everythingIsNoted checks that each order has one row and each identity one marker, after any repetitions.
func everythingIsNoted(r *rapid.T, d drawn, p *Plan) {
	rows, marks := map[sale.OrderID]int{}, map[Mark]int{}
	for _, o := range slices.Concat(p.Confirmed, p.Refused) {
		rows[o.OrderID]++
	}
	for _, m := range slices.Concat(p.Markers, p.Forks) {
		marks[m]++
	}
	wantRows, wantMarks := map[sale.OrderID]int{}, map[Mark]int{}
	for _, record := range d.records {
		if record.Transfer != nil {
			wantMarks[MarkOfTransfer(record.Transfer)] = 1
			continue
		}
		wantMarks[MarkOfBatch(record.Batch)] = 1
		for _, o := range record.Batch.Orders {
			wantRows[o.OrderID] = 1
		}
	}
	require.Equal(r, wantRows, rows)
	require.Equal(r, wantMarks, marks)
}

// Whatever a bucket has sold and whatever Redis says it found, a take leaves what is sold loaded, and what it took is what is
// no longer loaded; a take that a rebuild absorbs does the same.
func TestTakesNeverGoBelowWhatIsSold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := draw(r)
		state, _ := d.decide(true)
		bucket := bucketNo(0)
		before := map[string]int64{}
		var asked []sale.OutboxLine
		var found []sale.SKUUnits
		for _, sku := range skus {
			before[sku] = state.Stock[shelfNo(0, sku)].Loaded
			asked = append(asked, aLine(sku, rapid.Int64Range(0, 12).Draw(r, "asked"), 1, 1))
			found = append(found, sale.SKUUnits{SKU: sku, Units: rapid.Int64Range(0, 12).Draw(r, "found")})
		}
		p := NewPlan(state)
		p.Take(bucket, asked, "k1")
		p.Applied(sale.Applied{Bucket: bucket, Epoch: 1, Number: p.Outbox[0].Number, Sequence: 20, Took: found}, p.Outbox)
		taken := p.Took
		if len(p.Done) == 0 {
			require.Equal(r, map[sale.Bucket]string{bucket: ClosedByTake}, p.Closing)
			units := slices.SortedFunc(maps.Values(state.Stock), func(a, b *Units) int { return b.Number - a.Number })
			units = slices.DeleteFunc(units, func(u *Units) bool { return u != state.Stock[shelfNo(0, u.SKU)] })
			_, taken = state.Buckets[bucket].Begin(units, p.Outbox)
		}
		require.Len(r, taken, len(asked))
		for i, one := range taken {
			shelf := state.Stock[one.Shelf]
			require.GreaterOrEqual(r, shelf.Free(), int64(0))
			require.LessOrEqual(r, one.Units, asked[i].Units)
			require.Equal(r, before[one.SKU]-one.Units, shelf.Loaded)
			require.Equal(r, "k1", one.Change)
		}
	})
}
