package loadtest

import (
	"strconv"
	"time"

	"flashsale/loadtest/client"
)

// press is one press of Buy with everything that its repeats need.
type press struct {
	number int // place among the presses of the rush, from 0
	member int // index in the crowd
	lines  []Asked
	key    string // empty: every attempt is a new purchase
	server int    // index of the gateway that is asked first

	attempt int       // from 1
	first   time.Time // when the first attempt was due
	due     time.Time // when this attempt is due
}

// repeatKind is how a buyer presses again.
type repeatKind int

const (
	repeatSameKey repeatKind = iota // the app repeats the press, at another gateway when there is one
	repeatKeyless                   // a script without keys
	repeatNewKey                    // a second tab
	repeatKinds
)

// keyOf returns the idempotency key of a buyer's press; nonce separates runs against the same sale.
func keyOf(nonce string, number int) string { return nonce + "-" + strconv.Itoa(number) }

// purchasePath is the path of the contract's purchase.
func purchasePath(saleID, sku string) string {
	return "/v1/sales/" + saleID + "/items/" + sku + "/orders"
}

// bodyOf is the body of a purchase of one SKU: empty for one unit, as most apps send it.
func bodyOf(quantity int) string {
	if quantity == 1 {
		return ""
	}
	return `{"quantity":` + strconv.Itoa(quantity) + `}`
}

// basketPath is the path of the contract's purchase of several SKUs.
func basketPath(saleID string) string { return "/v1/sales/" + saleID + "/orders" }

// basketOf is the body of a purchase of several SKUs. A SKU needs no escape in JSON.
func basketOf(lines []Asked) string {
	body := []byte(`{"lines":[`)
	for i, line := range lines {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"sku":"`...)
		body = append(body, line.SKU...)
		if line.Quantity > 1 {
			body = append(body, `","quantity":`...)
			body = strconv.AppendInt(body, int64(line.Quantity), 10)
			body = append(body, '}')
		} else {
			body = append(body, `"}`...)
		}
	}
	return string(append(body, `]}`...))
}

// target returns path and body of a press: of the SKU's path, or of the sale's path in a rush of baskets.
func (p *press) target(opts *RushOptions) (path, body string) {
	if opts.MaxLines == 0 {
		return purchasePath(opts.Sale, p.lines[0].SKU), bodyOf(p.lines[0].Quantity)
	}
	return basketPath(opts.Sale), basketOf(p.lines)
}

// appendRequest writes the complete HTTP request of a purchase.
func appendRequest(dst []byte, server *client.Server, opts *RushOptions, p *press, token string) []byte {
	path, body := p.target(opts)
	dst = append(dst, "POST "...)
	dst = append(dst, server.Prefix...)
	dst = append(dst, path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, server.Host...)
	dst = append(dst, "\r\nAuthorization: Bearer "...)
	dst = append(dst, token...)
	if p.key != "" {
		dst = append(dst, "\r\nIdempotency-Key: \""...)
		dst = append(dst, p.key...)
		dst = append(dst, '"')
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}
