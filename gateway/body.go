package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"flashsale/sale"
)

// pressLine is one line of a purchase request. Its SKU points into the request or, after an unusual body, into a copy.
type pressLine struct {
	sku      []byte
	quantity int
	item     *liveItem // nil until the catalogue has found it
}

// usualLines is the room for the lines of a purchase request on the stack; a request with more lines allocates.
const usualLines = 4

// Members of a body, the `field` of a malformed answer.
const (
	fieldBody     = "body" // the body is invalid as a whole
	fieldQuantity = "quantity"
	fieldLines    = "lines"
	fieldSKU      = "sku"
)

// parseBody reads the body of a purchase. It returns the lines, appended to dst, or the invalid field. A path with a SKU has
// one line of that SKU; on a path without one the body has the lines.
func parseBody(dst []pressLine, body, sku []byte) ([]pressLine, string) {
	if len(sku) == 0 {
		return parseLines(dst, body)
	}
	quantity, field := parseUnits(body)
	return append(dst, pressLine{sku: sku, quantity: quantity}), field
}

// parseUnits reads the body of a purchase of one SKU and returns the quantity, or the invalid field. An empty body and {}
// mean one unit. parseUnits reads the three usual forms itself and leaves all others to parseUnitsStrictly.
func parseUnits(body []byte) (quantity int, field string) {
	const before, after = `{"quantity":`, '}'
	switch {
	case len(body) == 0, string(body) == "{}":
		return 1, ""
	case len(body) <= len(before)+4 && bytes.HasPrefix(body, []byte(before)) && body[len(body)-1] == after:
		if n, ok := parseQuantity(body[len(before) : len(body)-1]); ok {
			return n, ""
		}
	}
	return parseUnitsStrictly(body)
}

// parseQuantity reads a JSON integer from 1 to MaxQuantity: digits, no sign, no leading zero.
func parseQuantity(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 3 || digits[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= sale.MaxQuantity
}

// parseUnitsStrictly accepts exactly one JSON object with at most one member, quantity. It refuses a fraction or an exponent
// even if the value is whole: an app that sends 1e0 units has a bug.
func parseUnitsStrictly(body []byte) (quantity int, field string) {
	quantity, seen := 1, false
	field = eachMember(body, fieldBody, func(name string, value []byte) string {
		if name != fieldQuantity {
			return shortName(name)
		}
		n, ok := parseQuantity(value)
		if !ok || seen {
			return fieldQuantity
		}
		quantity, seen = n, true
		return ""
	})
	return quantity, field
}

// eachMember calls read with every member of a JSON object, in the order of the text, and ends with the first invalid field
// that read returns. It returns that field, at if the text is not one JSON object of valid UTF-8, and "" otherwise.
func eachMember(text []byte, at string, read func(name string, value []byte) (field string)) string {
	if !utf8.Valid(text) || !json.Valid(text) {
		return at
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return at
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return at
		}
		if field := read(name, value); field != "" {
			return field
		}
	}
	return ""
}

// shortName returns the name of an unknown member for the answer. It cuts the name at 64 bytes, so that the answer does not
// grow with the request.
func shortName(name string) string {
	const limit = 64
	if len(name) > limit || name == "" {
		return strconv.Quote(name[:min(len(name), limit)])
	}
	return name
}
