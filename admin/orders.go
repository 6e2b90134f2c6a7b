package admin

import (
	"errors"
	"net/http"

	"flashsale/sale"
)

// getOrder answers an order with what only the shop and operators may read. An id that is no order id is unknown.
func (a *API) getOrder(c *call) error {
	unknown := sale.Problem{Status: http.StatusNotFound, Code: codeOrderNotFound, Title: "There is no such order"}
	id, err := sale.ParseOrderID(c.r.PathValue("order_id"))
	if err != nil {
		return unknown
	}
	ctx, cancel := a.reading(c)
	defer cancel()
	order, err := a.deps.Orders.Order(ctx, id)
	if errors.Is(err, sale.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, order.ForOperator())
}
