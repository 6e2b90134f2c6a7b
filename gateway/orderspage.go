package gateway

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// Bounds of a page of a buyer's own orders.
const (
	pageOrders    = 100
	maxPageOrders = 1000
)

// Query members of a page, the `field` of a malformed answer.
const (
	fieldLimit  = "limit"
	fieldCursor = "cursor"
)

// page is the part of a buyer's own orders that a request asks for.
type page struct {
	after sale.OrderID // orders with a higher id, 0 for the first page
	limit int
}

// pageOf reads limit (1 to 1000, 100 if absent) and cursor (next of the page before; empty for the first page), or returns
// the invalid field.
func pageOf(ctx *fasthttp.RequestCtx) (p page, field string) {
	p.limit = pageOrders
	text, times := queryMember(ctx, fieldLimit)
	if times > 0 {
		limit, err := strconv.ParseUint(string(text), 10, 16)
		if err != nil || limit < 1 || limit > maxPageOrders || times > 1 {
			return p, fieldLimit
		}
		p.limit = int(limit)
	}
	text, times = queryMember(ctx, fieldCursor)
	if len(text) > 0 {
		after, err := sale.ParseOrderID(string(text))
		if err != nil {
			return p, fieldCursor
		}
		p.after = after
	}
	if times > 1 {
		return p, fieldCursor
	}
	return p, ""
}

// queryMember returns a member of the query and how often it occurs. The gateway refuses a repeated member, because two
// servers may read different values of it.
func queryMember(ctx *fasthttp.RequestCtx, name string) (value []byte, times int) {
	for key, text := range ctx.QueryArgs().All() {
		if string(key) == name {
			value = text
			times++
		}
	}
	return value, times
}

// cut returns the orders of the page and the cursor of the next page, 0 if there is none. The orders must be sorted by id.
func (p page) cut(orders []sale.Order) (cut []sale.Order, next sale.OrderID) {
	if len(orders) <= p.limit {
		return orders, 0
	}
	return orders[:p.limit], orders[p.limit-1].OrderID
}

// appendPage writes the body of the answer with a page.
func appendPage(body []byte, orders []sale.Order, next sale.OrderID) []byte {
	body = append(body, `{"orders":[`...)
	for i := range orders {
		if i > 0 {
			body = append(body, ',')
		}
		body = sale.AppendOrder(body, &orders[i])
	}
	body = append(body, ']')
	if next > 0 {
		body = append(strconv.AppendInt(append(body, `,"next":"`...), int64(next), 10), '"')
	}
	return append(body, '}')
}
