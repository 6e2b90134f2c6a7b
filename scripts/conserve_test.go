package scripts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// books count the units of one bucket by SKU, from the replies alone.
type books struct {
	*shop
	loaded map[string]int64
	sold   map[string]int64 // by the records of batches
	moved  map[string]int64 // by the records of transfers
	gained map[string]int64 // by rows that were applied
	live   map[sale.OrderID]*sale.RecordOrder
}

// TestUnitsAreConserved: whatever a bucket sells, releases, gains, gives and takes back, each SKU's units are somewhere.
func TestUnitsAreConserved(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		rapid.Check(t, func(t *rapid.T) {
			b := newBooks(t, r)
			t.Repeat(map[string]func(*rapid.T){
				"buy": b.someBatch, "release": b.someRelease, "raise": b.someRaise, "take": b.someTake, "give": b.someTransfer,
				"": b.balance,
			})
		})
	})
}

func newBooks(t *rapid.T, r *Redis) *books {
	require.NoError(t, r.DropBucket(context.Background(), sale.Bucket{Sale: "sale", Number: 3}))
	b := &books{
		loaded: map[string]int64{}, sold: map[string]int64{}, moved: map[string]int64{}, gained: map[string]int64{},
		live: map[sale.OrderID]*sale.RecordOrder{},
	}
	var stock []sale.ShelfLoad
	for _, item := range catalogue[:len(catalogue)-1] {
		shelf := shelf(item.SKU, rapid.Int64Range(0, 12).Draw(t, "stock"), rapid.IntRange(1, 4).Draw(t, "limit"))
		b.loaded[item.SKU] = shelf.Available
		stock = append(stock, shelf)
	}
	b.shop = newShop(t, r, rapid.IntRange(0, 9).Draw(t, "sale limit"), stock)
	return b
}

func bookBuyers() []string { return []string{"ann", "bob", "cat", "dan"} }

// known are the SKUs that the bucket has.
func (b *books) known() []string { return slices.Sorted(maps.Keys(b.loaded)) }

// someSKUs draws one or more distinct SKUs of the bucket.
func (b *books) someSKUs(t *rapid.T) []string {
	return rapid.Permutation(b.known()).Draw(t, "skus")[:rapid.IntRange(1, len(b.loaded)).Draw(t, "count")]
}

func (b *books) someBatch(t *rapid.T) {
	var batch []*sale.Purchase
	for range rapid.IntRange(1, 8).Draw(t, "purchases") {
		key := rapid.SampledFrom([]string{"", "", "k", "1,"}).Draw(t, "key")
		p := purchase(rapid.SampledFrom(bookBuyers()).Draw(t, "buyer"), key)
		for _, sku := range b.someSKUs(t) {
			p.Lines = append(p.Lines, lines(sku, rapid.IntRange(1, 3).Draw(t, "quantity"))...)
		}
		batch = append(batch, p)
	}
	b.buy(batch...)
	if b.reply.Record == "" {
		return
	}
	record, err := sale.DecodeRecord([]byte(b.reply.Record))
	require.NoError(b.t, err)
	for i := range record.Batch.Orders {
		order := &record.Batch.Orders[i]
		b.live[order.OrderID] = order
		for _, line := range order.Lines {
			b.sold[line.SKU] += int64(line.Quantity)
		}
	}
}

// someRelease gives back the units of some orders, of which the operator has refused some.
func (b *books) someRelease(t *rapid.T) {
	if len(b.live) == 0 {
		return
	}
	var page ReleasePage
	for _, id := range slices.Sorted(maps.Keys(b.live)) {
		if !rapid.Bool().Draw(t, "this one") {
			continue
		}
		order := b.live[id]
		delete(b.live, id)
		page.Orders = append(page.Orders, PageOrder{
			ReleasedOrder: sale.ReleasedOrder{OrderID: id, Buyer: order.Buyer, Lines: order.Lines},
			Refused:       rapid.Bool().Draw(t, "refused"),
		})
		for _, line := range order.Lines {
			b.gained[line.SKU] += int64(line.Quantity)
		}
	}
	require.Equal(b.t, CodeDone, b.apply(page).Code)
}

// someRaise adds units, at times of the item that no load has brought.
func (b *books) someRaise(t *rapid.T) {
	item := rapid.SampledFrom(catalogue).Draw(t, "item")
	line := sale.OutboxLine{SKU: item.SKU, Units: rapid.Int64Range(0, 5).Draw(t, "units"), Number: item.Number, Limit: 3}
	b.loaded[item.SKU] += 0
	b.gained[item.SKU] += line.Units
	require.Equal(b.t, CodeDone, b.apply(ReleasePage{Gains: []sale.OutboxLine{line}}).Code)
}

// someTake takes units back, and repeats the row.
func (b *books) someTake(t *rapid.T) {
	page := ReleasePage{First: b.outbox + 1}
	for _, sku := range b.someSKUs(t) {
		page.Take = append(page.Take, sale.OutboxLine{SKU: sku, Units: rapid.Int64Range(0, 5).Draw(t, "units")})
	}
	reply := b.apply(page)
	require.Equal(b.t, CodeDone, reply.Code)
	require.Equal(b.t, reply, b.apply(page))
	for _, took := range reply.Took {
		b.gained[took.SKU] -= took.Units
	}
}

func (b *books) someTransfer(t *rapid.T) {
	b.nextID++
	call := TransferCall{
		Keys: b.keys, Head: "sale 3", Epoch: 1, DeadlineMS: farDeadline, MaxJournal: 100_000, ID: b.nextID, To: 1,
	}
	for _, sku := range b.someSKUs(t) {
		call.Wants = append(call.Wants, TransferWant{
			SKU: sku, Asked: rapid.Int64Range(0, 5).Draw(t, "asked"), Kept: rapid.Int64Range(0, 5).Draw(t, "kept"),
		})
	}
	reply, err := b.Transfer(context.Background(), &call)
	require.NoError(b.t, err)
	for _, units := range reply.Units {
		b.moved[units.SKU] += units.Units
	}
}

// balance compares the counters of every SKU with the books, and the buyers' entries with the live orders.
func (b *books) balance(*rapid.T) {
	var want []string
	for _, sku := range b.known() {
		taken := b.sold[sku] + b.moved[sku]
		available := b.loaded[sku] + b.gained[sku] - taken
		require.GreaterOrEqual(b.t, available, int64(0), sku)
		want = append(want, fmt.Sprintf("%d %d %d %d", available, taken, b.moved[sku], b.gained[sku]))
	}
	require.Equal(b.t, want, b.stock(b.known()...))
	owned := map[sale.OrderID]string{}
	for _, buyer := range bookBuyers() {
		holdings, err := b.Holdings(context.Background(), b.bucket, buyer, func(WriteID) bool { return false })
		require.NoError(b.t, err)
		for _, h := range holdings {
			owned[h.OrderID] = textOf(h.Lines)
		}
	}
	live := map[sale.OrderID]string{}
	for id, order := range b.live {
		var numbered []sale.Line
		for _, line := range order.Lines {
			numbered = append(numbered, lines(line.SKU, line.Quantity)...)
		}
		live[id] = textOf(numbered)
	}
	require.Equal(b.t, live, owned)
}
