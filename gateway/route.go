package gateway

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// path is one of the paths that the buyers' listener serves.
type path uint8

const (
	pathNone path = iota
	pathOrders
	pathOrder
	pathItemOrders
	pathItemOrder
	pathSale
	pathTime
	pathLive
	pathReady
	pathOpenAPI
)

// paths are the templates of the OpenAPI document and the methods of each.
var paths = [...]struct{ template, allow string }{
	pathNone:       {"", ""},
	pathOrders:     {"/v1/sales/{sale}/orders", "GET, HEAD, POST"},
	pathOrder:      {"/v1/sales/{sale}/orders/{order_id}", "DELETE, GET, HEAD"},
	pathItemOrders: {"/v1/sales/{sale}/items/{sku}/orders", "GET, HEAD, POST"},
	pathItemOrder:  {"/v1/sales/{sale}/items/{sku}/orders/{order_id}", "DELETE, GET, HEAD"},
	pathSale:       {"/v1/sales/{sale}", "GET, HEAD"},
	pathTime:       {"/v1/time", "GET, HEAD"},
	pathLive:       {"/livez", "GET, HEAD"},
	pathReady:      {"/readyz", "GET, HEAD"},
	pathOpenAPI:    {"/openapi.json", "GET, HEAD"},
}

// location is the parts of a request's path. The slices point into the request.
type location struct {
	path  path
	sale  []byte
	sku   []byte // empty on the paths of a sale
	order []byte
	item  []byte // "{sale}/items/{sku}", one contiguous slice: the key of the SKU filter
}

const (
	salesPrefix  = "/v1/sales/"
	itemsSegment = "items/"
	ordersName   = "orders"
)

// locate returns the parts of a path. It does not check ids: the catalogue does not find an invalid one. A path with a
// trailing slash or an empty segment does not exist.
func locate(p []byte) location {
	if bytes.IndexByte(p, '%') >= 0 {
		p = unescape(p)
	}
	if bytes.HasPrefix(p, []byte(salesPrefix)) {
		return locateSale(p[len(salesPrefix):])
	}
	switch string(p) {
	case "/v1/time":
		return location{path: pathTime}
	case "/livez":
		return location{path: pathLive}
	case "/readyz":
		return location{path: pathReady}
	case "/openapi.json":
		return location{path: pathOpenAPI}
	}
	return location{}
}

func locateSale(p []byte) location {
	sale, rest, more := bytes.Cut(p, []byte{'/'})
	if len(sale) == 0 {
		return location{}
	}
	if !more {
		return location{path: pathSale, sale: sale}
	}
	at, ofOne := location{path: pathOrders, sale: sale}, pathOrder
	if bytes.HasPrefix(rest, []byte(itemsSegment)) {
		at.path, ofOne = pathItemOrders, pathItemOrder
		at.sku, rest, more = bytes.Cut(rest[len(itemsSegment):], []byte{'/'})
		if len(at.sku) == 0 || !more {
			return location{}
		}
		at.item = p[:len(sale)+1+len(itemsSegment)+len(at.sku)]
	}
	if !bytes.HasPrefix(rest, []byte(ordersName)) {
		return location{}
	}
	rest = rest[len(ordersName):]
	if len(rest) == 0 {
		return at
	}
	at.path, at.order = ofOne, rest[1:]
	if rest[0] != '/' || len(at.order) == 0 || bytes.IndexByte(at.order, '/') >= 0 {
		return location{}
	}
	return at
}

// formOfBody returns the form of a purchase's body at this path.
func (l location) formOfBody() string {
	if len(l.sku) == 0 {
		return formOfLines
	}
	return formOfBody
}

// unescape decodes the percent escapes of unreserved characters, which equal the characters themselves (RFC 3986, 6.2.2.2).
// It leaves every other escape, so an id with one is invalid.
func unescape(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			if c, ok := unhex(p[i+1], p[i+2]); ok && unreserved(c) {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, p[i])
	}
	return out
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(high, low byte) (byte, bool) {
	h, hok := hexDigit(high)
	l, lok := hexDigit(low)
	return h<<4 | l, hok && lok
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// route is the label of a request in flashsale_http_request_duration_seconds: a path and, for orders, a method.
type route uint8

const (
	routeNone route = iota // no such path, or a method that it does not allow
	routePurchase
	routeOrders
	routeOrder
	routeCancel
	routeSale
	routeTime
	routeLive
	routeReady
	routeOpenAPI

	routeCount
)

var routeNames = [routeCount]string{
	routeNone: "none", routePurchase: "purchase", routeOrders: "orders", routeOrder: "order", routeCancel: "cancel",
	routeSale: "sale",
	routeTime: "time", routeLive: "livez", routeReady: "readyz", routeOpenAPI: "openapi",
}

// routeOf returns the route of a request; HEAD has the route of GET.
func routeOf(ctx *fasthttp.RequestCtx, p path) route {
	read := ctx.IsGet() || ctx.IsHead()
	switch {
	case (p == pathOrders || p == pathItemOrders) && ctx.IsPost():
		return routePurchase
	case (p == pathOrder || p == pathItemOrder) && ctx.IsDelete():
		return routeCancel
	case !read || p == pathNone:
		return routeNone
	}
	return readRoutes[p]
}

var readRoutes = [...]route{
	pathOrders: routeOrders, pathOrder: routeOrder, pathItemOrders: routeOrders, pathItemOrder: routeOrder,
	pathSale: routeSale, pathTime: routeTime,
	pathLive: routeLive, pathReady: routeReady, pathOpenAPI: routeOpenAPI,
}
