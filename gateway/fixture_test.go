package gateway

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var (
	secret   = []byte("0123456789abcdef0123456789abcdef")
	previous = []byte("fedcba9876543210fedcba9876543210")
	noon     = time.Date(2026, 11, 11, 12, 0, 0, 123_000_000, time.UTC)
)

var errAway = errors.New("the store is away")

// autumn is an open sale with one SKU.
func autumn(change ...func(*sale.Sale)) sale.Sale {
	s := sale.Sale{
		ID: "autumn", State: sale.StateOpen, Name: "Autumn \"sale\"", Currency: "CNY", PerBuyerLimit: 1, PaymentTTL: 900,
		Eligibility: sale.EligibilityOpen, StartsAt: sale.Time{Time: noon.Add(-time.Hour)},
		EndsAt: sale.Time{Time: noon.Add(time.Hour)}, Buckets: 1,
		Items: []sale.Item{{SKU: "phone", Name: "A phone", Stock: 100, PriceCents: 129900}},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// scene is a gateway on a loopback socket with fakes behind it.
type scene struct {
	t        testing.TB
	stock    *fakeStock
	database *fakeDatabase
	gateway  *Gateway
	registry *prometheus.Registry
	address  string
}

// newScene starts a gateway without its background roles: tests take one unit of work at a time, unless they call run.
func newScene(t testing.TB, change ...func(*Options, *Deps)) *scene {
	t.Helper()
	stock := newFakeStock()
	s := &scene{t: t, stock: stock, database: newFakeDatabase(stock), registry: prometheus.NewRegistry()}
	keys, err := NewSecrets(secret, previous)
	require.NoError(t, err)
	breakers, err := NewBreakers()
	require.NoError(t, err)
	options := Options{Keys: keys, Log: slog.New(slog.DiscardHandler)}
	deps := Deps{
		Catalogue: s.database, Stock: s.stock, Levels: s.stock, Orders: s.database, Cancels: s.database, Breakers: breakers,
		Registerer: s.registry,
	}
	for _, c := range change {
		c(&options, &deps)
	}
	s.gateway, err = New(options, deps)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.gateway.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.gateway.Shutdown(ctx))
		require.NoError(t, <-served)
		require.NoError(t, breakers.Load(sale.Rules{})) // Sentinel's rules are the process's
	})
	return s
}

// open publishes sales and takes them over.
func (s *scene) open(sales ...sale.Sale) *scene {
	s.t.Helper()
	s.database.publish(sales...)
	s.pollCatalogue()
	return s
}

func (s *scene) pollCatalogue() {
	s.t.Helper()
	require.NoError(s.t, s.gateway.pollCatalogue(context.Background()))
}

// run starts the background roles.
func (s *scene) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.gateway.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-ended })
}

const (
	autumnOrders = "/v1/sales/autumn/orders"
	phoneOrders  = "/v1/sales/autumn/items/phone/orders"
)

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	body   string
	closes bool // the server closes the connection
}

func (r response) members(t testing.TB) map[string]any {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &members), r.body)
	return members
}

// raw sends bytes over a new connection and reads one answer.
func (s *scene) raw(request string) response {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(s.t, err)
	defer conn.Close()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, unsent := io.WriteString(conn, request) // the write may fail: a gateway need not read all of a request that it refuses
	method, _, _ := strings.Cut(request, " ")
	reader := bufio.NewReader(conn)
	_, err = reader.Peek(1)
	require.NoError(s.t, err, "the request was sent with: %v", unsent)
	return s.read(reader, method)
}

func (s *scene) read(r *bufio.Reader, method string) response {
	s.t.Helper()
	got, err := http.ReadResponse(r, &http.Request{Method: method})
	require.NoError(s.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	require.NoError(s.t, err)
	require.True(s.t, sale.ValidRequestID([]byte(got.Header.Get("X-Request-Id"))), "every answer has an id: %v", got.Header)
	return response{status: got.StatusCode, header: got.Header, body: string(body), closes: got.Close}
}

// send makes one request; headers are "Name: value" lines.
func (s *scene) send(method, path, body string, headers ...string) response {
	s.t.Helper()
	request := method + " " + path + " HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if body != "" || method == http.MethodPost {
		request += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return s.raw(request + "\r\n" + body)
}

// press presses Buy as a buyer.
func (s *scene) press(buyer, body string, headers ...string) response {
	s.t.Helper()
	return s.send(http.MethodPost, phoneOrders, body, append(headers, bearer(buyer))...)
}

func (s *scene) get(path, buyer string) response {
	s.t.Helper()
	return s.send(http.MethodGet, path, "", bearer(buyer))
}

// refused requires a problem with exactly these members beyond the standard ones.
func (s *scene) refused(r response, o sale.Outcome, members map[string]any) {
	s.t.Helper()
	row := o.Row()
	s.problem(r, row.Status, row.Code, row.Title, members)
	if row.RetryAfter {
		require.Regexp(s.t, `^[1-9]\d*$`, r.header.Get("Retry-After"))
	} else {
		require.Empty(s.t, r.header.Get("Retry-After"))
	}
	challenge := ""
	if o == sale.OutcomeUnauthenticated {
		challenge = "Bearer"
	}
	require.Equal(s.t, challenge, r.header.Get("WWW-Authenticate"))
}

func (s *scene) problem(r response, status int, code, title string, members map[string]any) {
	s.t.Helper()
	require.Equal(s.t, status, r.status, r.body)
	require.Equal(s.t, "application/problem+json", r.header.Get("Content-Type"))
	require.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	got := r.members(s.t)
	require.NotEmpty(s.t, got["detail"])
	delete(got, "detail")
	expected := map[string]any{"type": "/problems/" + code, "title": title, "status": float64(status), "code": code}
	for name, value := range members {
		expected[name] = value
	}
	require.Equal(s.t, expected, got)
}

// counted returns flashsale_purchases_total of an outcome, of all sales and of none.
func (s *scene) counted(o sale.Outcome) (sum float64) {
	for _, n := range s.series("flashsale_purchases_total", "outcome", o.String()) {
		sum += n
	}
	return sum
}

// series returns the counters of a metric with a label, by the sale that they count.
func (s *scene) series(name, label, value string) map[string]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	found := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if family.GetName() == name && labels[label] == value {
				found[labels["sale"]] = m.GetCounter().GetValue()
			}
		}
	}
	return found
}

func (s *scene) metric(name, label, value string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if family.GetName() == name && pair.GetName() == label && pair.GetValue() == value {
					return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
			if family.GetName() == name && label == "" {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// sign makes an HS256 token of a payload.
func sign(key []byte, payload string) string {
	return signAs(key, `{"alg":"HS256","typ":"JWT"}`, payload)
}

func signAs(key []byte, header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// tokenOf is a buyer's valid token.
func tokenOf(buyer string) string {
	return sign(secret, fmt.Sprintf(`{"sub":%q,"exp":%d}`, buyer, noon.Add(time.Hour).Unix()))
}

func bearer(buyer string) string { return "Authorization: Bearer " + tokenOf(buyer) }

func newReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
