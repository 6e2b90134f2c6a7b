package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, handler http.Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// TestThePage: the page at "/" is never kept, and says whether the browser has a session cookie.
func TestThePage(t *testing.T) {
	for _, path := range []string{"/", "/?once=used"} {
		page := get(t, Handler(), http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, page.Code)
		require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
		require.Equal(t, "no-store", page.Header().Get("Cache-Control"))
		require.Contains(t, page.Body.String(), `<meta name="session" content="none">`)
	}
	page := get(t, Handler(), http.MethodGet, "/", http.Header{"Cookie": {SessionCookie + "=anything"}})
	require.Contains(t, page.Body.String(), `<meta name="session" content="cookie">`)
	require.Contains(t, get(t, Handler(), http.MethodGet, "/", nil).Body.String(), signedOut, "the next page is not marked")
}

// TestSecurityHeaders: every answer forbids frames, foreign resources and guessed types, also one without a page.
func TestSecurityHeaders(t *testing.T) {
	shop := Shop("demo", func() (Buyer, error) { return Buyer{}, nil })
	for path, handlers := range map[string][]http.Handler{
		"/": {Handler(), shop}, "/console/main.js": {Handler(), shop}, "/console/absent.js": {Handler(), shop}, TokenPath: {shop},
	} {
		for _, handler := range handlers {
			h := get(t, handler, http.MethodGet, path, nil).Header()
			assert.Equal(t, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
				h.Get("Content-Security-Policy"), path)
			assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
			assert.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
			assert.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		}
	}
}

// TestFiles: each file has its type and an ETag by which a browser does not load it twice.
func TestFiles(t *testing.T) {
	for path, mediaType := range map[string]string{
		"/console/main.js": "text/javascript; charset=utf-8", "/console/base.css": "text/css; charset=utf-8",
		"/console/locales/zh.json": "application/json", "/console/icon.svg": "image/svg+xml",
	} {
		first := get(t, Handler(), http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, first.Code, path)
		require.Equal(t, mediaType, first.Header().Get("Content-Type"), path)
		require.Equal(t, "no-cache", first.Header().Get("Cache-Control"), path)
		tag := first.Header().Get("ETag")
		for _, sent := range []string{tag, "W/" + tag, `"other", ` + tag} {
			again := get(t, Handler(), http.MethodGet, path, http.Header{"If-None-Match": {sent}})
			require.Equal(t, http.StatusNotModified, again.Code, sent)
			require.Empty(t, again.Body.String())
		}
		other := get(t, Handler(), http.MethodGet, path, http.Header{"If-None-Match": {`"other"`}})
		require.Equal(t, http.StatusOK, other.Code)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/index.html", "/console/", "/console/index.html", "/console/shop.html",
		"/console/../handler.go",
		"/main.js", "/console/site/main.js", "/metrics"} {
		assert.Equal(t, http.StatusNotFound, get(t, Handler(), http.MethodGet, path, nil).Code, path)
	}
	answer := get(t, Handler(), http.MethodPost, "/", nil)
	require.Equal(t, http.StatusMethodNotAllowed, answer.Code)
	require.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
	require.Equal(t, http.StatusOK, get(t, Handler(), http.MethodHead, "/", nil).Code)
}

// TestShop: each request for a token gets another buyer, and none is kept by a cache.
func TestShop(t *testing.T) {
	made := 0
	shop := Shop("demo", func() (Buyer, error) {
		made++
		if made > 2 {
			return Buyer{}, errors.New("no key")
		}
		return Buyer{ID: strings.Repeat("b", made), Token: "token"}, nil
	})
	require.Contains(t, get(t, shop, http.MethodGet, "/", nil).Body.String(), "shop.js")
	for _, id := range []string{"b", "bb"} {
		answer := get(t, shop, http.MethodGet, TokenPath, nil)
		require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
		var buyer map[string]string
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &buyer))
		require.Equal(t, map[string]string{"sale": "demo", "buyer": id, "token": "token"}, buyer)
	}
	failed := get(t, shop, http.MethodGet, TokenPath, nil)
	require.Equal(t, http.StatusInternalServerError, failed.Code)
	require.NotContains(t, failed.Body.String(), "no key")
}
