package loadtest

import (
	"strconv"
	"time"

	"flashsale/loadtest/client"
)

// press is one press of Buy with everything that its repeats need.
type press struct {
	number   int // place among the presses of the rush, from 0
	member   int // index in the crowd
	sku      string
	key      string // empty: every attempt is a new purchase
	quantity int
	server   int // index of the gateway that is asked first

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

// bodyOf is the request body for a quantity: empty for one unit, as most apps send it.
func bodyOf(quantity int) string {
	if quantity == 1 {
		return ""
	}
	return `{"quantity":` + strconv.Itoa(quantity) + `}`
}

// appendRequest writes the complete HTTP request of a purchase.
func appendRequest(dst []byte, server *client.Server, saleID string, p *press, token string) []byte {
	body := bodyOf(p.quantity)
	dst = append(dst, "POST "...)
	dst = append(dst, server.Prefix...)
	dst = append(dst, purchasePath(saleID, p.sku)...)
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
