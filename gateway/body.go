package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"flashsale/sale"
)

// fieldBody is the `field` of a malformed answer if the body is invalid as a whole.
const fieldBody = "body"

const fieldQuantity = "quantity"

// parseBody reads the body of a purchase and returns the quantity, or the invalid field. An empty body and {} mean one unit.
// parseBody reads the three usual forms itself and leaves all others to parseBodyStrictly.
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

// parseBodyStrictly accepts exactly one JSON object with at most one member, quantity. It refuses a fraction or an exponent
// even if the value is whole: an app that sends 1e0 units has a bug.
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

// shortName returns the name of an unknown member for the answer. It cuts the name at 64 bytes, so that the answer does not
// grow with the request.
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
