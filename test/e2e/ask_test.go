package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// ask is one purchase. A zero member means the value in its comment, so that the zero ask with a buyer is a purchase that
// is taken.
type ask struct {
	gateway int
	sale    string // "rush"
	sku     string // "phone"
	lines   string // JSON of the lines of an order: it goes to the path of the sale, and sku and body are not used
	ofSale  bool   // the path of the sale, with body
	method  string // POST
	buyer   string // signs a token for it
	bearer  string // instead of buyer: the token itself; "-" for no token
	key     string // the header's value, verbatim
	body    string
}

func (a ask) path() string {
	if a.ofSale || a.lines != "" {
		return "/v1/sales/" + orElse(a.sale, "rush") + "/orders"
	}
	return "/v1/sales/" + orElse(a.sale, "rush") + "/items/" + orElse(a.sku, "phone") + "/orders"
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// buy sends the purchase.
func (s *stack) buy(a ask) reply {
	s.t.Helper()
	var headers []string
	if a.key != "" {
		headers = append(headers, "Idempotency-Key", a.key)
	}
	if a.bearer != "-" {
		headers = append(headers, "Authorization", "Bearer "+orElse(a.bearer, token(a.buyer)))
	}
	if a.lines != "" {
		a.body = `{"lines":` + a.lines + "}"
	}
	var body any
	if a.body != "" {
		body = a.body
	}
	return s.request(orElse(a.method, "POST"), "http://"+s.Gateways[a.gateway].Buyers+a.path(), body, headers...)
}

// read sends a GET to the buyers' listener as a buyer.
func (s *stack) read(path, buyer string) reply {
	s.t.Helper()
	return s.request("GET", "http://"+s.Gateways[0].Buyers+path, nil, "Authorization", "Bearer "+token(buyer))
}

// refused checks everything that all refusals share and returns the members.
func (s *stack) refused(r reply, status int, code string, members ...string) object {
	s.t.Helper()
	require.Equal(s.t, status, r.status, "%s", r.body)
	decoded := r.json(s)
	require.Equal(s.t, code, decoded["code"], "%s", r.body)
	assert.EqualValues(s.t, status, decoded["status"])
	assert.Equal(s.t, "/problems/"+code, decoded["type"])
	assert.NotEmpty(s.t, decoded["title"])
	assert.NotEmpty(s.t, decoded["detail"])
	assert.Equal(s.t, "application/problem+json", strings.Split(r.header.Get("Content-Type"), ";")[0])
	assert.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	want := append([]string{"type", "title", "status", "code", "detail"}, members...)
	for name := range decoded {
		assert.Contains(s.t, want, name, "a member that the contract does not have: %s", r.body)
	}
	for _, name := range members {
		assert.Contains(s.t, decoded, name)
	}
	assert.Equal(s.t, slices.Contains(codesWithRetryAfter, code), r.header.Get("Retry-After") != "", "Retry-After of %s", code)
	for name := range r.header {
		assert.NotContains(s.t, strings.ToLower(name), "ratelimit", "limits are not disclosed to bots")
	}
	return decoded
}

// boughtMembers are those of already_bought where the limit is that of a SKU.
var boughtMembers = []string{"scope", "sku", "limit", "bought", "order_id"}

var codesWithRetryAfter = []string{"not_started", "not_confirmed", "paused", "fenced", "rate_limited", "overloaded",
	"unavailable", "unknown"}

// retryWithin checks that Retry-After is whole seconds in the range.
func (s *stack) retryWithin(r reply, low, high int) {
	s.t.Helper()
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	require.NoError(s.t, err)
	assert.GreaterOrEqual(s.t, seconds, low)
	assert.LessOrEqual(s.t, seconds, high)
}

// order is an order as buyers see it. SKU, Quantity and UnitPriceCents are those of an order of one line.
type order struct {
	OrderID        string         `json:"order_id"`
	Status         string         `json:"status"`
	Reason         string         `json:"reason"`
	Sale           string         `json:"sale"`
	SKU            string         `json:"sku"`
	Quantity       int            `json:"quantity"`
	UnitPriceCents int64          `json:"unit_price_cents"`
	Lines          []history.Line `json:"lines"`
	TotalCents     int64          `json:"total_cents"`
	Currency       string         `json:"currency"`
	CreatedAt      string         `json:"created_at"`
	UpdatedAt      string         `json:"updated_at"`
	PayBy          string         `json:"pay_by"`
}

// ordered decodes an answer that is an order, and checks its status and its members.
func (s *stack) ordered(r reply, status int) order {
	s.t.Helper()
	require.Equal(s.t, status, r.status, "%s", r.body)
	var o order
	decoder := json.NewDecoder(strings.NewReader(string(r.body)))
	decoder.DisallowUnknownFields()
	require.NoError(s.t, decoder.Decode(&o), "%s", r.body)
	for name, value := range map[string]string{"order_id": o.OrderID, "status": o.Status, "sale": o.Sale, "currency": o.Currency,
		"created_at": o.CreatedAt, "updated_at": o.UpdatedAt} {
		assert.NotEmpty(s.t, value, name)
	}
	s.sumsUp(&o)
	return o
}

// sumsUp checks that the lines of an order add up, and that an order of one line has its members at the top too.
func (s *stack) sumsUp(o *order) {
	s.t.Helper()
	require.NotEmpty(s.t, o.Lines)
	total := int64(0)
	for _, line := range o.Lines {
		assert.NotEmpty(s.t, line.SKU)
		assert.Positive(s.t, line.Quantity)
		total += int64(line.Quantity) * line.UnitPriceCents
	}
	assert.Equal(s.t, total, o.TotalCents)
	top := history.Line{SKU: o.SKU, Quantity: o.Quantity, UnitPriceCents: o.UnitPriceCents}
	if len(o.Lines) == 1 {
		assert.Equal(s.t, o.Lines[0], top)
	} else {
		assert.Zero(s.t, top)
	}
}

// taken buys and returns the order of the 202.
func (s *stack) taken(a ask) order {
	s.t.Helper()
	r := s.buy(a)
	o := s.ordered(r, http.StatusAccepted)
	assert.Equal(s.t, a.path()+"/"+o.OrderID, r.header.Get("Location"))
	assert.Contains(s.t, []string{"queued", "held"}, o.Status)
	assert.Empty(s.t, o.Reason)
	return o
}
