package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// edge is the client side of deploy/envoy.yaml: what a content network does for the buyers behind it.
type edge struct {
	t       testing.TB
	address string
	ca      *harness.Authority
}

// behindEnvoy starts deploy/envoy.yaml, with its addresses and files replaced, in front of two gateways: the first is the
// stable version, the second the canary.
func behindEnvoy(s *stack) *edge {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(s.t), "deploy", "envoy.yaml"))
	require.NoError(s.t, err)
	e := &edge{t: s.t, address: harness.Address(s.t), ca: harness.NewAuthority(s.t, "authority")}
	own := e.ca.Server("shop.example", "shop.example")
	places := map[string]string{"/etc/envoy/shop.example.pem": own.Cert, "/etc/envoy/shop.example.key": own.Key,
		"/etc/envoy/edge-ca.pem": e.ca.File}
	for shown, real := range map[string]string{"address: 0.0.0.0, port_value: 8443": e.address,
		"address: gateways.example, port_value: 8080": s.Gateways[0].Buyers,
		"address: canary.example, port_value: 8080":   s.Gateways[1].Buyers} {
		host, port, err := net.SplitHostPort(real)
		require.NoError(s.t, err)
		places[shown] = "address: " + host + ", port_value: " + port
	}
	harness.Envoy(s.t, pasted(s.t, string(text), places), e.address)
	return e
}

// client returns a client over HTTP/2 with a certificate of a name, "" for none.
func (e *edge) client(name string) *http.Client {
	e.t.Helper()
	settings := e.ca.Trusting(e.ca.Server(name, name))
	settings.ServerName = "shop.example"
	if name == "" {
		settings.Certificates = nil
	}
	transport := &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// press presses for a buyer whose address the edge has appended to X-Forwarded-For.
func (e *edge) press(client *http.Client, buyer, forwarded string, headers ...string) webAnswer {
	e.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"https://"+e.address+"/v1/sales/rush/items/phone/orders", bytes.NewReader(nil))
	require.NoError(e.t, err)
	request.Header.Set("Authorization", "Bearer "+token(buyer))
	request.Header.Set("Idempotency-Key", buyer)
	request.Header.Set("X-Forwarded-For", forwarded)
	request.Header.Set("X-Request-Id", "press-"+buyer)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := client.Do(request)
	require.NoError(e.t, err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(e.t, err)
	require.Equal(e.t, 2, answer.ProtoMajor, "HTTP/2")
	assert.Equal(e.t, []string{"press-" + buyer}, answer.Header.Values("X-Request-Id"), "the id that the app chose")
	return webAnswer{answer.StatusCode, answer.Header}
}

// newVersion is the colour of the canary in deploy/envoy.yaml.
const newVersion = "1.1.0"

// TestCanaryBehindEnvoy runs the reference configuration in a real Envoy before two gateways of different versions: a header
// with its version reaches the new one, the weight sends a share there, and only the edge's certificate opens the door. The
// gateways limit the address that the edge saw, whatever the buyer wrote before it.
func TestCanaryBehindEnvoy(t *testing.T) {
	trusted := "FLASHSALE_GATEWAY_TRUSTED_PROXIES=" + strings.Join(ownNetworks(t), ",")
	s := newStack(t, servers{Env: []string{trusted}}).run(1, 1)
	s.Bin = harness.BinaryOf(t, harness.Build{Args: []string{"-ldflags", "-X flashsale/app.version=9.9.9-canary"}})
	s.NewGateway().Start()
	s.Gateways[1].Ready()
	stable, canary := s.Gateways[0], s.Gateways[1]
	require.Contains(t, s.build(canary), `version="9.9.9-canary"`)
	require.NotContains(t, s.build(stable), "canary")
	s.open("rush", lasting(phone(5_000)))
	e := behindEnvoy(s)
	client := e.client("edge.example")

	for i := range 10 {
		answer := e.press(client, "coloured-"+strconv.Itoa(i), "198.51.100.1", "x-canary", newVersion)
		require.Equal(t, http.StatusAccepted, answer.StatusCode)
		assert.Equal(t, newVersion, answer.Header.Get("x-canary"), "the answer has the colour")
	}
	assert.EqualValues(t, 10, s.sold(canary))
	assert.Zero(t, s.sold(stable))

	const presses = 600
	for i := range presses {
		answer := e.press(client, "weighed-"+strconv.Itoa(i), "198.51.100.1", "x-canary", "1.0.0")
		require.Equal(t, http.StatusAccepted, answer.StatusCode)
		assert.Empty(t, answer.Header.Values("x-canary"), "an app has nothing to send back that would keep it there")
	}
	byWeight := int(s.sold(canary)) - 10
	assert.EqualValues(t, presses-byWeight, s.sold(stable))
	assert.Greater(t, byWeight, 0)
	assert.Less(t, byWeight, presses*15/100, "5 %% by weight, also with the colour of an earlier version")

	for _, stranger := range []string{"", "other.example"} {
		answer, err := e.client(stranger).Get("https://" + e.address + "/v1/time")
		if err == nil {
			_ = answer.Body.Close() // the test fails below
		}
		require.Error(t, err, "certificate %q", stranger)
	}
	hidden, err := client.Get("https://" + e.address + "/metrics")
	require.NoError(t, err)
	require.NoError(t, hidden.Body.Close())
	assert.Equal(t, http.StatusNotFound, hidden.StatusCode)

	s.rules(object{"address": object{"per_second": 1, "burst": 1}, "buyer": nil})
	limited := func(buyer, forwarded string) bool {
		answer := e.press(client, buyer, forwarded, "x-canary", newVersion)
		return answer.StatusCode == http.StatusTooManyRequests
	}
	require.Eventually(t, func() bool { return limited("l", "203.0.113.9") }, 20*time.Second, 5*time.Millisecond,
		"the limit of an address is on")
	assert.False(t, limited("other", "203.0.113.10"), "another address has a limit of its own")
	assert.True(t, limited("same", "192.0.2.7, 203.0.113.10"), "what the buyer wrote is left of what the edge saw")
}

// ownNetworks returns the networks of this machine's addresses: for a peer on the loopback address Envoy appends an address of
// its machine to X-Forwarded-For.
func ownNetworks(t testing.TB) (networks []string) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, one := range addresses {
		if network, is := one.(*net.IPNet); is && network.IP.To4() != nil {
			networks = append(networks, (&net.IPNet{IP: network.IP.Mask(network.Mask), Mask: network.Mask}).String())
		}
	}
	return networks
}

// build returns the metric of a gateway that names its version.
func (s *stack) build(g *gateway) string {
	s.t.Helper()
	for name := range s.metrics(g.Operators) {
		if strings.HasPrefix(name, "flashsale_build_info") {
			return name
		}
	}
	return ""
}
