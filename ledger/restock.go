package ledger

import (
	"slices"

	"flashsale/sale"
)

// Pending returns a preloaded sale with the stock that its items have when Redis has found everything that the open takes
// ask. A new definition is compared with it, so that asking for the same stock again takes nothing twice.
func Pending(present *sale.Sale, takes []sale.OutboxRow) *sale.Sale {
	asked := map[string]int64{}
	for i := range takes {
		if takes[i].Kind != sale.OutboxTake || takes[i].Sale != present.ID {
			continue
		}
		for _, line := range takes[i].Lines {
			asked[line.SKU] += line.Units
		}
	}
	pending := *present
	pending.Items = slices.Clone(present.Items)
	for i := range pending.Items {
		pending.Items[i].Stock = max(pending.Items[i].Stock-asked[pending.Items[i].SKU], 0)
	}
	return &pending
}

// Numbered returns the items of a definition with their numbers: an item of the present sale keeps its number, a new one gets
// the next.
func Numbered(present, wanted []sale.Item) []sale.Item {
	numbers, last := make(map[string]int, len(present)), 0
	for i := range present {
		numbers[present[i].SKU] = present[i].Number
		last = max(last, present[i].Number)
	}
	items := slices.Clone(wanted)
	for i := range items {
		if items[i].Number = numbers[items[i].SKU]; items[i].Number == 0 {
			last++
			items[i].Number = last
		}
	}
	return items
}

// Restock plans what a new definition of a preloaded sale changes of its stock, and returns the items as the database keeps
// them: numbered, and with the stock that is loaded. A higher stock is loaded at once. A lower one is asked back by takes, and
// the stock of the item falls when they are decided. Of a new item each bucket gets a raise, also of 0 units, so that Redis
// knows the SKU. Takes are the open ones of the sale. The state must have every bucket, and in each of them every SKU whose stock
// changes: that of a new item without units.
func (p *Plan) Restock(buckets []sale.Bucket, present, wanted *sale.Sale, takes []sale.OutboxRow) []sale.Item {
	pending := Pending(present, takes)
	was := make(map[string]int, len(present.Items))
	for i := range present.Items {
		was[present.Items[i].SKU] = i
	}
	items := Numbered(present.Items, wanted.Items)
	raises, lowers := make([][]sale.OutboxLine, len(buckets)), make([][]sale.OutboxLine, len(buckets))
	for i := range items {
		item := &items[i]
		at, old := was[item.SKU]
		if !old {
			p.lines(raises, buckets, item.SKU, SpreadRaise(item.Stock, make([]int64, len(buckets))), true)
			continue
		}
		units := item.Stock - pending.Items[at].Stock
		switch {
		case units > 0:
			p.lines(raises, buckets, item.SKU, SpreadRaise(units, p.unitsIn(buckets, item.SKU, loadedUnits)), false)
		case units < 0:
			p.lines(lowers, buckets, item.SKU, SpreadTake(-units, p.unitsIn(buckets, item.SKU, (*Units).Free)), false)
		}
		item.Stock = present.Items[at].Stock + max(units, 0)
	}
	for i, bucket := range buckets {
		p.Raise(bucket, raises[i], "")
		p.Take(bucket, lowers[i], "")
	}
	return items
}

// lines adds the units of a SKU to the lines of each bucket, those of 0 units only if all is true.
func (p *Plan) lines(of [][]sale.OutboxLine, buckets []sale.Bucket, sku string, units []int64, all bool) {
	for i, n := range units {
		if n > 0 || all {
			of[i] = append(of[i], p.state.shelf(buckets[i], sku).line(n))
		}
	}
}
