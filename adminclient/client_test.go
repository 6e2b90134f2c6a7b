package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// The tests of the client against the API are in package admin.

const token = "operators-token-0123456789"

// ask returns a client of a server with the given handler.
func ask(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL, token)
	require.NoError(t, err)
	return c
}

// answers is a handler that gives each route of the operators' API one answer, and 404 for every other path.
func answers(routes map[string]string) *http.ServeMux {
	mux := http.NewServeMux()
	for route, answer := range routes {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				http.Error(w, "no token", http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, answer) // the test reads it or fails
		})
	}
	return mux
}

// Every method requests its own route with the operators' token and returns the answer.
func TestEveryMethodAsksItsRoute(t *testing.T) {
	ctx, lines := t.Context(), strings.NewReader("b")
	routes := map[string]func(*Client) ([]byte, error){
		"PUT /admin/v1/sales/s": func(c *Client) ([]byte, error) { return c.PutSale(ctx, "s", []byte("{}")) },
		"PUT /admin/v1/sales/s/buyers": func(c *Client) ([]byte, error) {
			return c.PutBuyers(ctx, "s", lines)
		},
		"POST /admin/v1/sales/s/open":    func(c *Client) ([]byte, error) { return c.Move(ctx, "s", "open") },
		"POST /admin/v1/sales/s/preload": func(c *Client) ([]byte, error) { return c.Preload(ctx, "s", nil) },
		"GET /admin/v1/sales/s":          func(c *Client) ([]byte, error) { return c.Sale(ctx, "s") },
		"DELETE /admin/v1/sales/s":       func(c *Client) ([]byte, error) { return c.Archive(ctx, "s") },
		"GET /admin/v1/sales":            func(c *Client) ([]byte, error) { return c.Sales(ctx) },
		"GET /admin/v1/sales/s/stats":    func(c *Client) ([]byte, error) { return c.Stats(ctx, "s") },
		"GET /admin/v1/rules":            func(c *Client) ([]byte, error) { return c.Rules(ctx) },
		"PUT /admin/v1/rules":            func(c *Client) ([]byte, error) { return c.PutRules(ctx, []byte("{}")) },
		"POST /admin/v1/sales/s/items/a%20b/stock": func(c *Client) ([]byte, error) {
			return c.ChangeStock(ctx, "s", "a b", "k", -5)
		},
		"GET /admin/v1/orders/7": func(c *Client) ([]byte, error) { return c.Order(ctx, 7) },
	}
	for route, call := range routes {
		want := fmt.Sprintf("{%q: 1}", route)
		got, err := call(ask(t, answers(map[string]string{route: want})))
		require.NoError(t, err, route)
		require.Equal(t, want, string(got))
	}
}

func TestClientOfSomethingElse(t *testing.T) {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /admin/v1/rules", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>a proxy's page", http.StatusBadGateway)
	})
	pages.HandleFunc("GET /admin/v1/sales", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100") // the body is shorter
	})
	pages.HandleFunc("POST /admin/v1/sales/cut/preload", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: progress\ndata: {\"done\":1,\"total\":2}\n\n") // the test reads it or fails
	})
	c := ask(t, pages)
	var refusal *Refusal
	_, err := c.Rules(t.Context())
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 502, refusal.Status)
	_, err = c.Sales(t.Context())
	require.ErrorIs(t, err, ErrUnreadable)
	_, err = c.Preload(t.Context(), "cut", func(int, int) {})
	require.ErrorIs(t, err, errStreamEnded)
	for _, address := range []string{"", "127.0.0.1:8081", "ftp://x", "http://", "http://x:y:z"} {
		_, err = NewClient(address, token)
		require.Error(t, err, address)
	}
}

func TestReadPreloadEndsWithItsProblem(t *testing.T) {
	problem := `event: problem` + "\n" + `data: {"status":503,"code":"unavailable","detail":"d"}` + "\n\n"
	_, err := readPreload(strings.NewReader(problem), nil)
	require.EqualError(t, err, "unavailable (503): d")
	_, err = readPreload(strings.NewReader("event: progress\ndata: no JSON\n"), nil)
	require.Error(t, err)
	_, err = readPreload(broken{}, nil)
	require.ErrorIs(t, err, errStreamEnded)
}

// audited is an API with one sale. Each request reads the next stock; the last one stays.
func audited(stocks ...sale.Stock) http.Handler {
	mux := answers(map[string]string{
		"GET /admin/v1/sales": `{"sales":[{"sale":"s","state":"open"},{"sale":"draft","state":"draft"}]}`,
	})
	mux.HandleFunc("GET /admin/v1/sales/s/audit", func(w http.ResponseWriter, _ *http.Request) {
		stock := stocks[0]
		if len(stocks) > 1 {
			stocks = stocks[1:]
		}
		_ = json.NewEncoder(w).Encode(sale.Audit{Holds: stock.Holds(), Items: []sale.AuditItem{
			{Sale: "s", SKU: "phone", Stock: stock, Difference: stock.Difference()},
		}})
	})
	return mux
}

// certificate is the result of a second reading.
type certificate struct {
	violated bool
	fails    error
}

