package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func document(t *testing.T) *schemas {
	t.Helper()
	var value map[string]any
	require.NoError(t, json.Unmarshal(openAPI, &value))
	return &schemas{value}
}

func (s *schemas) operations() map[string]map[string]any {
	all := map[string]map[string]any{}
	for path, entry := range s.document["paths"].(map[string]any) {
		for method, operation := range entry.(map[string]any) {
			if method != "parameters" {
				all[strings.ToUpper(method)+" "+path] = operation.(map[string]any)
			}
		}
	}
	return all
}

func TestDocumentIsServedWithTheVersion(t *testing.T) {
	b := newBench(t)
	got := b.ask("GET", "/openapi.json", "", "Authorization", "").is(200)
	require.Equal(t, "1.2.3", got["info"].(map[string]any)["version"])
	require.Regexp(t, `^3\.1\.`, got["openapi"])
	got["info"].(map[string]any)["version"] = document(t).document["info"].(map[string]any)["version"]
	require.Equal(t, document(t).document, got)
}

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	operations := document(t).operations()
	ids := map[any]bool{}
	for _, route := range newBench(t).api.routes() {
		operation, there := operations[route.method+" "+route.path]
		require.True(t, there, "%s %s is not documented", route.method, route.path)
		delete(operations, route.method+" "+route.path)
		require.False(t, ids[operation["operationId"]], "operation ids are unique")
		ids[operation["operationId"]] = true
		require.NotEmpty(t, operation["summary"])
		responses := operation["responses"].(map[string]any)
		require.True(t, responses["200"] != nil || responses["204"] != nil, route.path)
		require.Equal(t, route.need == public, len(operation["security"].([]any)) == 0, route.path)
		if route.need != public {
			require.ElementsMatch(t, needs[route.need].allowed, rolesOf(operation), "%s %s", route.method, route.path)
			for _, status := range []string{"401", "403", "421", "503"} {
				require.Contains(t, responses, status, route.path)
			}
		}
		if route.method == http.MethodPut {
			require.Contains(t, responses, "400")
			require.Contains(t, operation, "requestBody")
		}
	}
	require.Empty(t, operations, "documented and not there")
}

func rolesOf(operation map[string]any) (roles []sale.Role) {
	listed, _ := operation["x-roles"].([]any)
	for _, name := range listed {
		roles = append(roles, sale.Role(name.(string)))
	}
	return roles
}

func TestDocumentsReferencesResolve(t *testing.T) {
	doc := document(t)
	var walk func(value any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				_, found := doc.resolve(ref)
				require.True(t, found, ref)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	walk(doc.document)
	for path, entry := range doc.document["paths"].(map[string]any) {
		if strings.Contains(path, "{") {
			require.NotEmpty(t, entry.(map[string]any)["parameters"], path)
		}
	}
}

// fits checks a JSON text against a named schema.
func (s *schemas) fits(t *testing.T, schema string, text []byte) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(text, &value), "%s", text)
	target, ok := s.resolve("#/components/schemas/" + schema)
	require.True(t, ok, schema)
	require.Empty(t, s.faults(target, value, schema), "%s", text)
}

func TestAnswersFitTheDocument(t *testing.T) {
	b, doc := newBench(t), document(t)
	doc.fits(t, "SaleDefinition", []byte(phoneSale))
	doc.fits(t, "SaleDefinition", []byte(bucketedSale))
	doc.fits(t, "RulesDefinition", []byte(fullRules))
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 2, 1, 1)
	at := sale.TimeMillis(1_794_391_200_123)
	b.store.SeedOrder(sale.Order{OrderID: 7, Status: sale.StatusPaid, Sale: "s", Lines: phones(1),
		Currency: "CNY", CreatedAt: at, UpdatedAt: at, PayBy: &at, BuyerID: "u", PaymentID: "p"})
	b.store.SeedOrder(sale.Order{OrderID: 6, Status: sale.StatusConfirmed, Sale: "s", BuyerID: "u", Currency: "CNY",
		Lines: append(phones(1), sale.Line{SKU: "case", Quantity: 2}), CreatedAt: at, UpdatedAt: at})
	doc.fits(t, "StockChange", []byte(`{"add":-5}`))
	b.order(9, sale.StatusConfirmed)
	b.order(10, sale.StatusQueued)
	b.order(11, sale.StatusConfirmed)
	b.order(12, sale.StatusConfirmed)
	b.payBy(12, tenOClock)
	doc.fits(t, "Payment", []byte(`{"payment_id":"p-1"}`))
	b.bring("l", listedSale)
	for _, answer := range []struct{ method, path, body, schema string }{
		{"GET", "/admin/v1/sales", "", "Sales"},
		{"GET", "/admin/v1/sales/s", "", "Sale"},
		{"PUT", "/admin/v1/sales/l/buyers", "a\nb\n", "Buyers"},
		{"POST", "/admin/v1/sales/s/pause", "", "Sale"},
		{"GET", "/admin/v1/sales/s/stats", "", "Stats"},
		{"GET", "/admin/v1/sales/s/audit", "", "Audit"},
		{"PUT", "/admin/v1/rules", fullRules, "Rules"},
		{"GET", "/admin/v1/rules", "", "Rules"},
		{"GET", "/admin/v1/orders/6", "", "Order"},
		{"GET", "/admin/v1/orders/7", "", "Order"},
		{"GET", "/admin/v1/orders/8", "", "Problem"},
		{"PUT", "/admin/v1/orders/9/payment", `{"payment_id":"p-1"}`, "Order"},
		{"PUT", "/admin/v1/orders/9/payment", `{"payment_id":"p-2"}`, "Problem"},
		{"DELETE", "/admin/v1/orders/9", "", "Problem"},
		{"DELETE", "/admin/v1/orders/10", "", "Problem"},
		{"DELETE", "/admin/v1/orders/11", "", "Order"},
		{"PUT", "/admin/v1/orders/12/pay_by", `{"pay_by":"2026-11-12T10:00:00Z"}`, "Order"},
		{"PUT", "/admin/v1/orders/12/pay_by", `{"pay_by":"2026-11-11T10:00:00Z"}`, "Problem"},
		{"PUT", "/admin/v1/orders/11/pay_by", `{"pay_by":"2026-11-12T10:00:00Z"}`, "Problem"},
		{"POST", "/admin/v1/sales/s/holds/thaw", "", "Problem"},
		{"POST", "/admin/v1/sales/s/holds/freeze", "", "Sale"},
		{"GET", "/admin/v1/sales/s/stats", "", "Stats"},
		{"POST", "/admin/v1/sales/s/holds/thaw", "", "Sale"},
		{"PUT", "/admin/v1/rules", `{"flow":7}`, "Problem"},
		{"PUT", "/admin/v1/sales/l/buyers", "a\n/\n", "Problem"},
		{"POST", "/admin/v1/sales/l/open", "", "Problem"},
	} {
		doc.fits(t, answer.schema, b.ask(answer.method, answer.path, answer.body).Body)
	}
	key := []string{"Idempotency-Key", "k"}
	doc.fits(t, "StockChanged", b.ask("POST", "/admin/v1/sales/s/items/phone/stock", `{"add":5}`, key...).Body)
	doc.fits(t, "Problem", b.ask("POST", "/admin/v1/sales/s/items/phone/stock", `{"add":6}`, key...).Body)
	doc.fits(t, "Problem", b.ask("POST", "/admin/v1/sales/s/items/none/stock", `{"add":6}`, key...).Body)
	b.ready = map[string]string{"kafka": "topics missing"}
	doc.fits(t, "Problem", b.ask("GET", "/readyz", "").Body)
	for name, response := range doc.document["components"].(map[string]any)["responses"].(map[string]any) {
		content := response.(map[string]any)["content"].(map[string]any)[sale.ProblemType].(map[string]any)
		for code, example := range content["examples"].(map[string]any) {
			text, err := json.Marshal(example.(map[string]any)["value"])
			require.NoError(t, err)
			doc.fits(t, "Problem", text)
			require.Contains(t, string(text), code, name)
		}
	}
}

