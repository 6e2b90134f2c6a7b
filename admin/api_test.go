package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/access"
	"flashsale/sale"
)

const (
	adminToken    = "operators-token-0123456789"
	shopToken     = "shops-token-0123456789"
	viewerToken   = "viewers-token-0123456789"
	operatorToken = "night-shifts-token-0123456789"
)

var testTokens = []access.Token{
	{Name: "admin", Role: sale.RoleAdmin, Secret: adminToken}, {Name: "shop", Role: sale.RoleShop, Secret: shopToken},
	{Name: "wall", Role: sale.RoleViewer, Secret: viewerToken}, {Name: "night", Role: sale.RoleOperator, Secret: operatorToken},
}

// bench is an API over fakes, served by a real server.
type bench struct {
	t        *testing.T
	api      *API
	store    *fakeStore
	letters  *fakeLetters
	stock    *fakeStock
	url      string
	ready    map[string]string
	registry *prometheus.Registry
	way      *fakeWay
	archiver *fakeArchiver
	pulses   *fakePulses
	level    *fakeLevel
}

func newBench(t *testing.T, adjust ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, store: newFakeStore(), way: &fakeWay{
		held: map[sale.OrderID]sale.PendingOrder{}, queued: map[sale.OrderID]sale.PendingOrder{},
	}}
	b.stock, b.letters = newFakeStock(b.store), &fakeLetters{Database: b.store.Database}
	b.archiver = &fakeArchiver{store: b.store, stock: b.stock}
	options := Options{
		Tokens: testTokens, Version: "1.2.3", Partitions: 8,
		LeaseWait: 5 * time.Second, AuditWait: 50 * time.Millisecond, StatsEvery: 5 * time.Millisecond,
		Now:    func() time.Time { return tenOClock },
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
	for _, change := range adjust {
		change(&options)
	}
	b.pulses, b.level = newFakePulses(), &fakeLevel{}
	b.registry = prometheus.NewRegistry()
	b.registry.MustRegister(NewBuildInfo("1.2.3", "abc"))
	b.api = New(options, Deps{
		Sales: b.store, Preloads: b.store, Rules: b.store, Orders: b.store, Feed: b.store,
		DeadLetters: b.letters, Decisions: b.store, Holds: b.store, Stock: b.stock,
		Gateways: b.store, Archives: b.store, Archiver: b.archiver, Trail: b.store, LogLevel: b.level, Process: "host/1/aa",
		Journals: b.way, Tail: b.way,
		Gatherer: b.registry, Registerer: b.registry, Ready: func() map[string]string { return b.ready },
		Live: b.store, Pulses: b.pulses, Stores: NewStoreWatch(slog.New(slog.DiscardHandler), b.pulses.probes()...),
	})
	b.api.strangers.pace = time.Microsecond // the tests send many wrong tokens
	b.url = listen(t, b.api)
	return b
}

// listen serves a handler as the process does: NewServer on a ProblemListener.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(handler)
	server.Listener = ProblemListener(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// reply is an answer that was read completely.
type reply struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

func (b *bench) ask(method, path, body string, headers ...string) *reply {
	b.t.Helper()
	return b.askStream(method, path, strings.NewReader(body), headers...)
}

func (b *bench) askStream(method, path string, body io.Reader, headers ...string) *reply {
	b.t.Helper()
	return do(b.t, b.request(method, path, body, headers...))
}

func (b *bench) request(method, path string, body io.Reader, headers ...string) *http.Request {
	b.t.Helper()
	request, err := http.NewRequest(method, b.url+path, body)
	require.NoError(b.t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			request.Header.Del(headers[i])
			continue
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	return request
}

func do(t *testing.T, request *http.Request) *reply {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return &reply{t: t, Status: response.StatusCode, Header: response.Header, Body: read}
}

// is checks for a success and decodes the answer.
func (r *reply) is(status int) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "%s", r.Body)
	require.Equal(r.t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(r.t, "no-store", r.Header.Get("Cache-Control"))
	var value map[string]any
	require.NoError(r.t, json.Unmarshal(r.Body, &value), "%s", r.Body)
	return value
}

// problem checks the members that every error has and decodes the answer.
func (r *reply) problem(status int, code string) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "%s", r.Body)
	require.Equal(r.t, sale.ProblemType, r.Header.Get("Content-Type"))
	require.Equal(r.t, "no-store", r.Header.Get("Cache-Control"))
	var value map[string]any
	require.NoError(r.t, json.Unmarshal(r.Body, &value), "%s", r.Body)
	require.Equal(r.t, code, value["code"])
	require.Equal(r.t, "/problems/"+code, value["type"])
	require.EqualValues(r.t, status, value["status"])
	require.NotEmpty(r.t, value["title"])
	require.NotEmpty(r.t, value["detail"])
	if status == http.StatusServiceUnavailable {
		require.Contains(r.t, []string{"1", "2", "3"}, r.Header.Get("Retry-After"))
	}
	return value
}

