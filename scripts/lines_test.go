package scripts

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// TestVerdictsNameTheLine: each refusal names the first line at fault, and the checks have one order.
func TestVerdictsNameTheLine(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 9, []sale.ShelfLoad{
			shelf("phone", 10, 2), shelf("case", 0, 5), shelf("cable", 3, 5), shelf("plug", 10, 100),
		})
		require.Equal(t, []string{"T", "T"}, s.buy(purchase("ann", "", "phone", 1, "plug", 2), purchase("bob", "", "phone", 2)))
		ann := base36(s.nextID - 1)
		for verdict, p := range map[string]*sale.Purchase{
			"L 2 2":          purchase("new", "", "case", 5, "phone", 3),
			"l 9":            purchase("new", "", "plug", 10, "case", 1),
			"B 2 2 1 " + ann: purchase("ann", "", "case", 5, "phone", 2),
			"b 9 3 " + ann:   purchase("ann", "", "plug", 7),
			"S 2":            purchase("new", "", "phone", 1, "case", 1),
			"S 1":            purchase("new", "", "case", 1),
			"E 2 3":          purchase("new", "", "phone", 1, "cable", 4),
			"E 1 3":          purchase("ann", "", "cable", 4, "case", 1),
			"fenced sku":     purchase("new", "", "phone", 1, "late", 1),
		} {
			require.Equal(t, []string{verdict}, s.buy(p), verdict)
		}
		require.Equal(t, []string{"7 3 0 0", "8 2 0 0"}, s.stock("phone", "plug"), "nothing of a refused purchase is taken")
	})
}

// TestManyCancellationsOfALine: the limit of cancelled orders counts for each SKU.
func TestManyCancellationsOfALine(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 10, 5), shelf("case", 10, 5)})
		s.grief = sale.Grief{Unpaid: 2, WindowS: 3600}
		for range 2 {
			p := purchase("ann", "", "case", 1)
			require.Equal(t, []string{"T"}, s.buy(p))
			require.Equal(t, CodeDone, s.apply(released(s.nextID, p)).Code)
		}
		require.Equal(t, []string{"C 2 2 2", "C 1 2 2", "T"}, s.buy(purchase("ann", "", "phone", 1, "case", 1),
			purchase("ann", "", "case", 2), purchase("ann", "", "phone", 1)))
	})
}

// TestLinesAreAllOrNothing: a batch takes the lines of its taken purchases, and none of the others.
func TestLinesAreAllOrNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 3, 5), shelf("case", 2, 5), shelf("cable", 9, 5)})
		require.Equal(t, []string{"T", "E 1 1", "T", "S 1", "T"}, s.buy(
			purchase("a", "", "phone", 2, "case", 1, "cable", 1), purchase("b", "", "phone", 2, "cable", 5),
			purchase("c", "k", "cable", 1, "phone", 1), purchase("d", "", "phone", 1, "case", 1), purchase("e", "", "case", 1)))
		require.Equal(t, []string{"0 3 0 0", "0 2 0 0", "7 2 0 0"}, s.stock("phone", "case", "cable"))
		record, err := sale.DecodeRecord([]byte(s.reply.Record))
		require.NoError(t, err)
		require.Equal(t, s.bucket, record.Batch.Bucket)
		require.Len(t, record.Batch.Orders, 3)
		require.Equal(t, sale.RecordOrder{
			OrderID: s.nextID - 2, Buyer: "c", Key: "k",
			Lines: []sale.Line{
				{SKU: "cable", Quantity: 1, UnitPriceCents: 5}, {SKU: "phone", Quantity: 1, UnitPriceCents: 129_900},
			},
		}, record.Batch.Orders[1])
		holdings, err := r.Holdings(context.Background(), s.bucket, "c", func(WriteID) bool { return false })
		require.NoError(t, err)
		require.Len(t, holdings, 1)
		require.Equal(t, units(1, 1, 11, 1), holdings[0].Lines)
		require.Equal(t, sale.StatusHeld, holdings[0].Status)
	})
}

// TestAKeyOfAnOrderOfSeveralLines: a key belongs to the buyer and the sale. The lines decide, not their order.
func TestAKeyOfAnOrderOfSeveralLines(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 9, 5), shelf("plug", 9, 5), shelf("cable", 9, 5)})
		require.Equal(t, []string{"T"}, s.buy(purchase("ann", "k", "phone", 2, "plug", 1)))
		id, reused := base36(s.nextID), "K "+base36(s.nextID)
		replayed := fmt.Sprintf("R %s %d %d 1", id, s.reply.Sequence, s.reply.NowMS)
		require.Equal(t, []string{replayed, replayed, reused, reused, reused, reused, "T"}, s.buy(
			purchase("ann", "k", "phone", 2, "plug", 1), purchase("ann", "k", "plug", 1, "phone", 2),
			purchase("ann", "k", "phone", 2), purchase("ann", "k", "phone", 2, "cable", 1),
			purchase("ann", "k", "phone", 1, "plug", 2), purchase("ann", "k", "phone", 2, "plug", 1, "cable", 1),
			purchase("bob", "k", "cable", 1)))
	})
}

