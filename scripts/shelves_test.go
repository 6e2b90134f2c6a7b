package scripts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// TestStockReadings reads shelves in the order asked, and tells those that another program has written.
func TestStockReadings(t *testing.T) {
	r, ctx, server := dialShared(t), context.Background(), harness.SharedRedis(t)
	s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 9, 5), shelf("case", 3, 4)})
	s.buy(purchase("ann", "", "phone", 2))
	server.MustDo(t, "HSET", s.keys.Stock, "alien", "9 9 9 9 9", "letters", "1 1 1 1 1 x")
	unknown := sale.Bucket{Sale: "sale", Number: 4}
	readings, err := r.StockReadings(ctx, []sale.Bucket{unknown, s.bucket}, []string{"phone", "alien", "none"})
	require.NoError(t, err)
	require.Equal(t, sale.StockReading{
		Reading: sale.Reading{Shut: true}, Shelves: []sale.ShelfReading{{SKU: "phone"}, {SKU: "alien"}, {SKU: "none"}},
	}, readings[0])
	require.Equal(t, []sale.ShelfReading{
		{SKU: "phone", Available: 7, Taken: 2, Limit: 5, Number: 1}, {SKU: "alien", Foreign: true}, {SKU: "none"},
	}, readings[1].Shelves)
	require.Equal(t, sale.Reading{
		Epoch: 1, Sequence: 1, JournalOrders: 1, OldestJournal: s.reply.NowMS, WindowsVersion: 1,
	}, readings[1].Reading)
	bare, err := r.Readings(ctx, []sale.Bucket{s.bucket})
	require.NoError(t, err)
	require.Equal(t, readings[1].Reading, bare[0])
	readings, err = r.StockReadings(ctx, []sale.Bucket{s.bucket}, nil)
	require.NoError(t, err)
	var skus []string
	for _, shelf := range readings[0].Shelves {
		skus = append(skus, shelf.SKU)
	}
	require.ElementsMatch(t, []string{"alien", "case", "phone", "letters"}, skus)
}

// TestForeignKeys: a load leaves a key of another program as it is, and names it.
func TestForeignKeys(t *testing.T) {
	r, ctx, server := dialShared(t), context.Background(), harness.SharedRedis(t)
	b := sale.Bucket{Sale: "sale", Number: 3}
	keys := r.Keys(b)
	load := sale.Load{BucketRow: sale.BucketRow{Bucket: b, Epoch: 1}, Stock: []sale.ShelfLoad{shelf("phone", 1, 1)}}
	for _, key := range keys.all() {
		server.MustDo(t, "SET", key, "mine")
		err := r.Load(ctx, []sale.Load{load})
		require.ErrorIs(t, err, sale.ErrForeign)
		require.ErrorContains(t, err, "key "+key)
		require.Equal(t, "mine", server.MustDo(t, "GET", key))
		require.Equal(t, int64(1), server.MustDo(t, "EXISTS", keys.Meta, keys.Stock, keys.Buyers, keys.Journal))
		server.MustDo(t, "DEL", key)
	}
	server.MustDo(t, "HSET", keys.Stock, "phone", "a dozen")
	require.NoError(t, r.Load(ctx, []sale.Load{load}), "what is left of a bucket, or looks like it, is replaced")
	_, err := r.StockReadings(ctx, []sale.Bucket{b}, nil)
	require.NoError(t, err)
	server.MustDo(t, "DEL", keys.Stock)
	server.MustDo(t, "SET", keys.Stock, "mine")
	_, err = r.StockReadings(ctx, []sale.Bucket{b}, nil)
	require.ErrorIs(t, err, sale.ErrForeign)
}

// TestDrops deletes the keys of a bucket or of lists, and no others.
func TestDrops(t *testing.T) {
	r, ctx, server := dialShared(t), context.Background(), harness.SharedRedis(t)
	s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 9, 5)})
	s.buy(purchase("ann", "", "phone", 2))
	other := s.load
	other.Bucket = sale.Bucket{Sale: "sale", Number: 4}
	require.NoError(t, r.Load(ctx, []sale.Load{other}))
	for range 2 {
		require.NoError(t, r.DropBucket(ctx, s.bucket), "twice is once")
		require.Zero(t, server.MustDo(t, "EXISTS", s.keys.Meta, s.keys.Stock, s.keys.Buyers, s.keys.Journal))
	}
	require.Equal(t, int64(1), server.MustDo(t, "EXISTS", r.Keys(other.Bucket).Meta))
	require.Equal(t, []string{"fenced missing"}, s.buy(purchase("ann", "", "phone", 2)))

	require.NoError(t, r.LoadList(ctx, "sale", 7, 3, listOf(3)))
	require.NoError(t, r.LoadList(ctx, "other", 7, 3, listOf(3)))
	require.NoError(t, r.DropLists(ctx, "sale", []int64{3, 7}))
	require.Zero(t, server.MustDo(t, "EXISTS", r.listKey("sale", 7), r.listPointerKey("sale")))
	whole, err := r.HasList(ctx, "other", 7, 3)
	require.NoError(t, err)
	require.True(t, whole)
	require.NoError(t, r.DropLists(ctx, "sale", nil))

	r.SetDoubt(sale.ErrForeign)
	require.ErrorIs(t, r.DropBucket(ctx, other.Bucket), sale.ErrForeign)
	require.ErrorIs(t, r.DropLists(ctx, "other", []int64{7}), sale.ErrForeign)
}