// TestDocumentRefusesWhatTheDecodersRefuse: the document and the code have the same bounds.
func TestDocumentRefusesWhatTheDecodersRefuse(t *testing.T) {
	doc := document(t)
	definition, _ := doc.resolve("#/components/schemas/SaleDefinition")
	rules, _ := doc.resolve("#/components/schemas/RulesDefinition")
	for _, body := range []string{
		item(`"sku":"-A","stock":1,"price_cents":1`), item(`"sku":"a","price_cents":1`),
		item(`"sku":"a","stock":10000001,"price_cents":1`), item(`"sku":"a","stock":1,"price_cents":1000000000001`),
		item(`"sku":"a","stock":1,"price_cents":1,"per_buyer_limit":101`), item(`"sku":"a","stock":1,"price_cents":1,"x":1`),
		strings.Replace(phoneSale, `"name"`, `"buckets":65,"name"`, 1),
		strings.Replace(phoneSale, `"name"`, `"per_buyer_sale_limit":1001,"name"`, 1),
		strings.Replace(phoneSale, `"name"`, `"payment_ttl_s":604801,"name"`, 1),
		strings.Replace(phoneSale, `"name"`, `"currency":"eu","name"`, 1),
		strings.Replace(phoneSale, `"name"`, `"eligibility":"vip","name"`, 1),
		strings.Replace(phoneSale, `"name"`, `"per_buyer_limit":101,"name"`, 1),
	} {
		requireBothRefuse(t, doc, definition, body, func() error { _, err := decodeSale("s", []byte(body)); return err })
	}
	change, _ := doc.resolve("#/components/schemas/StockChange")
	for _, body := range []string{`{}`, `{"add":0}`, `{"add":10000001}`, `{"add":-10000001}`, `{"add":"5"}`, `{"add":1.5}`,
		`{"add":5,"x":1}`} {
		requireBothRefuse(t, doc, change, body, func() error { _, err := decodeStock([]byte(body)); return err })
	}
	payment, _ := doc.resolve("#/components/schemas/Payment")
	for _, body := range []string{`{}`, `{"payment_id":""}`, `{"payment_id":"a b"}`, `{"payment_id":"a","x":1}`,
		`{"payment_id":7}`} {
		requireBothRefuse(t, doc, payment, body, func() error { _, err := decodePayment([]byte(body)); return err })
	}
	for _, body := range []string{
		`{"flow":[{"resource":"redis","qps":1}]}`, `{"flow":[{"resource":"sale"}]}`,
		`{"isolation":[{"resource":"sale","concurrency":0}]}`,
		`{"buyer":{"per_second":0,"burst":1}}`, `{"address":{"per_second":1,"burst":0}}`, `{"circuit_breaker":[{}]}`, `{"x":1}`,
		`{"circuit_breaker":[{"resource":"kafka","strategy":"error_count","threshold":5,"window_ms":99,"min_requests":1,` +
			`"retry_ms":1}]}`,
	} {
		requireBothRefuse(t, doc, rules, body, func() error { _, _, err := decodeRules([]byte(body)); return err })
	}
}

func requireBothRefuse(t *testing.T, doc *schemas, schema map[string]any, body string, decode func() error) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(body), &value))
	require.NotEmpty(t, doc.faults(schema, value, ""), "the document accepts %s", body)
	require.Error(t, decode(), "the code accepts %s", body)
}