// field checks that the answer names the bad input.
func (r *reply) field(name string) {
	r.t.Helper()
	require.Equal(r.t, name, r.problem(http.StatusBadRequest, "malformed")["field"], "%s", r.Body)
}

const phoneSale = `{"name":"Phones","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z",
"items":[{"sku":"phone","stock":10,"price_cents":129900}]}`

// item builds a sale's body with one member of its only item replaced or added.
func item(members string) string {
	return `{"name":"n","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z","items":[{` + members + `}]}`
}

// bring creates a sale and applies the API's own moves to it.
func (b *bench) bring(id, body string, moves ...string) {
	b.t.Helper()
	b.ask("PUT", "/admin/v1/sales/"+id, body).is(201)
	for _, move := range moves {
		b.ask("POST", "/admin/v1/sales/"+id+"/"+move, "").is(200)
	}
}

func TestAnswersEveryErrorAsProblem(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{
		"/", "/nothing", "/admin/v1/sales/", "/admin/v1/sales/s/", "/admin//v1/sales", "/admin/v1/../v1/sales",
		"/admin/v1/sales/s/refund", "/livez/", "/v1/sales/s",
	} {
		// An unknown path is answered 404 with any token and without one.
		b.ask("GET", path, "", "Authorization", "").problem(404, "not_found")
	}
	for path, allow := range map[string]string{
		"/admin/v1/sales":              "GET, HEAD",
		"/admin/v1/sales/s":            "DELETE, GET, HEAD, PUT",
		"/admin/v1/sales/s/preload":    "POST",
		"/admin/v1/rules":              "GET, HEAD, PUT",
		"/admin/v1/sales/s/audit":      "GET, HEAD",
		"/admin/v1/orders/1/payment":   "PUT",
		"/admin/v1/sales/s/buyers":     "PUT",
		"/openapi.json":                "GET, HEAD",
		"/admin/v1/sales/none%2F/open": "POST",
	} {
		r := b.ask("PATCH", path, "", "Authorization", "")
		r.problem(405, "method_not_allowed")
		require.Equal(t, allow, r.Header.Get("Allow"), path)
	}
}

func TestChecksTheTokenBeforeTheIDs(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for _, route := range b.api.routes() {
		if route.need == public || route.path == sessionPath {
			continue
		}
		for _, id := range []string{"s", "unknown", "-no-id"} {
			path := strings.NewReplacer("{sale}", id, "{order_id}", id, "{sku}", id, "{id}", id).Replace(route.path)
			for _, header := range []string{"", "Bearer wrong", "Bearer ", "Bearer", "Basic " + adminToken, adminToken} {
				r := b.ask(route.method, path, "no json", "Authorization", header)
				r.problem(401, "unauthenticated")
				require.Equal(t, "Bearer", r.Header.Get("WWW-Authenticate"))
			}
		}
	}
	b.ask("GET", "/admin/v1/sales/-no-id", "").problem(404, "sale_not_found")
	b.ask("GET", "/admin/v1/sales/unknown", "", "Authorization", "bearer  "+adminToken).problem(404, "sale_not_found")
}

func TestRefusesTwoTokens(t *testing.T) {
	b := newBench(t)
	request := b.request("GET", "/admin/v1/sales", nil)
	request.Header.Add("Authorization", "Bearer "+adminToken)
	do(t, request).problem(401, "unauthenticated")
}

// bodies are valid bodies by the path of the route.
var bodies = map[string]string{
	"/admin/v1/sales/{sale}": phoneSale, "/admin/v1/sales/{sale}/items/{sku}/stock": `{"add":1}`,
	"/admin/v1/rules": "{}", "/admin/v1/orders/{order_id}/payment": `{"payment_id":"p-1"}`,
	"/admin/v1/orders/{order_id}/pay_by": `{"pay_by":"2026-11-12T10:00:00Z"}`,
}

// Every route for every role: a role that may not is refused with the role that is needed, before anything else; one that may
// is not.
func TestRoles(t *testing.T) {
	b := newBench(t)
	may := map[need]string{
		signedIn: "viewer operator admin shop", reads: "viewer operator admin", moves: "operator admin", decides: "admin",
		shopReads: "viewer operator admin shop", shopMoves: "operator admin shop",
	}
	for _, route := range b.api.routes() {
		if route.need == public {
			continue
		}
		path := unknownPath(route.path)
		for _, token := range testTokens {
			r := b.ask(route.method, path, bodies[route.path], "Authorization", "Bearer "+token.Secret)
			if strings.Contains(may[route.need], string(token.Role)) {
				require.NotContains(t, []int{401, 403}, r.Status, "%s %s as %s", route.method, path, token.Role)
				continue
			}
			problem := r.problem(403, "forbidden")
			require.Equal(t, string(needs[route.need].least), problem["role"])
			require.Contains(t, may[route.need], problem["role"])
		}
		b.ask(route.method, path, bodies[route.path], "Authorization", "").problem(401, "unauthenticated")
	}
	require.Equal(t, 403, b.ask("GET", "/debug/pprof/heap", "", "Authorization", "Bearer "+viewerToken).Status)
	require.Equal(t, 200, b.ask("GET", "/debug/pprof/heap", "", "Authorization", "Bearer "+operatorToken).Status)
}

