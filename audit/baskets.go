package audit

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// line is one SKU of an order. Redis has no prices: they are 0 in its entries.
type line struct {
	sku             string
	quantity, price int64
}

// rawLine is a line whose SKU is a part of what was read.
type rawLine struct {
	sku             []byte
	quantity, price int64
}

// basket returns the number of a set of lines, whatever their order. It sorts the lines; buffer is reused between calls.
func (w *words) basket(lines []rawLine, buffer []byte) (number uint32, used []byte) {
	if len(lines) > 1 {
		slices.SortFunc(lines, func(a, b rawLine) int {
			return cmp.Or(bytes.Compare(a.sku, b.sku), cmp.Compare(a.quantity, b.quantity), cmp.Compare(a.price, b.price))
		})
	}
	buffer = buffer[:0]
	for _, l := range lines {
		buffer = binary.AppendUvarint(buffer, uint64(len(l.sku)))
		buffer = append(buffer, l.sku...)
		buffer = binary.AppendVarint(buffer, l.quantity)
		buffer = binary.AppendVarint(buffer, l.price)
	}
	return w.number(buffer), buffer
}

// basketOf is basket for decoded lines.
func (w *words) basketOf(lines []line) uint32 {
	raw := make([]rawLine, len(lines))
	for i, l := range lines {
		raw[i] = rawLine{[]byte(l.sku), l.quantity, l.price}
	}
	number, _ := w.basket(raw, nil)
	return number
}

// lines returns the lines of a basket, sorted by SKU.
func (w *words) lines(basket uint32) (all []line) {
	for rest := w.text(basket); rest != ""; {
		var l line
		size := cutNumber(&rest, binary.Uvarint)
		l.sku, rest = rest[:size], rest[size:]
		l.quantity = cutNumber(&rest, binary.Varint)
		l.price = cutNumber(&rest, binary.Varint)
		all = append(all, l)
	}
	return all
}

// cutNumber decodes the number at the begin of a text and removes it.
func cutNumber[T int64 | uint64](text *string, decode func([]byte) (T, int)) T {
	number, size := decode([]byte((*text)[:min(len(*text), binary.MaxVarintLen64)]))
	if size <= 0 {
		panic(fmt.Sprintf("not a number of a basket or a claim: %q", *text))
	}
	*text = (*text)[size:]
	return number
}

// baskets remembers decoded baskets. One goroutine may use it.
type baskets struct {
	words   *words
	decoded map[uint32][]line
	bare    map[uint32]uint32
}

func newBaskets(w *words) *baskets {
	return &baskets{words: w, decoded: map[uint32][]line{}, bare: map[uint32]uint32{}}
}

// lines returns the lines of a basket; the caller must not change them.
func (b *baskets) lines(basket uint32) []line {
	lines, known := b.decoded[basket]
	if !known {
		lines = b.words.lines(basket)
		b.decoded[basket] = lines
	}
	return lines
}

// unpriced returns the basket with the same SKUs and quantities at the price 0, as Redis has it.
func (b *baskets) unpriced(basket uint32) uint32 {
	bare, known := b.bare[basket]
	if !known {
		lines := slices.Clone(b.lines(basket))
		for i := range lines {
			lines[i].price = 0
		}
		bare = b.words.basketOf(lines)
		b.bare[basket] = bare
	}
	return bare
}

func (b *baskets) written(basket uint32) string {
	lines := b.lines(basket)
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprintf("%d of %s at %d", l.quantity, l.sku, l.price)
	}
	return strings.Join(texts, ", ")
}
