package scripts

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"flashsale/sale"
)

// A buyer's value in the buyers hash is `entry"entry…`, an entry `id,quantity,key,sequence,dt`; see reserve.lua. Id, sequence
// and dt are in base 36: decimal ones would need the next larger piece of memory, 16 bytes for each of a million buyers.
// Sequence 0 means that the entry was loaded from the database. A minus before the quantity marks a released order: its units
// do not count any more, and its key still answers. A key may contain commas.
const idBase = 36

// appendHead writes the part of an entry that names the order.
func appendHead(dst []byte, id sale.OrderID, quantity int) []byte {
	dst = strconv.AppendInt(dst, int64(id), idBase)
	return strconv.AppendInt(append(dst, ','), int64(quantity), 10)
}

// parseID reads an order id of an entry or a verdict.
func parseID(text string) (sale.OrderID, error) {
	id, err := strconv.ParseInt(text, idBase, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("order id %q in base %d: %w", text, idBase, sale.ErrOrderID)
	}
	return sale.OrderID(id), nil
}

// buyerEntry is one order of a buyer as Redis knows it.
type buyerEntry struct {
	orderID  sale.OrderID
	quantity int
	released bool
	sequence int64
	sinceMS  int64 // created_ms minus base_ms of the bucket
	key      string
}

// parseEntries reads a buyer's value.
func parseEntries(value string) ([]buyerEntry, error) {
	parts := strings.Split(value, `"`)
	entries := make([]buyerEntry, len(parts))
	for i, part := range parts {
		if err := entries[i].parse(part); err != nil {
			return nil, fmt.Errorf("buyer's entry %q: %w", part, err)
		}
	}
	return entries, nil
}

func (e *buyerEntry) parse(text string) (err error) {
	fields := strings.Split(text, ",")
	last := len(fields) - 1
	if last < 4 {
		return fmt.Errorf("%d fields", len(fields))
	}
	if e.orderID, err = parseID(fields[0]); err != nil {
		return err
	}
	if e.quantity, err = strconv.Atoi(fields[1]); err != nil {
		return err
	}
	if e.quantity < 0 {
		e.quantity, e.released = -e.quantity, true
	}
	e.key = strings.Join(fields[2:last-1], ",")
	if e.sequence, err = strconv.ParseInt(fields[last-1], idBase, 64); err != nil {
		return err
	}
	e.sinceMS, err = strconv.ParseInt(fields[last], idBase, 64)
	return err
}

// loadedOrder is an order of the database that is loaded into Redis.
type loadedOrder struct {
	sale.RecordOrder
	released bool
}

// buyersOf builds the pairs (buyer, value) of the database's orders: one pair per buyer, with the buyer's orders sorted by id.
// Of a buyer's released orders it takes the newest sale.MaxReleased (rule: released-bounded).
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

// newestReleased keeps the newest sale.MaxReleased released orders of each buyer. The orders are sorted by buyer and id.
func newestReleased(orders []loadedOrder) []loadedOrder {
	keep := len(orders) // it fills the slice from its end: it never overwrites an order that it has not read yet
	released := 0
	for i := len(orders) - 1; i >= 0; i-- {
		if i+1 == len(orders) || orders[i+1].Buyer != orders[i].Buyer {
			released = 0
		}
		if orders[i].released {
			released++
		}
		if !orders[i].released || released <= sale.MaxReleased {
			keep--
			orders[keep] = orders[i]
		}
	}
	return orders[keep:]
}

func appendLoaded(dst []byte, o *loadedOrder) []byte {
	quantity := o.Quantity
	if o.released {
		quantity = -quantity
	}
	dst = append(append(appendHead(dst, o.OrderID, quantity), ','), o.Key...)
	return append(dst, ",0,0"...)
}
