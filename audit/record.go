package audit

import (
	"bytes"
	"strconv"
	"strings"

	"flashsale/sale"
)

// recorded is one parsed record.
type recorded struct {
	sale   string
	at     writeID
	id     sale.OrderID
	orders []seen           // empty for a transfer
	moved  map[string]int64 // units of a transfer by SKU, nil for a batch
}

// memoBound bounds what a parser remembers of lines; at the bound it begins anew.
const memoBound = 1 << 16

// recordParser parses the text of batches and transfers with code of its own. One goroutine may use it.
type recordParser struct {
	words *words
	wants func(saleID string) bool // whether the orders of a sale are wanted; others are only checked

	baskets map[string]uint32 // by the lines as a record writes them
	orders  []seen            // of the present record
	lines   []rawLine
	buffer  []byte
}

func newRecordParser(w *words, wants func(saleID string) bool) *recordParser {
	return &recordParser{words: w, wants: wants, baskets: map[string]uint32{}}
}

// parse parses a batch or a transfer. ok is false for a fence and for a text that it cannot parse. The orders are valid until
// the next call.
func (p *recordParser) parse(text []byte) (r recorded, ok bool) {
	first, rest, several := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	head := strings.Fields(string(first))
	if len(head) < 9 || head[0] != "fs2" || (head[1] != "batch" && head[1] != "transfer") {
		return r, false
	}
	numbers := make([]int64, 4)
	for i := range numbers {
		n, err := strconv.ParseInt(head[3+i], 10, 64)
		if err != nil {
			return r, false
		}
		numbers[i] = n
	}
	r = recorded{sale: head[2], at: writeID{int(numbers[0]), numbers[1], numbers[2]}, id: sale.OrderID(numbers[3])}
	if head[1] == "transfer" {
		if several || len(head) != 10 {
			return r, false
		}
		r.moved, ok = parseMoved(head[9])
		return r, ok
	}
	if !p.parseOrders(rest, several, int64(r.at.bucket), p.wants(r.sale)) {
		return r, false
	}
	r.orders = p.orders
	return r, strconv.Itoa(distinctIDs(r.orders)) == head[8]
}

// parseOrders parses the lines of a batch into p.orders.
func (p *recordParser) parseOrders(rest []byte, more bool, bucket int64, wanted bool) bool {
	p.orders = p.orders[:0]
	for more {
		var text []byte
		text, rest, more = bytes.Cut(rest, []byte("\n"))
		order, ok := p.parseOrder(text, wanted)
		if !ok {
			return false
		}
		order.bucket, order.turn = bucket, uint32(len(p.orders))
		p.orders = append(p.orders, order)
	}
	return true
}

// parseOrder parses "ID SKU:QUANTITY:PRICE[,…] BUYER[ KEY]".
func (p *recordParser) parseOrder(text []byte, wanted bool) (order seen, ok bool) {
	number, rest, _ := bytes.Cut(text, []byte(" "))
	lines, rest, ok := bytes.Cut(rest, []byte(" "))
	id, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || err != nil {
		return order, false
	}
	buyer, _, _ := bytes.Cut(rest, []byte(" "))
	order.id = sale.OrderID(id)
	if !wanted {
		return order, p.parseLines(lines)
	}
	basket, known := p.baskets[string(lines)]
	if !known {
		if !p.parseLines(lines) {
			return order, false
		}
		basket, p.buffer = p.words.basket(p.lines, p.buffer)
		if len(p.baskets) == memoBound {
			clear(p.baskets)
		}
		p.baskets[string(lines)] = basket
	}
	order.basket, order.buyer = basket, p.words.number(buyer)
	return order, true
}

// parseLines parses "SKU:QUANTITY:PRICE[,…]" into p.lines.
func (p *recordParser) parseLines(text []byte) bool {
	p.lines = p.lines[:0]
	for more := true; more; {
		var part []byte
		part, text, more = bytes.Cut(text, []byte(","))
		sku, numbers, _ := bytes.Cut(part, []byte(":"))
		quantity, price, ok := bytes.Cut(numbers, []byte(":"))
		l := rawLine{sku: sku}
		var err error
		if l.quantity, err = strconv.ParseInt(string(quantity), 10, 64); err == nil {
			l.price, err = strconv.ParseInt(string(price), 10, 64)
		}
		if !ok || err != nil {
			return false
		}
		p.lines = append(p.lines, l)
	}
	return true
}

// distinctIDs counts the ids of a record's orders.
func distinctIDs(orders []seen) int {
	rising := true
	for i := 1; i < len(orders) && rising; i++ {
		rising = orders[i-1].id < orders[i].id
	}
	if rising {
		return len(orders)
	}
	ids := map[sale.OrderID]bool{}
	for i := range orders {
		ids[orders[i].id] = true
	}
	return len(ids)
}

// parseMoved parses "SKU:UNITS[,…]".
func parseMoved(text string) (map[string]int64, bool) {
	moved := map[string]int64{}
	for _, part := range strings.Split(text, ",") {
		sku, units, _ := strings.Cut(part, ":")
		n, err := strconv.ParseInt(units, 10, 64)
		if err != nil {
			return nil, false
		}
		moved[sku] += n
	}
	return moved, true
}

func isFence(text []byte) bool { return bytes.HasPrefix(text, []byte("fs2 fence ")) }
