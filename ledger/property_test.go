package ledger

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// drawn is random records and the units of the two buckets that they concern.
type drawn struct {
	limit   int
	loaded  [2]int64
	records []sale.Record
}

func draw(r *rapid.T) drawn {
	var made ids
	d := drawn{limit: rapid.IntRange(1, 3).Draw(r, "limit")}
	for i := range d.loaded {
		d.loaded[i] = rapid.Int64Range(0, 12).Draw(r, "loaded")
	}
	for range rapid.IntRange(1, 8).Draw(r, "records") {
		bucket, sequence := rapid.IntRange(0, 1).Draw(r, "bucket"), rapid.Int64Range(1, 9).Draw(r, "sequence")
		epoch := int64(rapid.IntRange(0, 9).Draw(r, "epoch")+8) / 9 // sometimes late
		if rapid.IntRange(0, 2).Draw(r, "kind") == 0 {
			t := transfer(bucket, 1-bucket, epoch, sequence, rapid.Int64Range(1, 5).Draw(r, "units"))
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
			orders = append(orders, keyed(made.one(buyer, rapid.IntRange(1, 2).Draw(r, "quantity")), key))
		}
		d.records = append(d.records, sale.Record{Batch: batch(bucket, epoch, sequence, orders...)})
	}
	return d
}

// aBatch is sometimes one of the batches drawn so far.
func (d drawn) aBatch(r *rapid.T) *sale.Batch {
	if len(d.records) == 0 || rapid.IntRange(0, 3).Draw(r, "again") > 0 {
		return nil
	}
	return rapid.SampledFrom(d.records).Draw(r, "of").Batch
}

func (d drawn) decide(closely bool) (*State, *Plan) {
	state := stateOf(closely, d.limit, d.loaded[:]...)
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

// keyObjects reports whether a store's unique key would stop a plan: two orders take the slot of one buyer.
func keyObjects(p *Plan) bool {
	taken := map[Owner]bool{}
	for _, o := range p.Confirmed {
		if o.Slotted && taken[o.owner()] {
			return true
		}
		taken[o.owner()] = true
	}
	return false
}

// A hasty plan asks for a closer look, is stopped by a unique key, or is the close plan.
func TestHastyPlansNeverDiffer(t *testing.T) {
	same := 0
	rapid.Check(t, func(r *rapid.T) {
		d := draw(r)
		_, hasty := d.decide(false)
		_, closely := d.decide(true)
		require.Equal(r, closely.Behind, hasty.Behind)
		if hasty.LookCloser || keyObjects(hasty) {
			return
		}
		same++
		hasty.state, closely.state = nil, nil
		require.Equal(r, closely, hasty)
	})
	require.Positive(t, same)
}

// After any records no bucket has sold more units than loaded, transfers make and lose none, every buyer is within the limit
// and has one order per key, outbox rows have numbers without gaps, and the moves match the decisions of the plan.
func TestPlansKeepThePromise(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := draw(r)
		before := stateOf(true, d.limit, d.loaded[:]...).Stock
		state, p := d.decide(true)
		var loaded, given int64
		for bucket, row := range before {
			if m := p.Moves[bucket]; m != nil {
				require.True(r, m.Apply(row), "the guard of %s", bucket)
			}
			after := state.Stock[bucket]
			require.Equal(r, []int64{after.Loaded, after.Settled, after.Released, after.Outbox, after.Sequence},
				[]int64{row.Loaded, row.Settled, row.Released, row.Outbox, row.Sequence})
			require.LessOrEqual(r, row.Settled-row.Released, row.Loaded)
			loaded += row.Loaded
			given += row.GivenEpoch
		}
		require.Equal(r, d.loaded[0]+d.loaded[1], loaded)
		numbers := map[sale.Bucket]int64{}
		for _, row := range p.Outbox {
			numbers[row.Bucket]++
			require.Equal(r, numbers[row.Bucket], row.Number)
			given -= row.Units
		}
		require.Zero(r, given)
		bought := map[string]int{}
		for _, o := range p.Confirmed {
			bought[o.Buyer] += o.Quantity
		}
		for units := range maps.Values(bought) {
			require.LessOrEqual(r, units, d.limit)
		}
		keys := map[[2]string]bool{}
		for _, o := range p.Confirmed {
			require.False(r, o.Key != "" && keys[[2]string{o.Buyer, o.Key}], "two orders of one key")
			keys[[2]string{o.Buyer, o.Key}] = true
		}
		for _, o := range p.Refused {
			late := p.Closing[o.Bucket] == ""
			require.True(r, !late || o.Reason == sale.ReasonFenced, "a refusal in the epoch closes the bucket")
		}
		require.Len(r, p.Settlement.Closed, len(p.Closing))
		everythingIsNoted(r, d, p)
	})
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
