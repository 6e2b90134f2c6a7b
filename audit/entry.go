package audit

import (
	"fmt"
	"strconv"
	"strings"

	"flashsale/sale"
)

// entryParser files the orders of a bucket in Redis. One goroutine may use it.
type entryParser struct {
	facts  *facts
	bucket int
	skus   map[int64]string // by their numbers in Redis

	baskets map[string]uint32 // by the lines as Redis writes them
	lines   []rawLine
	buffer  []byte
}

// newEntryParser begins with a bucket whose shelves were read.
func newEntryParser(f *facts, bucket int) *entryParser {
	return &entryParser{facts: f, bucket: bucket, skus: f.numbered(bucket), baskets: map[string]uint32{}}
}

// note parses a buyer's value: entries joined by `"`, each `id in base 36,lines,key,…`. The lines are joined by +, each the
// number of a SKU in base 36 and :quantity unless that is 1; a minus before them: the order no longer counts.
func (p *entryParser) note(buyer, value string) error {
	who := p.facts.words.numberOf(buyer)
	for more := true; more; {
		var entry string
		entry, value, more = strings.Cut(value, `"`)
		number, rest, _ := strings.Cut(entry, ",")
		lines, _, whole := strings.Cut(rest, ",")
		id, err := strconv.ParseInt(number, 36, 64)
		lines, gone := strings.CutPrefix(lines, "-")
		basket, good := p.basket(lines)
		if !whole || err != nil || !good {
			return fmt.Errorf("buyer %s: entry %q", buyer, entry)
		}
		p.facts.entries = append(p.facts.entries, seen{id: sale.OrderID(id), bucket: int64(p.bucket), buyer: who, basket: basket,
			turn: uint32(len(p.facts.entries)), gone: gone})
	}
	return nil
}

func (p *entryParser) basket(text string) (basket uint32, ok bool) {
	basket, known := p.baskets[text]
	if known {
		return basket, true
	}
	if !p.parseLines(text) {
		return 0, false
	}
	basket, p.buffer = p.facts.words.basket(p.lines, p.buffer)
	if len(p.baskets) == memoBound {
		clear(p.baskets)
	}
	p.baskets[strings.Clone(text)] = basket // text is a part of a page, which would stay in memory
	return basket, true
}

// parseLines parses the lines of an entry into p.lines.
func (p *entryParser) parseLines(text string) bool {
	p.lines = p.lines[:0]
	for part := range strings.SplitSeq(text, "+") {
		number, quantity, several := strings.Cut(part, ":")
		n, err := strconv.ParseInt(number, 36, 64)
		l := rawLine{sku: []byte(p.skus[n]), quantity: 1}
		if several && err == nil {
			l.quantity, err = strconv.ParseInt(quantity, 10, 64)
		}
		if err != nil {
			return false
		}
		if len(l.sku) == 0 {
			l.sku = []byte("number " + number)
		}
		p.lines = append(p.lines, l)
	}
	return true
}