// TestABuyerOfManyOrders: Redis keeps at most sale.MaxBuyerOrders of a buyer.
func TestABuyerOfManyOrders(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 2000, 100), shelf("case", 2000, 100)})
		load := s.load
		load.Epoch++
		for id := range sale.OrderID(sale.MaxBuyerOrders - 1) {
			load.Owners = append(load.Owners, sale.RecordOrder{OrderID: id + 1, Buyer: "ann", Lines: units(1300, 1)})
		}
		s.begin(load)
		require.Equal(t, []string{"T", fmt.Sprintf("b 1000 1000 %s", base36(s.nextID+1)), "T"}, s.buy(
			purchase("ann", "", "phone", 1), purchase("ann", "", "case", 1), purchase("bob", "", "case", 1)))
	})
}

// TestReleasedOrdersAreBoundedBySKU: of a buyer's released orders those stay that are among the newest of one of their SKUs.
func TestReleasedOrdersAreBoundedBySKU(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 50, 100), shelf("case", 50, 100)})
		var orders []sale.OrderID
		var bought []*sale.Purchase
		for i := range 12 {
			p := purchase("ann", fmt.Sprint("key-", i), "phone", 1)
			if i == 1 {
				p = purchase("ann", "key-1", "phone", 1, "case", 1)
			}
			require.Equal(t, []string{"T"}, s.buy(p))
			orders, bought = append(orders, s.nextID), append(bought, p)
		}
		for i := range orders {
			require.Equal(t, CodeDone, s.apply(released(orders[i], bought[i])).Code)
		}
		for i, p := range bought {
			verdict := s.buy(p)[0]
			if i == 1 || i >= 12-sale.MaxReleased {
				require.Contains(t, verdict, "R "+base36(orders[i]), i)
			} else {
				require.Equal(t, "C 1 8 9", verdict, i) // the order of two SKUs is among the nine that are left
			}
		}
		require.Equal(t, []string{"50 12 0 12", "50 1 0 1"}, s.stock("phone", "case"))
	})
}

// TestAForgottenKey: a buyer with eight released orders of one SKU buys other SKUs only without a key, because Redis may have
// forgotten an order with that key.
func TestAForgottenKey(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 50, 100), shelf("case", 50, 100)})
		buyAndRelease := func(buyer, key string, pairs ...any) {
			p := purchase(buyer, key, pairs...)
			require.Equal(t, []string{"T"}, s.buy(p))
			require.Equal(t, CodeDone, s.apply(released(s.nextID, p)).Code)
		}
		buyAndRelease("ann", "lost", "phone", 1)
		for range sale.MaxReleased - 2 {
			buyAndRelease("ann", "", "phone", 1)
		}
		buyAndRelease("ann", "", "case", 2)
		require.Equal(t, []string{"T"}, s.buy(purchase("ann", "new", "case", 1)), "eight released, and no eight of one SKU")
		p, both := purchase("ann", "other", "phone", 1), purchase("ann", "", "case", 2, "phone", 1)
		require.Equal(t, []string{"T", "T"}, s.buy(p, both))
		require.Equal(t, CodeDone, s.apply(released(s.nextID, both)).Code)
		require.Equal(t, []string{"C 1 8 8", "C 2 8 8", "T"}, s.buy(purchase("ann", "k", "case", 1),
			purchase("ann", "", "case", 1, "phone", 1), purchase("ann", "", "case", 1)))
		require.Equal(t, CodeDone, s.apply(released(s.nextID-4, p)).Code, "now the first one is forgotten")
		require.Equal(t, []string{"C 1 8 8"}, s.buy(purchase("ann", "lost", "case", 3)), "its key is not taken again")
		require.Contains(t, s.buy(purchase("ann", "new", "case", 1))[0], "R ", "a key that is known answers")
		for range sale.MaxReleased {
			buyAndRelease("bob", "", "phone", 1)
		}
		require.Equal(t, []string{"C 1 8 8", "T"}, s.buy(purchase("bob", "k", "case", 1), purchase("bob", "", "case", 1)),
			"a buyer who has only orders of another SKU")
	})
}

// TestTheLargestBatch: a record's 1000 orders and 2000 lines, each of another SKU.
func TestTheLargestBatch(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		var stock []sale.ShelfLoad
		for number := range sale.MaxRecordLines {
			stock = append(stock, sale.ShelfLoad{SKU: fmt.Sprint("k", number), Available: 7, Number: number + 1, Limit: 2})
		}
		s := newShop(t, r, 0, stock)
		var batch []*sale.Purchase
		for i := range sale.MaxRecordOrders {
			batch = append(batch, &sale.Purchase{Buyer: fmt.Sprint("b", i), Lines: []sale.Line{
				{SKU: stock[2*i].SKU, Number: stock[2*i].Number, Quantity: 2},
				{SKU: stock[2*i+1].SKU, Number: stock[2*i+1].Number, Quantity: 1},
			}})
		}
		s.buy(batch...)
		require.Equal(t, AllTaken, s.reply.Verdicts)
		_, err := sale.DecodeRecord([]byte(s.reply.Record))
		require.NoError(t, err)
		require.Equal(t, []string{"5 2 0 0", "6 1 0 0"}, s.stock("k1998", "k1999"))
	})
}

// TestTheStockIsAHashTable: Redis finds the SKUs of a batch without a search.
func TestTheStockIsAHashTable(t *testing.T) {
	s := newShop(t, dialShared(t), 0, []sale.ShelfLoad{shelf("phone", 1, 1)})
	server := harness.SharedRedis(t)
	require.Equal(t, "hashtable", fmt.Sprint(server.MustDo(t, "OBJECT", "ENCODING", s.keys.Stock)))
	require.Equal(t, int64(1), server.MustDo(t, "HLEN", s.keys.Stock))
}
