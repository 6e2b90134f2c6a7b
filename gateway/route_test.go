package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestLocate(t *testing.T) {
	for p, expected := range map[string]location{
		"/v1/sales/a/orders":         {path: pathOrders, sale: []byte("a")},
		"/v1/sales/a/orders/7":       {path: pathOrder, sale: []byte("a"), order: []byte("7")},
		"/v1/sales/items/orders":     {path: pathOrders, sale: []byte("items")},
		"/v1/sales/a/orders/":        {},
		"/v1/sales/a/ordersx":        {},
		"/v1/sales/a/orders/7/":      {},
		"/v1/sales/a/orders/7/8":     {},
		"/v1/sales//orders":          {},
		"/v1/sales/a/items/orders":   {},
		"/v1/sales/a/items/b/orders": {path: pathItemOrders, sale: []byte("a"), sku: []byte("b"), item: []byte("a/items/b")},
		"/v1/sales/a/items/b/orders/7": {path: pathItemOrder, sale: []byte("a"), sku: []byte("b"), order: []byte("7"),
			item: []byte("a/items/b")},
		"/v1/sales/a":                         {path: pathSale, sale: []byte("a")},
		"/v1/s%61les/a":                       {},
		"/v1/sales/%61":                       {path: pathSale, sale: []byte("a")},
		"/v1/sales/%2F":                       {path: pathSale, sale: []byte("%2F")},
		"/v1/sales/%":                         {path: pathSale, sale: []byte("%")},
		"/v1/sales/..":                        {path: pathSale, sale: []byte("..")},
		"/v1/time":                            {path: pathTime},
		"/livez":                              {path: pathLive},
		"/readyz":                             {path: pathReady},
		"/openapi.json":                       {path: pathOpenAPI},
		"/":                                   {},
		"":                                    {},
		"*":                                   {},
		"/v1/sales":                           {},
		"/v1/sales/":                          {},
		"/v1/sales/a/":                        {},
		"/v1/sales/a/items":                   {},
		"/v1/sales/a/items/b":                 {},
		"/v1/sales/a/items/b/":                {},
		"/v1/sales/a/items//orders":           {},
		"/v1/sales//items/b/orders":           {},
		"/v1/sales/a/items/b/orders/":         {},
		"/v1/sales/a/items/b/ordersx":         {},
		"/v1/sales/a/items/b/orders/7/":       {},
		"/v1/sales/a/items/b/orders/7/8":      {},
		"/v1/sales/a/items/b/orders/7/cancel": {},
		"//v1/time":                           {},
		"/v1/time/":                           {},
		"/V1/TIME":                            {},
		"/metrics":                            {},
	} {
		if p == "/v1/s%61les/a" {
			expected = location{path: pathSale, sale: []byte("a")} // an escaped letter is the letter
		}
		require.Equal(t, expected, locate([]byte(p)), p)
	}
}

func TestMethodsThatAreNotOffered(t *testing.T) {
	s := newScene(t).open(autumn())
	for p, allow := range map[string]string{
		phoneOrders: "GET, HEAD, POST", phoneOrders + "/7": "DELETE, GET, HEAD",
		autumnOrders: "GET, HEAD, POST", autumnOrders + "/7": "DELETE, GET, HEAD", "/v1/sales/autumn": "GET, HEAD",
		"/v1/time": "GET, HEAD",
		"/livez":   "GET, HEAD", "/readyz": "GET, HEAD", "/openapi.json": "GET, HEAD",
	} {
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"} {
			if strings.Contains(allow, method) {
				continue
			}
			r := s.send(method, p, "")
			s.refused(r, sale.OutcomeMethodNotAllowed, nil)
			require.Equal(t, allow, r.header.Get("Allow"))
		}
	}
	s.refused(s.send(http.MethodPost, "/v1/sales/autumn", ""), sale.OutcomeMethodNotAllowed, nil)
	s.refused(s.send(http.MethodDelete, "/nowhere", ""), sale.OutcomeNotFound, nil)
}

func TestEveryGetAnswersHead(t *testing.T) {
	s := newScene(t).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	for _, p := range []string{
		phoneOrders, phoneOrders + "/7", phoneOrders + "/8", autumnOrders, autumnOrders + "/7",
		"/v1/sales/autumn", "/v1/sales/none", "/v1/time", "/livez",
		"/readyz",
		"/openapi.json", "/nowhere",
	} {
		get, head := s.send("GET", p, "", bearer("ann")), s.send("HEAD", p, "", bearer("ann"))
		require.Equal(t, get.status, head.status, p)
		require.Empty(t, head.body)
		for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control"} {
			require.Equal(t, get.header.Get(name), head.header.Get(name), p)
		}
	}
}

func TestStrangeIdsAreUnknown(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, id := range []string{
		"A", "-a", "_a", "a.b", "%7Ba%7D", "{a}", "a%00", "..", "%2e%2e", "a%2Fb", strings.Repeat("a", 65), "a:b", "a@b", "%",
	} {
		s.refused(s.send(http.MethodPost, "/v1/sales/"+id+"/items/phone/orders", ""), sale.OutcomeSaleNotFound, nil)
		s.refused(s.send(http.MethodPost, "/v1/sales/autumn/items/"+id+"/orders", ""), sale.OutcomeSKUNotFound, nil)
		s.refused(s.send(http.MethodGet, "/v1/sales/"+id, ""), sale.OutcomeSaleNotFound, nil)
	}
	long := strings.Repeat("a", 64)
	s.open(autumn(func(s *sale.Sale) { s.ID = long; s.Items[0].SKU = "b" }))
	require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, "/v1/sales/"+long+"/items/b/orders", "", bearer("ann")).status)
	require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, "/v1/sales/%61utumn/items/ph%6Fne/orders", "",
		bearer("ann")).status)
	require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, "http://shop"+phoneOrders+"?any=1&any=2", "",
		bearer("ann")).status)
}

// FuzzLocate: the parts found in any path have the form of its template.
func FuzzLocate(f *testing.F) {
	for _, seed := range []string{"/v1/sales/a/items/b/orders/1", "/v1/sales/%61", "/v1/sales//", "%", "/%2", "/v1/time?x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		at := locate(p)
		if at.path == pathNone || at.sale == nil {
			return
		}
		filled := strings.NewReplacer("{sale}", string(at.sale), "{sku}", string(at.sku), "{order_id}",
			string(at.order)).Replace(paths[at.path].template)
		require.Equal(t, filled, string(unescape(p)))
		require.NotContains(t, string(at.sale)+string(at.sku)+string(at.order), "/")
	})
}
