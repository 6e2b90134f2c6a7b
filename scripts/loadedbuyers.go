package scripts

import (
	"sort"
	"strconv"

	"flashsale/sale"
)

// loadedOrder is an order of the database that is loaded into Redis.
type loadedOrder struct {
	sale.RecordOrder
	released bool
}

// buyersOf builds the pairs (buyer, value) of the database's orders: one pair per buyer, with the buyer's orders sorted by id.
// Of a buyer's released orders it takes the newest sale.MaxReleased of each SKU (rule: released-bounded).
func buyersOf(owners, released []sale.RecordOrder) []string {
	orders := make([]loadedOrder, 0, len(owners)+len(released))
	for _, o := range owners {
		orders = append(orders, loadedOrder{RecordOrder: o})
	}
	for _, o := range released {
		orders = append(orders, loadedOrder{RecordOrder: o, released: true})
	}
	sort.Slice(orders, func(a, b int) bool {
		if orders[a].Buyer != orders[b].Buyer {
			return orders[a].Buyer < orders[b].Buyer
		}
		return orders[a].OrderID < orders[b].OrderID
	})
	orders = newestReleased(orders)
	pairs := make([]string, 0, 2*len(orders))
	var value []byte
	for i, o := range orders {
		if len(value) > 0 {
			value = append(value, '"')
		}
		value = appendLoaded(value, &o)
		if i+1 == len(orders) || orders[i+1].Buyer != o.Buyer {
			pairs = append(pairs, o.Buyer, string(value))
			value = value[:0]
		}
	}
	return pairs
}

// newestReleased keeps those released orders of each buyer that are among the newest sale.MaxReleased of any of their SKUs. The
// orders are sorted by buyer and id.
func newestReleased(orders []loadedOrder) []loadedOrder {
	keep := len(orders)       // it fills the slice from its end: it never overwrites an order that it has not read yet
	released := map[int]int{} // orders of the buyer by number of the SKU
	for i := len(orders) - 1; i >= 0; i-- {
		if i+1 == len(orders) || orders[i+1].Buyer != orders[i].Buyer {
			clear(released)
		}
		newest := !orders[i].released
		for k := 0; orders[i].released && k < len(orders[i].Lines); k++ {
			number := orders[i].Lines[k].Number
			released[number]++
			newest = newest || released[number] <= sale.MaxReleased
		}
		if newest {
			keep--
			orders[keep] = orders[i]
		}
	}
	return orders[keep:]
}

func appendLoaded(dst []byte, o *loadedOrder) []byte {
	dst = append(strconv.AppendInt(dst, int64(o.OrderID), idBase), ',')
	if o.released {
		dst = append(dst, '-')
	}
	dst = append(append(appendEntryLines(dst, o.Lines), ','), o.Key...)
	return append(dst, ",0,0"...)
}
