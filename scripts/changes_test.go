package scripts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestTakes: a take finds what is unsold, and the repeat of the row answers with what it found then.
func TestTakes(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 5, 5), shelf("case", 5, 5)})
		take := ReleasePage{First: 1, Take: []sale.OutboxLine{{SKU: "phone", Units: 4}, {SKU: "case", Units: 9}}}
		found := []sale.SKUUnits{{SKU: "phone", Units: 4}, {SKU: "case", Units: 5}}
		first := s.apply(take)
		require.Equal(t, ReleaseReply{Code: CodeDone, epoch: 1, Sequence: 1, Number: 1, Took: found}, first)
		require.Equal(t, []string{"1 0 0 -4", "0 0 0 -5"}, s.stock("phone", "case"))
		require.Equal(t, []string{"T", "S 1"}, s.buy(purchase("ann", "", "phone", 1), purchase("bob", "", "phone", 1)))
		raise := ReleasePage{Gains: []sale.OutboxLine{{SKU: "case", Units: 3, Number: 2, Limit: 5}}}
		require.Equal(t, CodeDone, s.apply(raise).Code)
		again := s.apply(take)
		require.Equal(t, found, again.Took, "the answer of that time")
		require.Equal(t, []string{"0 1 0 -4", "3 0 0 -2"}, s.stock("phone", "case"))

		raised := take
		raised.First = 2
		require.Equal(t, "took", s.apply(raised).Detail, "row 2 was no take: these rows are of another history")
		none := s.apply(ReleasePage{Take: []sale.OutboxLine{{SKU: "phone", Units: 2}}})
		require.Equal(t, []sale.SKUUnits{{SKU: "phone"}}, none.Took)
		require.Equal(t, ReleaseReply{Code: CodeDone, epoch: 1, Sequence: none.Sequence, Number: 3}, s.apply(take),
			"a take before the last one was marked: its outbox applier has stalled, and learns nothing of what was found")
		unknown := ReleasePage{Take: []sale.OutboxLine{{SKU: "late", Units: 2, Number: 1300, Limit: 1}}}
		require.Equal(t, "sku", s.apply(unknown).Detail)
	})
}

// TestARaiseBeginsASKU: units of a SKU that the bucket has not are sold after the row, by its limit and number.
func TestARaiseBeginsASKU(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 5, 5)})
		require.Equal(t, []string{"fenced sku"}, s.buy(purchase("ann", "", "late", 1)))
		late := sale.OutboxLine{SKU: "late", Units: 0, Number: 1300, Limit: 2}
		require.Equal(t, CodeDone, s.apply(ReleasePage{Gains: []sale.OutboxLine{late}}).Code)
		require.Equal(t, []string{"S 1"}, s.buy(purchase("ann", "", "late", 1)), "a raise of no units")
		phone := sale.OutboxLine{SKU: "phone", Units: 1, Number: 1, Limit: 9}
		late.Units = 3
		require.Equal(t, CodeDone, s.apply(ReleasePage{Gains: []sale.OutboxLine{late, phone, late}}).Code)
		require.Equal(t, []string{"T", "B 1 2 2 " + base36(s.nextID+1), "T"}, s.buy(purchase("ann", "", "late", 2),
			purchase("ann", "", "late", 1), purchase("bob", "", "late", 1, "phone", 5)))
		readings, err := r.StockReadings(context.Background(), []sale.Bucket{s.bucket}, nil)
		require.NoError(t, err)
		require.ElementsMatch(t, []sale.ShelfReading{
			{SKU: "late", Available: 3, Taken: 3, Returned: 6, Limit: 2, Number: 1300},
			{SKU: "phone", Available: 1, Taken: 5, Returned: 1, Limit: 5, Number: 1},
		}, readings[0].Shelves)
	})
}

// TestAPageOfEverything: one page releases orders of several lines, refuses one and credits a SKU of theirs.
func TestAPageOfEverything(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 9, 9), shelf("case", 9, 9)})
		ann, bob := purchase("ann", "k", "phone", 1, "case", 2), purchase("bob", "k", "case", 3)
		require.Equal(t, []string{"T", "T"}, s.buy(ann, bob))
		page := released(s.nextID-1, ann)
		refused := released(s.nextID, bob).Orders[0]
		refused.Refused = true
		page.Orders = append(page.Orders, refused)
		page.Gains = []sale.OutboxLine{{SKU: "case", Units: 10, Number: 2, Limit: 9}}
		require.Equal(t, CodeDone, s.apply(page).Code)
		require.Equal(t, []string{"9 1 0 1", "19 5 0 15"}, s.stock("phone", "case"))
		verdicts := s.buy(ann, bob)
		require.Contains(t, verdicts[0], "R ", "a released order's key answers")
		require.Equal(t, "T", verdicts[1], "a refused order is forgotten")
		owned := map[string][]int{}
		require.NoError(t, r.EachOwner(context.Background(), s.bucket, func(buyer string, numbers []int) error {
			owned[buyer] = append([]int{}, numbers...)
			return nil
		}))
		require.Equal(t, map[string][]int{"ann": {1, 2}, "bob": {2}}, owned)
	})
}

// TestATransferOfSeveralSKUs takes of each SKU what it has beyond the units that stay, in one entry.
func TestATransferOfSeveralSKUs(t *testing.T) {
	onBothServers(t, func(t *testing.T, r *Redis) {
		s := newShop(t, r, 0, []sale.ShelfLoad{shelf("phone", 9, 5), shelf("case", 3, 5), shelf("cable", 100, 5)})
		s.buy(purchase("ann", "", "phone", 1))
		call := TransferCall{
			Keys: s.keys, Head: "sale 3", Epoch: 1, DeadlineMS: farDeadline, MaxJournal: 10, ID: 77, To: 1,
			Wants: []TransferWant{{"cable", 80, 10}, {"case", 2, 3}, {"phone", 1, 1}},
		}
		reply, err := r.Transfer(context.Background(), &call)
		require.NoError(t, err)
		taken := []sale.SKUUnits{{SKU: "cable", Units: 80}, {SKU: "phone", Units: 4}}
		require.Equal(t, []any{CodeOK, taken, taken}, []any{reply.Code, reply.Units, reply.Moved})
		record, err := sale.DecodeRecord([]byte(reply.Record))
		require.NoError(t, err)
		require.Equal(t, &sale.Transfer{
			Bucket: s.bucket, Epoch: 1, Sequence: 2, TransferID: 77, CreatedMS: reply.NowMS, To: 1, Units: taken,
		}, record.Transfer)
		require.Equal(t, []string{"20 80 80 0", "3 0 0 0", "4 5 4 0"}, s.stock("cable", "case", "phone"))
		call.ID, call.Wants = 78, call.Wants[2:]
		reply, err = r.Transfer(context.Background(), &call)
		require.NoError(t, err)
		require.Equal(t, []sale.SKUUnits{{SKU: "phone", Units: 2}}, reply.Units)
		require.Equal(t, []sale.SKUUnits{{SKU: "phone", Units: 6}}, reply.Moved, "with those of before")
	})
}