func unknownPath(route string) string {
	return strings.NewReplacer("{sale}", "unknown", "{order_id}", "77", "{sku}", "phone", "{id}", "0-0").Replace(route)
}

func TestEmptyTokensLetNobodyIn(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Tokens = nil })
	for _, header := range []string{"Bearer ", "Bearer", "Bearer " + adminToken} {
		b.ask("GET", "/admin/v1/sales", "", "Authorization", header).problem(401, "unauthenticated")
		b.ask("GET", "/admin/v1/orders/1", "", "Authorization", header).problem(401, "unauthenticated")
	}
}

func TestHeadAnswersAsGetWithoutBody(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	b.store.SeedOrder(sale.Order{OrderID: 77})
	b.letter(1, 2, nil)
	for _, route := range b.api.routes() {
		if route.method != http.MethodGet {
			continue
		}
		path := strings.NewReplacer("{sale}", "s", "{order_id}", "77", "{sku}", "phone", "{id}", "1-2").Replace(route.path)
		get, head := b.ask("GET", path, ""), b.ask("HEAD", path, "")
		require.Equal(t, 200, get.Status, "%s %s", path, get.Body)
		require.Equal(t, get.Status, head.Status, path)
		require.Equal(t, get.Header.Get("Content-Type"), head.Header.Get("Content-Type"), path)
		require.Empty(t, head.Body, path)
		require.NotEmpty(t, get.Body, path)
	}
	refused := b.ask("HEAD", "/admin/v1/sales/unknown", "")
	require.Equal(t, 404, refused.Status)
	require.Empty(t, refused.Body)
}

func TestIgnoresUnknownQueryMembers(t *testing.T) {
	b := newBench(t)
	require.Equal(t, []any{}, b.ask("GET", "/admin/v1/sales?page=7&x", "").is(200)["sales"])
}

func TestStoreFaultsAreUnavailable(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.store.set(func() { b.store.away = true })
	for _, route := range b.api.routes() {
		if route.need == public || route.path == sessionPath || route.path == logLevelPath { // these need no store
			continue
		}
		path := strings.NewReplacer("{sale}", "s", "{order_id}", "77", "{sku}", "phone", "{id}", "1-2").Replace(route.path)
		r := b.ask(route.method, path, bodies[route.path])
		problem := r.problem(503, "unavailable")
		require.NotContains(t, problem["detail"], errAway.Error(), "the text of a driver is only logged")
		require.Contains(t, problem["detail"], "the request to the database failed")
	}
}

// An answer with unavailable names the store that failed.
func TestUnavailableNamesTheStore(t *testing.T) {
	for store, says := range map[sale.Store]string{
		sale.StoreRedis: "request to Redis", sale.StoreKafka: "request to Kafka", sale.StoreDatabase: "request to the database",
		sale.StoreSettlement: "is flashsale settle running?",
	} {
		problem, fault := problemOf(fmt.Errorf("preload sale s: %w", sale.Away(store, errAway)))
		require.True(t, fault)
		require.Contains(t, problem.Detail, says)
		require.NotContains(t, problem.Detail, errAway.Error())
	}
}

// TestWhatOnlyAnOperatorCanMendIsTold: the answer names the faults that only an operator can repair; the other faults
// of a store are only logged.
func TestWhatOnlyAnOperatorCanMendIsTold(t *testing.T) {
	for _, cause := range []error{sale.ErrForeign, sale.ErrBehind, sale.ErrRights} {
		problem, fault := problemOf(fmt.Errorf("preload sale s: %w: delete key k", cause))
		require.True(t, fault)
		require.Equal(t, 503, problem.Status)
		require.Contains(t, problem.Detail, "delete key k")
	}
}

func TestPanicIsAProblem(t *testing.T) {
	b := newBench(t)
	b.api.deps.Ready = func() map[string]string { panic("impossible state 7") }
	b.api.mux = http.NewServeMux()
	b.api.mux.Handle("GET /readyz", b.api.serve(route{need: public, handle: serveReady(b.api.deps.Ready, nil, nil)}))
	b.ask("GET", "/readyz", "").problem(500, "internal")
}
