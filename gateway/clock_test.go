package gateway

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestNoAnswerAboutTimeBeforeRedis: sales open and close by Redis's clock, from which this machine's may differ by hours.
func TestNoAnswerAboutTimeBeforeRedis(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(s *sale.Sale) { s.ID, s.State = "over", sale.StateClosed }))
	s.stock.now.Store(unknown)
	s.refused(s.send("GET", "/v1/time", ""), sale.OutcomeUnavailable, nil)
	s.refused(s.send("GET", "/v1/sales/autumn", ""), sale.OutcomeUnavailable, nil)
	s.refused(s.press("ann", `{"quantity":1}`), sale.OutcomeUnavailable, nil)
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeUnavailable, nil)
	s.refused(s.get(phoneOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
	require.Empty(t, s.stock.purchases())
	require.Contains(t, s.gateway.Ready(), "clock")

	for path, outcome := range map[string]sale.Outcome{ // no answer of these depends on the time
		"/v1/sales/none/items/phone/orders":  sale.OutcomeSaleNotFound,
		"/v1/sales/autumn/items/none/orders": sale.OutcomeSKUNotFound,
		"/v1/sales/over/items/phone/orders":  sale.OutcomeSaleEnded,
	} {
		s.refused(s.send("POST", path, `{"quantity":1}`, bearer("ann")), outcome, nil)
	}

	s.stock.now.Store(noon.UnixMilli())
	require.Equal(t, http.StatusAccepted, s.press("ann", `{"quantity":1}`).status)
	require.Equal(t, http.StatusOK, s.send("GET", "/v1/time", "").status)
	require.Empty(t, s.gateway.Ready())
}
