package admin

import (
	"context"
	"net/http"

	"flashsale/access"
	"flashsale/sale"
)

// need is who may use a route.
type need int

const (
	public    need = iota // no token
	signedIn              // any token
	reads                 // viewers, operators, admins
	moves                 // operators, admins
	decides               // admins
	shopReads             // the shop, viewers, operators, admins
	shopMoves             // the shop, operators, admins
)

// needs is the roles that each need allows, and the least one of them, which a refusal names.
var needs = map[need]struct {
	least   sale.Role
	allowed []sale.Role
}{
	signedIn:  {sale.RoleViewer, sale.Roles()},
	reads:     {sale.RoleViewer, []sale.Role{sale.RoleViewer, sale.RoleOperator, sale.RoleAdmin}},
	moves:     {sale.RoleOperator, []sale.Role{sale.RoleOperator, sale.RoleAdmin}},
	decides:   {sale.RoleAdmin, []sale.Role{sale.RoleAdmin}},
	shopReads: {sale.RoleShop, sale.Roles()},
	shopMoves: {sale.RoleShop, []sale.Role{sale.RoleShop, sale.RoleOperator, sale.RoleAdmin}},
}

// route is one row of the operators' API. verb is the trail's word for a route that changes something; a refused request of
// such a route is written into the trail. A streamed route reads its body itself, without the bound of the others.
type route struct {
	method   string
	path     string
	need     need
	verb     string
	streamed bool
	handle   func(*call) error
}

// routes is the table of contents of the operators' API; every GET also answers HEAD.
func (a *API) routes() []route {
	const one, oneOrder = "/admin/v1/sales/{sale}", "/admin/v1/orders/{order_id}"
	const oneLetter = "/admin/v1/deadletters/{id}"
	return []route{
		{http.MethodPut, one, moves, sale.VerbChange, false, a.putSale},
		{http.MethodGet, one, reads, "", false, a.getSale},
		{http.MethodDelete, one, decides, sale.VerbArchive, false, a.archiveSale},
		{http.MethodGet, "/admin/v1/sales", reads, "", false, a.listSales},
		{http.MethodPut, one + "/buyers", moves, sale.VerbBuyers, true, a.putBuyers},
		{http.MethodPost, one + "/items/{sku}/stock", moves, sale.VerbStock, false, a.changeStock},
		{http.MethodPost, one + "/preload", moves, sale.VerbPreload, false, a.preload},
		{http.MethodPost, one + "/open", moves, sale.VerbOpen, false, a.open},
		{http.MethodPost, one + "/pause", moves, sale.VerbPause, false, a.pause},
		{http.MethodPost, one + "/resume", moves, sale.VerbResume, false, a.resume},
		{http.MethodPost, one + "/close", moves, sale.VerbClose, false, a.closeSale},
		{http.MethodPost, one + "/holds/freeze", moves, sale.VerbFreeze, false, a.freezeHolds},
		{http.MethodPost, one + "/holds/thaw", moves, sale.VerbThaw, false, a.thawHolds},
		{http.MethodGet, one + "/stats", reads, "", false, a.stats},
		{http.MethodGet, one + "/live", reads, "", false, a.live},
		{http.MethodGet, "/admin/v1/live", reads, "", false, a.liveSales},
		{http.MethodGet, one + "/audit", reads, "", false, a.audit},
		{http.MethodGet, "/admin/v1/rules", reads, "", false, a.getRules},
		{http.MethodPut, "/admin/v1/rules", moves, sale.VerbRules, false, a.putRules},
		{http.MethodGet, "/admin/v1/orders", shopReads, "", false, a.listOrders},
		{http.MethodGet, oneOrder, shopReads, "", false, a.getOrder},
		{http.MethodDelete, oneOrder, shopMoves, sale.VerbCancel, false, a.cancelOrder},
		{http.MethodPut, oneOrder + "/payment", shopMoves, sale.VerbPay, false, a.payOrder},
		{http.MethodPut, oneOrder + "/pay_by", shopMoves, sale.VerbExtend, false, a.extendOrder},
		{http.MethodGet, "/admin/v1/deadletters", reads, "", false, a.listLetters},
		{http.MethodGet, oneLetter, reads, "", false, a.getLetter},
		{http.MethodPost, oneLetter + "/replay", moves, sale.VerbReplay, false, a.replayLetter},
		{http.MethodPost, oneLetter + "/refuse", moves, sale.VerbRefuse, false, a.refuseLetter},
		{http.MethodGet, "/admin/v1/trail", reads, "", false, a.getTrail},
		{http.MethodGet, logLevelPath, reads, "", false, a.levels.get},
		{http.MethodPut, logLevelPath, decides, sale.VerbLogLevel, false, a.levels.put},
		{http.MethodPost, sessionPath, public, "", false, a.signIn},
		{http.MethodGet, sessionPath, signedIn, "", false, a.getSession},
		{http.MethodDelete, sessionPath, public, "", false, a.signOut},
		{http.MethodGet, "/metrics", public, "", false, serveMetrics(a.deps.Gatherer)},
		{http.MethodGet, "/livez", public, "", false, serveLive},
		{http.MethodGet, "/readyz", public, "", false, serveReady(a.deps.Ready, a.deps.ClockAhead, a.stores)},
		{http.MethodGet, "/openapi.json", public, "", false, a.serveDocument},
	}
}

// call is one request that passed the checks of its token, with its body where the route does not stream.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	body    []byte
	actor   sale.Actor
	session *access.Session // of a browser, nil for a token
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
