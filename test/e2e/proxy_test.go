package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// web is a browser in front of the reference proxy.
type web struct {
	s    *stack
	base string
	http *http.Client
}

// proxied starts deploy/nginx.conf, with its addresses and certificate replaced, in front of the first gateway.
func proxied(s *stack) *web {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(s.t), "deploy", "nginx.conf"))
	require.NoError(s.t, err)
	folder, roots := certificate(s.t)
	address := harness.Address(s.t)
	harness.Nginx(s.t, pasted(s.t, string(text), map[string]string{
		"listen 443 ssl http2;":       "listen " + address + " ssl http2;",
		"server 127.0.0.1:8080 ":      "server " + s.Gateways[0].Buyers + " ",
		"/etc/nginx/shop.example.pem": filepath.Join(folder, "pem"), "/etc/nginx/shop.example.key": filepath.Join(folder, "key"),
	}), address)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "shop.example"}, ForceAttemptHTTP2: true,
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &web{s, "https://" + address, &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// certificate makes a certificate of shop.example and its key as files, and a pool that trusts it.
func certificate(t testing.TB) (folder string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example"},
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	folder, roots = t.TempDir(), x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"pem": {Type: "CERTIFICATE", Bytes: raw},
		"key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600))
	}
	parsed, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	roots.AddCert(parsed)
	return folder, roots
}

// ask sends a request as a page of an origin does, over HTTP/2.
func (w *web) ask(method, path, origin string, headers ...string) webAnswer {
	w.s.t.Helper()
	request, err := http.NewRequest(method, w.base+path, nil)
	require.NoError(w.s.t, err)
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.http.Do(request)
	require.NoError(w.s.t, err)
	require.NoError(w.s.t, answer.Body.Close())
	require.Equal(w.s.t, 2, answer.ProtoMajor, "HTTP/2")
	return webAnswer{answer.StatusCode, answer.Header}
}

// webAnswer is the status and the headers of an answer.
type webAnswer struct {
	StatusCode int
	Header     http.Header
}

// corsHeaders returns the CORS headers, by their names after "Access-Control-".
func corsHeaders(answer webAnswer) map[string]string {
	found := map[string]string{}
	for _, name := range []string{"Allow-Origin", "Allow-Methods", "Allow-Headers", "Max-Age", "Expose-Headers",
		"Allow-Credentials"} {
		if values := answer.Header.Values("Access-Control-" + name); len(values) > 0 {
			found[name] = values[0]
		}
	}
	return found
}

// TestProxyServesAWebShop runs the reference configuration in a real nginx: a page of the shop may press and read its answers,
// refusals too; another page may not; nothing but the buyers' routes is reachable.
func TestProxyServesAWebShop(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_GATEWAY_TRUSTED_PROXIES=127.0.0.0/8"}}).run(1, 1)
	s.open("rush", lasting(phone(5)))
	w := proxied(s)
	const shop, other = "https://shop.example", "https://shop.example.evil"
	path := ask{}.path()
	preflight := w.ask("OPTIONS", path, shop, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,idempotency-key")
	assert.Equal(t, http.StatusNoContent, preflight.StatusCode)
	assert.Equal(t, map[string]string{
		"Allow-Origin": shop, "Allow-Methods": "GET, POST, DELETE",
		"Allow-Headers": "Authorization, Content-Type, Idempotency-Key, X-Request-Id",
		"Max-Age":       "7200", "Expose-Headers": "Location, Retry-After, WWW-Authenticate, X-Request-Id",
	}, corsHeaders(preflight))
	assert.Contains(t, preflight.Header.Values("Vary"), "Origin")
	stranger := w.ask("OPTIONS", path, other, "Access-Control-Request-Method", "POST")
	assert.Equal(t, http.StatusNoContent, stranger.StatusCode)
	assert.Empty(t, corsHeaders(stranger))

	bearer := "Bearer " + token("web")
	bought := w.ask("POST", path, shop, "Authorization", bearer, "Idempotency-Key", "k")
	assert.Equal(t, http.StatusAccepted, bought.StatusCode)
	assert.NotEmpty(t, bought.Header.Get("Location"))
	for _, answer := range []webAnswer{bought, w.ask("POST", path, shop), w.ask("GET", "/v1/sales/nope", shop),
		w.ask("PUT", path, shop)} {
		assert.Equal(t, map[string]string{"Allow-Origin": shop,
			"Expose-Headers": "Location, Retry-After, WWW-Authenticate, X-Request-Id"}, corsHeaders(answer),
			"also on %d", answer.StatusCode)
	}
	assert.Empty(t, corsHeaders(w.ask("GET", "/v1/sales/rush", other)))
	assert.Empty(t, corsHeaders(w.ask("GET", "/v1/sales/rush", "")), "an app sends no Origin")
	for _, hidden := range []string{"/admin/v1/sales", "/metrics", "/readyz", "/"} {
		assert.Equal(t, http.StatusNotFound, w.ask("GET", hidden, shop, "Authorization", "Bearer "+adminToken).StatusCode, hidden)
	}
	s.Gateways[0].Kill()
	away := w.ask("GET", "/v1/sales/rush", shop)
	assert.Equal(t, http.StatusBadGateway, away.StatusCode)
	assert.Equal(t, shop, corsHeaders(away)["Allow-Origin"], "nginx's own answers can be read too")
}
