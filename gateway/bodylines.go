package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"

	"flashsale/sale"
)

// parseLines reads a body with lines: 1 to MaxLines of distinct SKUs. It returns them, appended to dst, or the invalid field.
// parseLines reads the usual form itself and leaves all others to parseLinesStrictly.
func parseLines(dst []pressLine, body []byte) ([]pressLine, string) {
	if lines, ok := scanLines(dst, body); ok {
		return lines, ""
	}
	return parseLinesStrictly(dst, body)
}

// scanLines reads {"lines":[{"sku":"a","quantity":1},…]}, with or without white space and quantities. It returns false for
// any other text, valid or not.
func scanLines(dst []pressLine, body []byte) ([]pressLine, bool) {
	s := scanner{text: body}
	name, ok := s.member()
	if !ok || string(name.of(body)) != fieldLines || !s.take('[') {
		return dst, false
	}
	for more := true; more; more = s.take(',') {
		line, ok := scanLine(&s)
		if !ok || len(dst) == sale.MaxLines || hasLine(dst, line.sku) {
			return dst, false
		}
		dst = append(dst, line)
	}
	return dst, s.take(']') && s.take('}') && s.done()
}

// scanLine reads one line and moves the scanner behind it.
func scanLine(s *scanner) (line pressLine, ok bool) {
	object := scanner{text: s.text, at: s.at}
	line.quantity = 1
	for name, more := object.member(); more; name, more = object.member() {
		switch string(name.of(s.text)) {
		case fieldSKU:
			sku, ok := object.plainString()
			if !ok || !object.once(0) {
				return line, false
			}
			line.sku = sku.of(s.text)
		case fieldQuantity:
			n, ok := object.integer()
			if !ok || !object.once(1) || n < 1 || n > sale.MaxQuantity {
				return line, false
			}
			line.quantity = int(n)
		default:
			return line, false
		}
	}
	s.at = object.at
	return line, object.closed && sale.ValidID(line.sku)
}

// hasLine reports whether one of the lines is of the SKU.
func hasLine(lines []pressLine, sku []byte) bool {
	for i := range lines {
		if bytes.Equal(lines[i].sku, sku) {
			return true
		}
	}
	return false
}

// parseLinesStrictly accepts exactly one JSON object with one member, lines. A quantity beside it is a fault of lines, which
// have their own.
func parseLinesStrictly(dst []pressLine, body []byte) ([]pressLine, string) {
	if len(body) == 0 {
		return dst, fieldLines
	}
	seen := false
	field := eachMember(body, fieldBody, func(name string, value []byte) (field string) {
		switch {
		case name == fieldQuantity, name == fieldLines && seen:
			return fieldLines
		case name != fieldLines:
			return shortName(name)
		}
		seen = true
		dst, field = parseList(dst, value)
		return field
	})
	if field == "" && !seen {
		field = fieldLines
	}
	return dst, field
}

// parseList reads the value of lines.
func parseList(dst []pressLine, list []byte) ([]pressLine, string) {
	decoder := json.NewDecoder(bytes.NewReader(list))
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') || !decoder.More() {
		return dst, fieldLines
	}
	for decoder.More() {
		var value json.RawMessage
		if len(dst) == sale.MaxLines || decoder.Decode(&value) != nil {
			return dst, fieldLines
		}
		line, field := parseLine(value, fmt.Sprintf("%s[%d]", fieldLines, len(dst)))
		if field == "" && hasLine(dst, line.sku) {
			field = fmt.Sprintf("%s[%d].%s", fieldLines, len(dst), fieldSKU)
		}
		if field != "" {
			return dst, field
		}
		dst = append(dst, line)
	}
	return dst, ""
}

// parseLine reads one line, which is at a path such as lines[1].
func parseLine(text []byte, at string) (line pressLine, field string) {
	line.quantity = 1
	counted := false
	field = eachMember(text, at, func(name string, value []byte) string {
		switch name {
		case fieldSKU:
			var sku string
			if line.sku != nil || json.Unmarshal(value, &sku) != nil || !sale.ValidID(sku) {
				return at + "." + fieldSKU
			}
			line.sku = []byte(sku)
		case fieldQuantity:
			n, ok := parseQuantity(value)
			if !ok || counted {
				return at + "." + fieldQuantity
			}
			line.quantity, counted = n, true
		default:
			return at + "." + shortName(name)
		}
		return ""
	})
	if field == "" && line.sku == nil {
		field = at + "." + fieldSKU
	}
	return line, field
}
