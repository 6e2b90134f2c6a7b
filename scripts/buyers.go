package scripts

import (
	"fmt"
	"strconv"
	"strings"

	"flashsale/sale"
)

// A buyer's value in the buyers hash is `entry"entry…`, an entry `id,lines,key,sequence,dt`; see reserve.lua. Id, sequence and
// dt are in base 36: decimal ones would need the next larger piece of memory, 16 bytes for each of a million buyers. Lines are
// joined by `+`, each the number of its SKU in base 36 and `:quantity` unless that is 1; they rise by number, so equal orders
// have equal lines. Sequence 0 means that the entry was loaded from the database. A minus before the lines marks a released
// order: its units do not count any more, and its key still answers. A key may contain commas.
const idBase = 36

// appendHead writes the part of an entry that names the order and its lines.
func appendHead(dst []byte, id sale.OrderID, lines []sale.Line) []byte {
	return appendEntryLines(append(strconv.AppendInt(dst, int64(id), idBase), ','), lines)
}

// appendEntryLines writes lines by rising number. The numbers of one order are distinct.
func appendEntryLines(dst []byte, lines []sale.Line) []byte {
	last := &sale.Line{}
	for i := range lines {
		next := lineAfter(lines, last.Number)
		if i > 0 {
			dst = append(dst, '+')
		}
		dst = appendTimes(strconv.AppendInt(dst, int64(next.Number), idBase), next.Quantity)
		last = next
	}
	return dst
}

// lineAfter returns the line with the lowest number above number. It panics when there is none: the lines have no distinct
// numbers, and an entry without them would let the buyer buy again.
func lineAfter(lines []sale.Line, number int) *sale.Line {
	var next *sale.Line
	for i := range lines {
		if l := &lines[i]; l.Number > number && (next == nil || l.Number < next.Number) {
			next = l
		}
	}
	if next == nil {
		panic(fmt.Sprintf("lines without distinct numbers: %+v", lines))
	}
	return next
}

func appendTimes(dst []byte, quantity int) []byte {
	if quantity == 1 {
		return dst
	}
	return strconv.AppendInt(append(dst, ':'), int64(quantity), 10)
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
	lines    []sale.Line // with number and quantity
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
	lines, released := strings.CutPrefix(fields[1], "-")
	e.released = released
	for line := range strings.SplitSeq(lines, "+") {
		number, quantity, err := parseEntryLine(line)
		if err != nil {
			return err
		}
		e.lines = append(e.lines, sale.Line{Number: number, Quantity: quantity})
	}
	e.key = strings.Join(fields[2:last-1], ",")
	if e.sequence, err = strconv.ParseInt(fields[last-1], idBase, 64); err != nil {
		return err
	}
	e.sinceMS, err = strconv.ParseInt(fields[last], idBase, 64)
	return err
}

// parseEntryLine reads a number in base 36 and a quantity.
func parseEntryLine(text string) (number, quantity int, err error) {
	short, times, several := strings.Cut(text, ":")
	n, err := strconv.ParseInt(short, idBase, 32)
	if quantity = 1; err == nil && several {
		quantity, err = strconv.Atoi(times)
	}
	if err == nil && (n < 1 || quantity < 1) {
		err = fmt.Errorf("line %q", text)
	}
	return int(n), quantity, err
}

// appendNumbers appends the numbers of all lines of a buyer's value, also of released orders.
func appendNumbers(numbers []int, value string) ([]int, error) {
	for entry := range strings.SplitSeq(value, `"`) {
		_, rest, _ := strings.Cut(entry, ",")
		lines, _, found := strings.Cut(rest, ",")
		if !found {
			return nil, fmt.Errorf("buyer's entry %q", entry)
		}
		for line := range strings.SplitSeq(strings.TrimPrefix(lines, "-"), "+") {
			number, _, err := parseEntryLine(line)
			if err != nil {
				return nil, fmt.Errorf("buyer's entry %q: %w", entry, err)
			}
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}
