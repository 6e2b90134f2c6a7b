package admin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// A refused change of an operator is an entry with the code of the answer, and a request id that the client gave is taken over.
// Refused requests of the shop, and reads, leave none.
func TestRefusedChangesAreInTheTrail(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	refused := b.ask("POST", "/admin/v1/sales/s/pause", "", "X-Request-Id", "night-7",
		"Authorization", "Bearer "+operatorToken)
	refused.problem(409, "wrong_state")
	require.Equal(t, "night-7", refused.Header.Get("X-Request-Id"))
	b.ask("PUT", "/admin/v1/rules", "{", "X-Request-Id", "no id!").problem(400, "malformed")
	b.ask("POST", "/admin/v1/sales/s/items/none/stock", `{"add":1}`, "Idempotency-Key", "k").problem(404, "sku_not_found")
	b.ask("DELETE", "/admin/v1/orders/77", "", "Authorization", "Bearer "+shopToken).problem(404, "order_not_found")
	b.ask("GET", "/admin/v1/sales/none", "").problem(404, "sale_not_found")
	b.ask("POST", "/admin/v1/sales/s/open", "", "Authorization", "Bearer "+viewerToken).problem(403, "forbidden")

	answer := b.ask("GET", "/admin/v1/trail", "", "Authorization", "Bearer "+viewerToken)
	answer.is(200)
	var page trailAnswer
	require.NoError(t, json.Unmarshal(answer.Body, &page))
	type line struct{ who, verb, target, outcome string }
	var lines []line
	for _, e := range page.Entries {
		lines = append(lines, line{e.Who, e.Verb, e.Target, e.Outcome})
		require.Equal(t, map[string]sale.Role{"admin": sale.RoleAdmin, "night": sale.RoleOperator}[e.Who], e.Role)
	}
	require.Equal(t, []line{
		{"admin", "stock", "sale/s/items/none", "sku_not_found"}, {"admin", "rules", "rules", "malformed"},
		{"night", "pause", "sale/s", "wrong_state"},
	}, lines)
	require.Equal(t, "night-7", page.Entries[2].RequestID)
	require.NotEqual(t, "no id!", page.Entries[1].RequestID, "a bad id is replaced")
	require.Len(t, page.Entries[1].RequestID, 26)
	require.Empty(t, page.Next)
}

// A payment that is remembered was not refused: the store's entry of it is the only one. Another payment was.
func TestRememberedPaymentsAreNoRefusals(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	id := idAt(elevenOClock)
	b.underWay(id, sale.StatusQueued)
	pay := func(payment string) *reply {
		return b.ask("PUT", "/admin/v1/orders/"+id.String()+"/payment", `{"payment_id":"`+payment+`"}`)
	}
	require.Equal(t, true, pay("p-1").problem(409, "not_confirmed")["remembered"])
	require.Equal(t, true, pay("p-1").problem(409, "not_confirmed")["remembered"])
	require.Equal(t, []any{}, b.ask("GET", "/admin/v1/trail", "").is(200)["entries"])
	require.Equal(t, false, pay("p-2").problem(409, "not_confirmed")["remembered"])
	require.Len(t, b.ask("GET", "/admin/v1/trail", "").is(200)["entries"], 1)
}

func TestTrailIsAskedByPage(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.ask("POST", "/admin/v1/sales/none/open", "").problem(404, "sale_not_found")
	}
	first := b.ask("GET", "/admin/v1/trail?sale=none&limit=2&since=2026-11-11T09:00:00%2B08:00", "").is(200)
	require.Len(t, first["entries"], 2)
	require.Equal(t, "2", first["next"])
	require.Equal(t, sale.TrailQuery{
		Sale: "none", Limit: 2, Since: sale.Time{Time: time.Date(2026, 11, 11, 1, 0, 0, 0, time.UTC)},
	}, b.store.asked)
	second := b.ask("GET", "/admin/v1/trail?limit=2&cursor=2", "").is(200)
	require.Len(t, second["entries"], 1)
	require.NotContains(t, second, "next")
	require.Equal(t, []any{}, b.ask("GET", "/admin/v1/trail?sale=other", "").is(200)["entries"])

	for query, field := range map[string]string{
		"order=up": "order", "limit=0": "limit", "limit=1001": "limit", "limit=x": "limit",
		"since=today": "since", "sale=-": "sale", "cursor=x": "cursor", "since=9999-12-31T23:59:59-01:00": "since",
		"cursor=0": "cursor",
	} {
		b.ask("GET", "/admin/v1/trail?"+query, "").field(field)
	}
	all := b.ask("GET", "/admin/v1/trail?limit=0&since=x&cursor=-1", "").problem(400, "malformed")
	require.Len(t, all["errors"], 3, "every fault at once")
}
