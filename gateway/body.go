package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"flashsale/sale"
)

// fieldBody names the body as a whole in the `field` of a malformed answer, where no member can be blamed.
const fieldBody = "body"

const fieldQuantity = "quantity"

// parseBody reads the body of a purchase and returns the quantity, or the field at fault. An empty body and {} mean one
// unit. The three usual forms take the fast path; everything else goes to the strict reader.
func parseBody(body []byte) (quantity int, field string) {
	const before, after = `{"quantity":`, '}'
	switch {
	case len(body) == 0, string(body) == "{}":
		return 1, ""
	case len(body) <= len(before)+4 && bytes.HasPrefix(body, []byte(before)) && body[len(body)-1] == after:
		if n, ok := parseQuantity(body[len(before) : len(body)-1]); ok {
			return n, ""
		}
	}
	return parseBodyStrictly(body)
}

// parseQuantity reads an integer from 1 to MaxQuantity as JSON writes it: digits, no sign, no leading zero.
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

// parseBodyStrictly accepts exactly one JSON object with at most one member, quantity. A fraction or an exponent is
// refused even where its value is whole: no app means to buy 1e0 units.
func parseBodyStrictly(body []byte) (quantity int, field string) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return 0, fieldBody
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return 0, fieldBody
	}
	quantity = 1
	for seen := false; decoder.More(); seen = true {
		name, err := decoder.Token()
		if err != nil {
			return 0, fieldBody
		}
		if name != fieldQuantity {
			return 0, shortName(name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return 0, fieldBody
		}
		n, ok := parseQuantity(value)
		if !ok || seen {
			return 0, fieldQuantity
		}
		quantity = n
	}
	return quantity, ""
}

// shortName returns an unknown member's name as the buyer may see it again: bounded, so that no answer grows with the
// request.
func shortName(name json.Token) string {
	const limit = 64
	text, ok := name.(string)
	if !ok {
		return fieldBody
	}
	if len(text) > limit || text == "" {
		return strconv.Quote(text[:min(len(text), limit)])
	}
	return text
}
