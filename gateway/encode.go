package gateway

import (
	"strconv"
	"time"

	"flashsale/sale"
)

// appendTime writes sale.TimeLayout. The general formatter costs five times as much, and this one runs on every press
// before a sale starts.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendPair(appendPair(dst, year/100), year%100)
	dst = appendPair(append(dst, '-'), int(month))
	dst = appendPair(append(dst, '-'), day)
	dst = appendPair(append(dst, 'T'), hour)
	dst = appendPair(append(dst, ':'), minute)
	dst = appendPair(append(dst, ':'), second)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(appendPair(append(dst, '.'), ms/10), byte('0'+ms%10), 'Z')
}

// appendPair writes a number below 100 with two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendOrder writes an order as encoding/json would; a test compares the two. No member needs escaping: ids, currency
// and words are checked when they enter the system.
func appendOrder(dst []byte, o *sale.Order) []byte {
	dst = strconv.AppendInt(append(dst, `{"order_id":"`...), int64(o.OrderID), 10)
	dst = append(append(dst, `","status":"`...), o.Status...)
	if o.Reason != sale.ReasonNone {
		dst = append(append(dst, `","reason":"`...), o.Reason...)
	}
	dst = append(append(dst, `","sale":"`...), o.Sale...)
	dst = append(append(dst, `","sku":"`...), o.SKU...)
	dst = strconv.AppendInt(append(dst, `","quantity":`...), int64(o.Quantity), 10)
	dst = strconv.AppendInt(append(dst, `,"unit_price_cents":`...), o.UnitPriceCents, 10)
	dst = append(append(dst, `,"currency":"`...), o.Currency...)
	dst = appendTime(append(dst, `","created_at":"`...), o.CreatedAt.Time)
	if o.UpdatedAt == o.CreatedAt { // of every order that was just taken
		dst = append(append(dst, `","updated_at":"`...), dst[len(dst)-len(sale.TimeLayout):]...)
	} else {
		dst = appendTime(append(dst, `","updated_at":"`...), o.UpdatedAt.Time)
	}
	if o.PayBy != nil {
		dst = appendTime(append(dst, `","pay_by":"`...), o.PayBy.Time)
	}
	return append(dst, '"', '}')
}
