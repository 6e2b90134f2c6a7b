package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// feedAPI serves n orders in pages, each second page empty, and as CSV.
type feedAPI struct {
	orders int
	cut    bool // the CSV ends without its last chunk
	asked  []string
}

func (f *feedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.Header.Get("Accept")+" "+r.URL.RequestURI())
	if r.Header.Get("Accept") == "text/csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_, _ = io.WriteString(w, "order_id,sale,buyer_id,status,reason,line,lines\r\n")
		for i := range f.orders {
			_, _ = fmt.Fprintf(w, "%d,s,u,paid,,1,2\r\n%[1]d,s,u,paid,,2,2\r\n", i+1)
		}
		if f.cut {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return
	}
	query := r.URL.Query()
	limit, _ := strconv.Atoi(query.Get("limit"))
	from, empty := 0, false
	if _, err := fmt.Sscanf(query.Get("cursor"), "at-%d-%t", &from, &empty); err != nil && query.Get("cursor") != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":"malformed","status":400,"detail":"cursor: is wrong","field":"cursor"}`)
		return
	}
	orders := []string{}
	for ; !empty && from < f.orders && len(orders) < min(limit, 2); from++ {
		orders = append(orders, fmt.Sprintf(`{"order_id":"%d","status":"cancelled","reason":"shop","sale":"s","lines":[`+
			`{"sku":"phone","quantity":2,"unit_price_cents":5},{"sku":"case","quantity":1,"unit_price_cents":1}],`+
			`"total_cents":11,"currency":"CNY","created_at":"2026-11-11T10:00:00.000Z",`+
			`"updated_at":"2026-11-11T10:00:01.000Z","buyer_id":"u:1"}`, from+1))
	}
	next := ""
	if from < f.orders {
		next = fmt.Sprintf(`,"next":"at-%d-%t"`, from, !empty)
	}
	_, _ = fmt.Fprintf(w, `{"orders":[%s]%s}`, strings.Join(orders, ","), next)
}

func feeding(t *testing.T, api *feedAPI) []string {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return []string{testToken, "FLASHSALE_ADMIN_URL=" + server.URL}
}

func TestOrdersAsATable(t *testing.T) {
	api := &feedAPI{orders: 5}
	environ := feeding(t, api)
	got := command(t, environ, "", "orders", "--sale", "s", "--buyer", "u:1", "--sku", "phone", "--status", "cancelled",
		"--updated-after", "2026-11-11T10:00:00Z")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Empty(t, got.stderr)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	require.Len(t, lines, 6, "the header and all orders, through empty pages")
	require.Equal(t, []string{"ORDER", "STATUS", "SALE", "BUYER", "LINES", "TOTAL_CENTS", "UPDATED_AT", "PAY_BY"},
		strings.Fields(lines[0]))
	require.Equal(t, "1 cancelled (shop) s u:1 2 phone, 1 case 11 CNY 2026-11-11T10:00:01.000Z -",
		strings.Join(strings.Fields(lines[1]), " "))
	require.Equal(t, "application/json /admin/v1/orders?buyer=u%3A1&limit=100&sale=s&sku=phone&status=cancelled"+
		"&updated_after=2026-11-11T10%3A00%3A00Z", api.asked[0])
	require.Contains(t, api.asked[1], "cursor=at-2-true")

	got = command(t, environ, "", "orders", "list", "--limit", "3")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, 4, strings.Count(got.stdout, "\n"))
	require.Contains(t, got.stderr, "more orders follow: repeat the command with --cursor at-3-true")
	got = command(t, environ, "", "orders", "--cursor", "at-3-true")
	require.Equal(t, 3, strings.Count(got.stdout, "\n"))
}

func TestOrdersAsJSON(t *testing.T) {
	environ := feeding(t, &feedAPI{orders: 5})
	for limit, wanted := range map[string]int{"1": 1, "3": 3, "4": 4, "5": 5, "1000000": 5} {
		got := command(t, environ, "", "orders", "-o", "json", "--limit", limit)
		require.Equal(t, ExitDone, got.code, got.stderr)
		var page struct {
			Orders []struct {
				ID string `json:"order_id"`
			}
			Next string
		}
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &page), got.stdout)
		require.Len(t, page.Orders, wanted)
		require.Equal(t, wanted < 5, page.Next != "")
	}
	got := command(t, feeding(t, &feedAPI{}), "", "orders", "-o", "json")
	require.JSONEq(t, `{"orders":[]}`, got.stdout)
}

func TestOrdersAsCSV(t *testing.T) {
	api := &feedAPI{orders: 3}
	environ := feeding(t, api)
	got := command(t, environ, "", "orders", "-o", "csv", "--sale", "s")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, 7, strings.Count(got.stdout, "\r\n"), "all of them")
	require.Equal(t, "text/csv /admin/v1/orders?sale=s", api.asked[0])
	for limit, rows := range map[string]int{"1": 3, "2": 5, "3": 7, "9": 7} {
		got = command(t, environ, "", "orders", "-o", "csv", "--limit", limit)
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Equal(t, rows, strings.Count(got.stdout, "\r\n"), "whole orders: %s", got.stdout)
	}
	api.cut = true
	got = command(t, environ, "", "orders", "-o", "csv")
	require.Equal(t, ExitUnreadable, got.code)
	require.Contains(t, got.stderr, "what was printed is not complete")
}

func TestOrdersThatFail(t *testing.T) {
	environ := feeding(t, &feedAPI{orders: 5})
	refused := command(t, environ, "", "orders", "--cursor", "wrong")
	require.Equal(t, ExitFailed, refused.code)
	require.Contains(t, refused.stderr, "cursor: is wrong")
	require.Empty(t, refused.stdout, "a header alone would say that there are no orders")
	away := []string{testToken, "FLASHSALE_ADMIN_URL=http://" + closedPort(t)}
	for _, words := range [][]string{{"orders"}, {"orders", "-o", "json"}, {"orders", "-o", "csv"}, {"orders", "show", "7"},
		{"deadletter", "list"}} {
		require.Equal(t, ExitUnreadable, command(t, away, "", words...).code, "%v", words)
	}
	for _, words := range [][]string{{"orders", "cancel", "7"}, {"orders", "extend", "7", "--pay-by", "2026-11-11T10:00:00Z"},
		{"deadletter", "replay", "1-2"}} {
		require.Equal(t, ExitFailed, command(t, away, "", words...).code, "%v", words)
	}
	for _, words := range [][]string{{"orders", "show", "x"}, {"orders", "cancel", "-7"}, {"orders", "--limit=-1"},
		{"orders", "show"}, {"orders", "extend", "7"}, {"orders", "extend", "7", "--pay-by", "soon"}, {"orders", "-o", "xml"}} {
		require.Equal(t, ExitUsage, command(t, environ, "", words...).code, "%v", words)
	}
}

func TestOneOrder(t *testing.T) {
	environ, last := listening(t)
	for line, want := range map[string]asked{
		"show 7301":   {method: "GET", path: "/admin/v1/orders/7301"},
		"cancel 7301": {method: "DELETE", path: "/admin/v1/orders/7301"},
		"extend 7301 --pay-by 2026-11-11T20:00:00+08:00": {method: "PUT", path: "/admin/v1/orders/7301/pay_by",
			body: `{"pay_by":"2026-11-11T12:00:00.000Z"}`},
	} {
		got := command(t, environ, "", append([]string{"orders"}, strings.Fields(line)...)...)
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Equal(t, want, *last)
		require.Equal(t, "{}\n", got.stdout)
	}
}
