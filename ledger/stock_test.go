package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var twoBuckets = []sale.Bucket{bucketNo(0), bucketNo(1)}

func aLine(sku string, units int64, number, limit int) sale.OutboxLine {
	return sale.OutboxLine{SKU: sku, Units: units, Number: number, Limit: limit}
}

func TestRaiseLoadsAtOnce(t *testing.T) {
	state := shelve(stateOf(true, 1, 10), "case", 2, 5, 0)
	state.Buckets[bucketNo(0)].Sequence = 4
	p := NewPlan(state)
	lines := []sale.OutboxLine{aLine("phone", 3, 1, 1), aLine("case", 0, 2, 5)}
	p.Raise(bucketNo(0), lines, "k1")
	require.Equal(t, []sale.OutboxRow{
		{Bucket: bucketNo(0), Number: 1, Epoch: 1, Kind: sale.OutboxRaise, Lines: lines, Change: "k1"},
	}, p.Outbox)
	require.Equal(t, map[sale.Bucket]*Move{bucketNo(0): {Epoch: 1, Sequence: 4, Outbox: 1}}, p.Moves)
	require.Equal(t, map[sale.Shelf]*Gain{phones(0): {Loaded: 3, GivenEpoch: 3}, shelfNo(0, "case"): {}}, p.Gains)
	require.EqualValues(t, 13, state.Stock[phones(0)].Loaded)
	require.EqualValues(t, -3, p.Gains[phones(0)].Needs())
}

func TestTakeOnlyAsks(t *testing.T) {
	p := NewPlan(stateOf(true, 1, 10))
	p.Take(bucketNo(0), []sale.OutboxLine{aLine("phone", 3, 1, 1)}, "k1")
	require.Equal(t, sale.OutboxTake, p.Outbox[0].Kind)
	require.Equal(t, "k1", p.Outbox[0].Change)
	require.Empty(t, p.Gains)
	require.EqualValues(t, 1, p.Moves[bucketNo(0)].Outbox)
}

func TestManyLinesOfARaiseAreSeveralRows(t *testing.T) {
	state := stateOf(true, 1, 10)
	lines := make([]sale.OutboxLine, MaxLines+1)
	for i := range lines {
		lines[i] = aLine("phone", 1, 1, 1)
	}
	p := NewPlan(state)
	p.Raise(bucketNo(0), lines, "")
	p.Take(bucketNo(0), lines, "")
	require.Len(t, p.Outbox, 4)
	require.Len(t, p.Outbox[3].Lines, 1)
	require.EqualValues(t, 4, p.Outbox[3].Number)
	require.Equal(t, &Gain{Loaded: MaxLines + 1, GivenEpoch: MaxLines + 1}, p.Gains[phones(0)])
}

func changed(state *State, c *Change) *Plan {
	p := NewPlan(state)
	p.Change(c, twoBuckets)
	return p
}

func changeOf(asked int64) *Change {
	return &Change{StockChange: sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k1", Asked: asked}}
}

func TestChangeThatAddsIsDoneAtOnce(t *testing.T) {
	state, c := stateOf(true, 1, 10, 0), changeOf(6)
	p := changed(state, c)
	require.Equal(t, &Change{StockChange: sale.StockChange{
		Sale: "eleven", SKU: "phone", Key: "k1", Asked: 6, Added: 6, Loaded: 16, Done: true,
	}}, c)
	require.Len(t, p.Outbox, 1, "the other bucket has more than its share")
	require.Equal(t, []sale.OutboxLine{aLine("phone", 6, 1, 1)}, p.Outbox[0].Lines)
	require.Equal(t, bucketNo(1), p.Outbox[0].Bucket)
	require.Equal(t, "k1", p.Outbox[0].Change)

	c.Loaded = 3
	require.Empty(t, changed(state, c).Outbox, "once")
	require.EqualValues(t, 3, c.Loaded, "the answer stays")
}

func TestChangeThatTakesAsksUntilNoUnitIsFree(t *testing.T) {
	state, c := stateOf(true, 1, 10, 4), changeOf(-12)
	state.Stock[phones(0)].Settled = 3
	p := changed(state, c)
	require.False(t, c.Done)
	require.Equal(t, 2, c.OpenRows, "11 units are free")
	require.Equal(t, []sale.OutboxLine{aLine("phone", 7, 1, 1)}, p.Outbox[0].Lines)
	require.Equal(t, []sale.OutboxLine{aLine("phone", 4, 1, 1)}, p.Outbox[1].Lines)

	require.Empty(t, changed(state, c).Outbox, "it waits")
	require.False(t, c.Done)
	state.Stock[phones(0)].Loaded -= 6 // a buyer was faster
	c.Took(6)
	state.Stock[phones(1)].Loaded -= 4
	c.Took(4)
	require.EqualValues(t, -10, c.Added)
	p = changed(state, c)
	require.Len(t, p.Outbox, 1, "the database knows of one free unit, that Redis has sold perhaps")
	require.Equal(t, []sale.OutboxLine{aLine("phone", 1, 1, 1)}, p.Outbox[0].Lines)
	require.EqualValues(t, 4, c.Loaded)
	c.Took(0)
	state.Stock[phones(0)].Settled++
	require.Empty(t, changed(state, c).Outbox)
	require.True(t, c.Done)
	require.Equal(t, []int64{-10, 4}, []int64{c.Added, c.Loaded})
}

func TestChangeThatFindsEverythingIsDone(t *testing.T) {
	state, c := stateOf(true, 1, 10, 10), changeOf(-4)
	require.Len(t, changed(state, c).Outbox, 2)
	for _, bucket := range twoBuckets {
		state.Stock[sale.Shelf{Bucket: bucket, SKU: "phone"}].Loaded -= 2
		c.Took(2)
	}
	require.Empty(t, changed(state, c).Outbox)
	require.Equal(t, sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k1", Asked: -4, Added: -4, Loaded: 16, Done: true},
		c.StockChange)
}

// Which stock changes may begin or go on, for every store alike.
func TestMayChange(t *testing.T) {
	var field *sale.FieldError
	var state *sale.StateError
	item := sale.Item{SKU: "phone", Stock: 10}
	begun := &Change{StockChange: sale.StockChange{Asked: 3}}
	done := &Change{StockChange: sale.StockChange{Asked: 3, Done: true}}
	may := func(s sale.State, present *Change, asked int64) error {
		return MayChange(&sale.Sale{State: s}, &item, present, asked)
	}
	for _, open := range []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused} {
		require.NoError(t, may(open, nil, 1), open)
		require.NoError(t, may(open, nil, -sale.MaxStock), open)
		require.NoError(t, may(open, nil, sale.MaxStock-10), open)
	}
	for _, units := range []int64{0, -sale.MaxStock - 1, sale.MaxStock + 1, sale.MaxStock - 9} {
		require.ErrorAs(t, may(sale.StateOpen, nil, units), &field, units)
		require.Equal(t, "add", field.Field)
	}
	for _, shut := range []sale.State{sale.StateDraft, sale.StateClosed, sale.StateArchived} {
		require.ErrorAs(t, may(shut, nil, 1), &state, shut)
		require.NoError(t, may(shut, done, 3), "what is done is answered")
		require.ErrorIs(t, may(shut, done, 4), sale.ErrChangeReused)
	}
	require.NoError(t, may(sale.StateClosed, begun, 3), "it ends after the close")
	require.ErrorAs(t, may(sale.StateArchived, begun, 3), &state)
	require.ErrorIs(t, may(sale.StateOpen, begun, -3), sale.ErrChangeReused)
}
