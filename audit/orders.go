package audit

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"

	"flashsale/sale"
)

// row is an order of the database in 32 bytes; texts are numbers of words.
type row struct {
	id     sale.OrderID
	bucket int32
	buyer  uint32
	basket uint32 // its lines
	claim  uint32 // what the row says of its lines
	key    uint32 // the buyer's idempotency key
	status uint32
}

// statuses are the numbers of the statuses of rows.
type statuses struct{ confirmed, paid, cancelled, expired, refused uint32 }

func newStatuses(w *words) statuses {
	of := func(s sale.OrderStatus) uint32 { return w.numberOf(string(s)) }
	return statuses{of(sale.StatusConfirmed), of(sale.StatusPaid), of(sale.StatusCancelled), of(sale.StatusExpired),
		of(sale.StatusRefused)}
}

// live reports whether a row with the status owns units.
func (s *statuses) live(status uint32) bool { return status == s.confirmed || status == s.paid }

// released reports whether a row with the status gave its units back.
func (s *statuses) released(status uint32) bool { return status == s.cancelled || status == s.expired }

// claim is what a row says of its lines.
type claim struct {
	sku                    string // "" where there are several
	quantity, total, count int64
}

// append encodes a claim; equal claims have equal texts.
func (c *claim) append(to []byte) []byte {
	for _, number := range []int64{c.quantity, c.total, c.count} {
		to = binary.AppendVarint(to, number)
	}
	return append(to, c.sku...)
}

// claim returns the claim of a row.
func (w *words) claim(number uint32) (c claim) {
	text := w.text(number)
	for _, target := range []*int64{&c.quantity, &c.total, &c.count} {
		*target = cutNumber(&text, binary.Varint)
	}
	c.sku = text
	return c
}

// seen is an order of a record or of Redis in 32 bytes; texts are numbers of words.
type seen struct {
	id     sale.OrderID
	bucket int64
	buyer  uint32
	basket uint32
	turn   uint32 // of its reading: of two with the same id the later one counts
	gone   bool   // only in Redis: the order no longer counts
}

func sortRows(rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
}

// distinct sorts what was read by id and leaves of each id what was read last.
func distinct(orders []seen) []seen {
	slices.SortFunc(orders, func(a, b seen) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.turn, b.turn)) })
	kept := 0
	for i := range orders {
		if i+1 < len(orders) && orders[i+1].id == orders[i].id {
			continue
		}
		orders[kept] = orders[i]
		kept++
	}
	return orders[:kept]
}

// rowOf returns the row of an order, nil where there is none. The rows are sorted.
func rowOf(rows []row, id sale.OrderID) *row {
	at, found := slices.BinarySearchFunc(rows, id, func(r row, id sale.OrderID) int { return cmp.Compare(r.id, id) })
	if !found {
		return nil
	}
	return &rows[at]
}

// seenOf is rowOf for what a record or Redis has.
func seenOf(orders []seen, id sale.OrderID) *seen {
	at, found := slices.BinarySearchFunc(orders, id, func(o seen, id sale.OrderID) int { return cmp.Compare(o.id, id) })
	if !found {
		return nil
	}
	return &orders[at]
}

// paired passes over sorted rows, each with the order of the same id, nil where there is none.
func paired(rows []row, orders []seen) iter.Seq2[*row, *seen] {
	return func(yield func(*row, *seen) bool) {
		next := 0
		for i := range rows {
			for next < len(orders) && orders[next].id < rows[i].id {
				next++
			}
			var of *seen
			if next < len(orders) && orders[next].id == rows[i].id {
				of = &orders[next]
			}
			if !yield(&rows[i], of) {
				return
			}
		}
	}
}

// rowless passes over the sorted orders that have no row.
func rowless(orders []seen, rows []row) iter.Seq[*seen] {
	return func(yield func(*seen) bool) {
		next := 0
		for i := range orders {
			for next < len(rows) && rows[next].id < orders[i].id {
				next++
			}
			if next < len(rows) && rows[next].id == orders[i].id {
				continue
			}
			if !yield(&orders[i]) {
				return
			}
		}
	}
}
