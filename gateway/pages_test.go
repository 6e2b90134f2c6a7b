package gateway

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestPages: pages answer what the API does not have, by GET and HEAD; every path of the API stays the API's.
func TestPages(t *testing.T) {
	asked := 0
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Frame-Options", "DENY")
		w.WriteHeader(http.StatusTeapot)
		_, err := io.WriteString(w, "page of "+r.URL.Path+" "+r.URL.RawQuery+" "+r.Header.Get("Cookie"))
		require.NoError(t, err)
	})
	s := newScene(t, func(o *Options, _ *Deps) { o.Pages = pages }).open(autumn())
	for range 2 { // no part of an answer stays in the next one
		r := s.send("GET", "/shop/token?a=1", "", "Cookie: b=2")
		require.Equal(t, http.StatusTeapot, r.status)
		require.Equal(t, "page of /shop/token a=1 b=2", r.body)
		require.Equal(t, "DENY", r.header.Get("X-Frame-Options"))
		require.Equal(t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
	}
	require.Equal(t, http.StatusTeapot, s.send("HEAD", "/", "").status)
	require.Equal(t, 3, asked)
	s.refused(s.send("POST", "/", ""), sale.OutcomeNotFound, nil)
	s.refused(s.send("PUT", "/livez", ""), sale.OutcomeMethodNotAllowed, nil)
	require.Equal(t, http.StatusOK, s.send("GET", "/livez", "").status)
	require.Equal(t, http.StatusOK, s.send("GET", "/v1/sales/autumn", "").status)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Equal(t, 3, asked)
}

// TestNoPages: in production the gateway has none.
func TestNoPages(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, path := range []string{"/", "/shop/token", "/console/shop.js"} {
		s.refused(s.send("GET", path, ""), sale.OutcomeNotFound, nil)
	}
}
