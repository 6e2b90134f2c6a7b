package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// object is a JSON object of an answer.
type object = map[string]any

// reply is one HTTP answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// json decodes the body as an object.
func (r reply) json(s *stack) object {
	s.t.Helper()
	var decoded object
	require.NoError(s.t, json.Unmarshal(r.body, &decoded), "%s", r.body)
	return decoded
}

var operatorClient = &http.Client{Timeout: 60 * time.Second}

// operate sends a request to the operators' API of the first gateway.
func (s *stack) operate(method, path string, body any) reply {
	s.t.Helper()
	return s.request(method, "http://"+s.Gateways[0].Operators+path, body, "Authorization", "Bearer "+adminToken)
}

// request sends a request with the headers given as pairs. A body is a string, bytes, or something to encode as JSON.
func (s *stack) request(method, url string, body any, headers ...string) reply {
	s.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = bytes.NewReader([]byte(b))
	case []byte:
		content = bytes.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		require.NoError(s.t, err)
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, url, content)
	require.NoError(s.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := operatorClient.Do(request)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	content2, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return reply{answer.StatusCode, answer.Header, content2}
}

// definition is the body of a sale's PUT.
type definition struct {
	Name          string      `json:"name"`
	StartsAt      string      `json:"starts_at"`
	EndsAt        string      `json:"ends_at"`
	Currency      string      `json:"currency,omitempty"`
	PerBuyerLimit int         `json:"per_buyer_limit,omitempty"`
	SaleLimit     int         `json:"per_buyer_sale_limit,omitempty"`
	PaymentTTL    *int        `json:"payment_ttl_s,omitempty"`
	Eligibility   string      `json:"eligibility,omitempty"`
	Buckets       int         `json:"buckets,omitempty"`
	Items         []stockItem `json:"items"`
}

type stockItem struct {
	SKU           string `json:"sku"`
	Stock         int    `json:"stock"`
	PriceCents    int    `json:"price_cents"`
	Name          string `json:"name,omitempty"`
	PerBuyerLimit *int   `json:"per_buyer_limit,omitempty"`
}

// lasting defines a sale that began a minute ago and lasts an hour.
func lasting(items ...stockItem) definition {
	return definition{Name: "Rush", StartsAt: at(-time.Minute), EndsAt: at(time.Hour), PerBuyerLimit: 1, Items: items}
}

func phone(stock int) stockItem { return stockItem{SKU: "phone", Stock: stock, PriceCents: 129900} }

// at formats the moment after from now, by this machine's clock, which is also that of Redis.
func at(after time.Duration) string { return time.Now().Add(after).UTC().Format(sale.TimeLayout) }

// create puts a sale and has it preloaded.
func (s *stack) create(id string, d definition) {
	s.t.Helper()
	made := s.operate("PUT", "/admin/v1/sales/"+id, d)
	require.Equal(s.t, http.StatusCreated, made.status, "%s", made.body)
}

// move takes a sale to its next state.
func (s *stack) move(id, verb string) {
	s.t.Helper()
	moved := s.operate("POST", "/admin/v1/sales/"+id+"/"+verb, nil)
	require.Equal(s.t, http.StatusOK, moved.status, "%s %s: %s", verb, id, moved.body)
}

// open creates a sale and takes it to open; the gateways sell when it returns.
func (s *stack) open(id string, d definition) {
	s.t.Helper()
	s.create(id, d)
	s.move(id, "preload")
	s.move(id, "open")
	for _, g := range s.Gateways {
		s.eventuallyState(g, id, "open")
	}
}

// eventuallyState waits until a gateway shows the state in the sale view: at most a second, by the contract.
func (s *stack) eventuallyState(g *gateway, id, state string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		view := s.request("GET", "http://"+g.Buyers+"/v1/sales/"+id, nil)
		return view.status == http.StatusOK && view.json(s)["state"] == state
	}, 5*time.Second, 5*time.Millisecond, "gateway %s does not show %s as %s", g.Buyers, id, state)
}