func (c certificate) Violated() bool { return c.violated }

func (c certificate) Print(out io.Writer) error {
	_, err := io.WriteString(out, "certificate\n")
	return err
}

func TestAuditPrintsAndDecides(t *testing.T) {
	whole, onTheWay := sale.Stock{Loaded: 10, Available: 8, Settled: 2}, sale.Stock{Loaded: 10, Available: 8, InFlight: 2}
	less := sale.Stock{Loaded: 10, Available: 7, Settled: 2}
	for name, test := range map[string]struct {
		stocks      []sale.Stock
		wait        time.Duration
		certificate *certificate
		want        error
		prints      string
	}{
		"holds":                     {stocks: []sale.Stock{whole}, prints: "yes"},
		"does not hold":             {stocks: []sale.Stock{less}, want: ErrBooksDoNotHold, prints: "NO"},
		"on the way":                {stocks: []sale.Stock{onTheWay}, prints: "yes"},
		"waits until it is settled": {stocks: []sale.Stock{onTheWay, onTheWay, whole}, wait: time.Minute, prints: "yes"},
		"waits in vain": {
			stocks: []sale.Stock{onTheWay}, wait: 20 * time.Millisecond, want: ErrStillInFlight, prints: "yes",
		},
		"certified": {stocks: []sale.Stock{whole}, certificate: &certificate{}, prints: "certificate"},
		"the certificate is violated": {
			stocks: []sale.Stock{whole}, certificate: &certificate{violated: true}, want: ErrBooksDoNotHold,
			prints: "certificate",
		},
		"the stores could not be read": {
			stocks: []sale.Stock{whole}, certificate: &certificate{fails: errFull}, want: ErrUnreadable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			request := AuditRequest{Wait: test.wait, Poll: time.Millisecond}
			if test.certificate != nil {
				request.Certify = func(context.Context) (Certificate, error) { return *test.certificate, test.certificate.fails }
			}
			err := ask(t, audited(test.stocks...)).PrintAudit(t.Context(), &out, request)
			require.ErrorIs(t, err, test.want)
			require.Contains(t, out.String(), test.prints)
		})
	}
}

func TestAuditThatCannotBePrinted(t *testing.T) {
	c := ask(t, audited(sale.Stock{Loaded: 10, Available: 10}))
	for _, asJSON := range []bool{true, false} {
		err := c.PrintAudit(t.Context(), full{}, AuditRequest{JSON: asJSON})
		require.ErrorIs(t, err, errFull)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// broken is a reader that always fails.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cable pulled") }

// A stock change carries its key, and its number in the body.
func TestChangeStockSendsItsKey(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /admin/v1/sales/s/items/a/stock", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, `{"add":-5}`, string(body))
		assert.Equal(t, `"my key"`, r.Header.Get("Idempotency-Key"))
		_, _ = io.WriteString(w, `{}`) // the test reads it or fails
	})
	_, err := ask(t, mux).ChangeStock(t.Context(), "s", "a", "my key", -5)
	require.NoError(t, err)
}

// Archived sales are asked for by the query alone.
func TestAllSalesAsksForArchivedOnes(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/v1/sales", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.RawQuery) // the test reads it or fails
	})
	got, err := ask(t, mux).AllSales(t.Context())
	require.NoError(t, err)
	require.Equal(t, "archived=true", string(got))
	got, err = ask(t, mux).Sales(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestRefusalsNameEveryMember(t *testing.T) {
	require.EqualError(t, &Refusal{Status: 400, Code: "malformed", Detail: "name: is required", Field: "name",
		Errors: []FieldFault{{"name", "is required"}, {"buckets", "must be 1 to 64"}}},
		"malformed (400): name: is required\nbuckets: must be 1 to 64")
}

func ExampleRefusal() {
	fmt.Println(&Refusal{Status: 409, Code: "wrong_state", Detail: "open is not possible: the sale is draft"})
	// Output: wrong_state (409): open is not possible: the sale is draft
}

// A refusal that is not about the sale names the API's address and the next step.
func TestAuditNamesTheAPIThatRefuses(t *testing.T) {
	for status, step := range map[int]string{
		401: "set admin.token", 403: "set admin.token to a token with this right", 503: "/readyz and its log name", 404: "",
	} {
		refuses := http.NewServeMux()
		answer := func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"status":%d,"code":"no","detail":"d"}`, status) // the client reads it or the test fails
		}
		refuses.HandleFunc("GET /admin/v1/sales", answer)
		refuses.HandleFunc("GET /admin/v1/sales/s/audit", answer)
		c := ask(t, refuses)
		for _, id := range []string{"", "s"} {
			_, err := c.Audit(t.Context(), id)
			require.ErrorIs(t, err, ErrUnreadable)
			require.ErrorContains(t, err, fmt.Sprintf("no (%d): d", status))
			if step == "" {
				require.NotContains(t, err.Error(), "http://", "an answer about the sale")
				continue
			}
			require.ErrorContains(t, err, "this is the answer of http://127.0.0.1")
			require.ErrorContains(t, err, step)
		}
	}
}
