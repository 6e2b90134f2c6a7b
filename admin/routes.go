package admin

import (
	"context"
	"net/http"

	"flashsale/sale"
)

// access is the token that a route needs.
type access int

const (
	public   access = iota // no token
	operator               // the operators' token
	shop                   // the operators' or the shop's token
)

// route is one row of the operators' API. A streamed route reads its body itself, without the bound of the others.
type route struct {
	method   string
	path     string
	access   access
	streamed bool
	handle   func(*call) error
}

// routes is the table of contents of the operators' API; every GET also answers HEAD.
func (a *API) routes() []route {
	const one, oneOrder = "/admin/v1/sales/{sale}", "/admin/v1/orders/{order_id}"
	return []route{
		{http.MethodPut, one, operator, false, a.putSale},
		{http.MethodGet, one, operator, false, a.getSale},
		{http.MethodDelete, one, operator, false, a.archiveSale},
		{http.MethodGet, "/admin/v1/sales", operator, false, a.listSales},
		{http.MethodPut, one + "/buyers", operator, true, a.putBuyers},
		{http.MethodPost, one + "/items/{sku}/stock", operator, false, a.changeStock},
		{http.MethodPost, one + "/preload", operator, false, a.preload},
		{http.MethodPost, one + "/open", operator, false, a.open},
		{http.MethodPost, one + "/pause", operator, false, a.pause},
		{http.MethodPost, one + "/resume", operator, false, a.resume},
		{http.MethodPost, one + "/close", operator, false, a.closeSale},
		{http.MethodPost, one + "/holds/freeze", operator, false, a.freezeHolds},
		{http.MethodPost, one + "/holds/thaw", operator, false, a.thawHolds},
		{http.MethodGet, one + "/stats", operator, false, a.stats},
		{http.MethodGet, one + "/audit", operator, false, a.audit},
		{http.MethodGet, "/admin/v1/rules", operator, false, a.getRules},
		{http.MethodPut, "/admin/v1/rules", operator, false, a.putRules},
		{http.MethodGet, oneOrder, shop, false, a.getOrder},
		{http.MethodDelete, oneOrder, shop, false, a.cancelOrder},
		{http.MethodPut, oneOrder + "/payment", shop, false, a.payOrder},
		{http.MethodPut, oneOrder + "/pay_by", shop, false, a.extendOrder},
		{http.MethodGet, "/metrics", public, false, serveMetrics(a.deps.Gatherer)},
		{http.MethodGet, "/livez", public, false, serveLive},
		{http.MethodGet, "/readyz", public, false, serveReady(a.deps.Ready, a.deps.ClockAhead)},
		{http.MethodGet, "/openapi.json", public, false, a.serveDocument},
	}
}

// call is one request that passed the token check, with its body where the route does not stream.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	body []byte
}

// serve runs the checks that all routes share before a route's handler: first the token, then the bound of the body.
func (a *API) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.allowed(route.access, r) {
			writeProblem(w, a.strangers.refuse(w, r))
			return
		}
		c := &call{w: w, r: r}
		var err error
		if !route.streamed {
			c.body, err = readBody(w, r, a.opts.BodyLimit)
		}
		if err == nil {
			err = route.handle(c)
		}
		if err != nil {
			a.fail(c, err)
		}
	})
}

// fail answers an error. Faults of the stores are also logged, because the answer leaves out their details.
func (a *API) fail(c *call, err error) {
	problem, fault := problemOf(err)
	if fault {
		a.opts.Logger.Error("operators' request failed", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
	}
	writeProblem(c.w, problem)
}

// saleID returns the sale id in the path. An id outside its pattern is answered as unknown.
func (c *call) saleID() (string, error) {
	id := c.r.PathValue("sale")
	if !sale.ValidID(id) {
		return "", sale.ProblemOf(sale.OutcomeSaleNotFound, "a sale id matches "+sale.FormOfID)
	}
	return id, nil
}

// askedSale returns the sale in the path.
func (a *API) askedSale(ctx context.Context, c *call) (sale.Sale, error) {
	id, err := c.saleID()
	if err != nil {
		return sale.Sale{}, err
	}
	return a.deps.Sales.Sale(ctx, id)
}

// reading bounds a request that only reads.
func (a *API) reading(c *call) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.r.Context(), a.opts.ReadLimit)
}

// moving bounds a step that changes something. The step is finished even when the client closes the connection.
func (a *API) moving(c *call) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.r.Context()), a.opts.MoveLimit)
}
