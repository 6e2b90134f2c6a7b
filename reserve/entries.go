package reserve

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"flashsale/sale"
)

// A buyer's value in the buyers hash is `entry"entry…`, an entry `order id,quantity,sequence,dt[,key]`; see
// scripts/reserve.lua. Sequence 0 means that the entry was loaded from the database.

// buyerEntry is one order of a buyer as Redis knows it.
type buyerEntry struct {
	orderID  sale.OrderID
	quantity int
	sequence int64
	sinceMS  int64 // created_ms less base_ms of the bucket
	key      string
}

// parseEntries reads a buyer's value.
func parseEntries(value string) ([]buyerEntry, error) {
	parts := strings.Split(value, `"`)
	entries := make([]buyerEntry, len(parts))
	for i, part := range parts {
		fields := strings.SplitN(part, ",", 5)
		if len(fields) < 4 {
			return nil, fmt.Errorf("buyer's entry %q has %d fields", part, len(fields))
		}
		id, err := sale.ParseOrderID(fields[0])
		if err != nil {
			return nil, fmt.Errorf("buyer's entry %q: %w", part, err)
		}
		entries[i].orderID = id
		var numbers [3]int64
		for k := range numbers {
			if numbers[k], err = strconv.ParseInt(fields[k+1], 10, 64); err != nil {
				return nil, fmt.Errorf("buyer's entry %q: %w", part, err)
			}
		}
		entries[i].quantity, entries[i].sequence, entries[i].sinceMS = int(numbers[0]), numbers[1], numbers[2]
		if len(fields) == 5 {
			entries[i].key = fields[4]
		}
	}
	return entries, nil
}

// buyersOf builds the pairs (buyer, value) of orders that the database knows, one pair a buyer, each buyer's orders in
// the order of their ids. It sorts owners.
func buyersOf(owners []sale.RecordOrder) []string {
	sort.Slice(owners, func(a, b int) bool {
		if owners[a].Buyer != owners[b].Buyer {
			return owners[a].Buyer < owners[b].Buyer
		}
		return owners[a].OrderID < owners[b].OrderID
	})
	pairs := make([]string, 0, 2*len(owners))
	var value []byte
	for i, o := range owners {
		if len(value) > 0 {
			value = append(value, '"')
		}
		value = strconv.AppendInt(value, int64(o.OrderID), 10)
		value = strconv.AppendInt(append(value, ','), int64(o.Quantity), 10)
		value = append(value, ",0,0"...)
		if o.Key != "" {
			value = append(append(value, ','), o.Key...)
		}
		if i+1 == len(owners) || owners[i+1].Buyer != o.Buyer {
			pairs = append(pairs, o.Buyer, string(value))
			value = value[:0]
		}
	}
	return pairs
}
