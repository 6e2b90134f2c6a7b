package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"flashsale/test/buyers"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRefusals provokes every refusal of a purchase once, with its exact status, code, members and headers, and shows
// for neighbouring rows which one wins when both apply.
func TestRefusals(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	ladder := []struct {
		name string
		test func(*stack)
	}{
		{"what a buyer asks", refuseMalformed},
		{"paths and methods", refusePaths},
		{"unknown sales and SKUs", refuseUnknown},
		{"not started", refuseNotStarted},
		{"ended", refuseEnded},
		{"paused", refusePaused},
		{"sold out", refuseSoldOut},
		{"token", refuseToken},
		{"not eligible", refuseNotEligible},
		{"rate limited", refuseRateLimited},
		{"keys", refuseReusedKey},
		{"limit", refuseOverLimit},
		{"cancelled", refuseCancelled},
		{"not enough", refuseNotEnough},
	}
	for _, rung := range ladder {
		t.Run(rung.name, func(t *testing.T) {
			part := *s
			part.t = t
			rung.test(&part)
		})
	}
	s.audit()
}

// named returns a sale id that only this rung uses.
func named(s *stack) string {
	parts := strings.Split(s.t.Name(), "/")
	return strings.ToLower(strings.ReplaceAll(parts[len(parts)-1], "_", "-"))
}

func refuseMalformed(s *stack) {
	id := named(s)
	s.open(id, lasting(phone(10)))
	for body, field := range map[string]string{
		`{`:                              "",
		`{"quantity":1`:                  "",
		`[]`:                             "",
		`"1"`:                            "",
		`null`:                           "",
		"{\"quantity\":1}\xff":           "",
		"{\"quant\xffity\":1}":           "",
		`{"quantity":1} {}`:              "",
		`{"quantity":0}`:                 "quantity",
		`{"quantity":-1}`:                "quantity",
		`{"quantity":101}`:               "quantity",
		`{"quantity":1.5}`:               "quantity",
		`{"quantity":1e99}`:              "quantity",
		`{"quantity":99999999999999999}`: "quantity",
		`{"quantity":"1"}`:               "quantity",
		`{"quantity":null}`:              "quantity",
		`{"quantity":[1]}`:               "quantity",
		`{"quantity":1,"quantity":1}`:    "quantity",
		`{"colour":"red"}`:               "colour",
		`{"quantity":1,"coupon":7}`:      "coupon",
		strings.Repeat(`[`, 4000):        "",
		`{"quantity":` + strings.Repeat(`[`, 2000) + strings.Repeat(`]`, 2000) + `}`: "quantity",
	} {
		problem := s.refused(s.buy(ask{sale: id, buyer: "b", body: body}), 400, "malformed", "field")
		if field != "" {
			assert.Equal(s.t, field, problem["field"], body)
		}
	}
	for _, key := range []string{`"unclosed`, `back\slash`, `"quo"te"`, strings.Repeat("k", 129), "tab\tbed", `""`} {
		problem := s.refused(s.buy(ask{sale: id, buyer: "b", key: key}), 400, "malformed", "field")
		assert.Equal(s.t, "Idempotency-Key", problem["field"], key)
	}
	s.refused(s.buy(ask{sale: id, buyer: "b", body: `{"quantity":1}` + strings.Repeat(" ", 5000)}), 413, "body_too_large")
	// A malformed press of an unknown sale is malformed; one without a token too.
	s.refused(s.buy(ask{sale: "nowhere", bearer: "-", body: `{`}), 400, "malformed", "field")
	for _, body := range []string{"", "{}", `{"quantity":1}`, " {\n} "} {
		s.taken(ask{sale: id, buyer: "good-" + fmt.Sprintf("%x", body), body: body})
	}
	assert.Len(s.t, s.rowsAtRest(id).rows, 4, "nothing of what was refused was taken")
}

func refusePaths(s *stack) {
	for _, path := range []string{"/", "/v1", "/v1/sales", "/v1/sales/rush/", "/v1/nothing", "/v1/sales/rush/items/phone/orders/",
		"/V1/time",
		"/v1/sales/rush/items/phone", "//v1/time", "/v1/time/../time/x"} {
		s.refused(s.request("GET", "http://"+s.Gateways[0].Buyers+path, nil), 404, "not_found")
	}
	for _, method := range []string{"PUT", "PATCH", "OPTIONS"} {
		answer := s.buy(ask{method: method, bearer: "-", body: "{"})
		s.refused(answer, 405, "method_not_allowed")
		for _, allowed := range []string{"GET", "HEAD", "POST"} {
			assert.Contains(s.t, answer.header.Get("Allow"), allowed)
		}
	}
	answer := s.request("POST", "http://"+s.Gateways[0].Buyers+"/v1/time", nil)
	s.refused(answer, 405, "method_not_allowed")
	assert.NotContains(s.t, answer.header.Get("Allow"), "POST")
}

func refuseUnknown(s *stack) {
	id := named(s)
	d := lasting(phone(1))
	d.StartsAt = at(time.Minute)
	s.create(id, d)
	s.refused(s.buy(ask{sale: id, bearer: "-"}), 404, "sale_not_found") // a draft is unknown to buyers
	for _, unknown := range []string{"nowhere", "-bad", "UPPER", strings.Repeat("a", 65), "a.b", "a{b}", "%00", "a%2Fb", ".."} {
		if unknown != ".." { // a path of dots names another path
			s.refused(s.buy(ask{sale: unknown, bearer: "-"}), 404, "sale_not_found")
			s.refused(s.request("GET", "http://"+s.Gateways[0].Buyers+"/v1/sales/"+unknown, nil), 404, "sale_not_found")
		}
	}
	s.move(id, "preload")
	s.eventuallyState(s.Gateways[0], id, "upcoming")
	for _, unknown := range []string{"watch", "PHONE", strings.Repeat("p", 65), "%7B%7D"} {
		s.refused(s.buy(ask{sale: id, sku: unknown, bearer: "-"}), 404, "sku_not_found") // above not_started
	}
}

func refuseNotStarted(s *stack) {
	id := named(s)
	d := lasting(phone(1))
	d.StartsAt = at(30 * time.Second)
	s.create(id, d)
	s.move(id, "preload")
	s.eventuallyState(s.Gateways[0], id, "upcoming")
	check := func() {
		answer := s.buy(ask{sale: id, bearer: "-"})
		problem := s.refused(answer, 409, "not_started", "starts_at", "server_time")
		assert.Equal(s.t, d.StartsAt, problem["starts_at"])
		assert.NotEmpty(s.t, problem["server_time"])
		s.retryWithin(answer, 1, 30)
	}
	check() // preloaded and before the start
	s.move(id, "open")
	check() // open and before the start
	started := named(s) + "-unopened"
	s.create(started, lasting(phone(1)))
	s.move(started, "preload")
	s.eventuallyState(s.Gateways[0], started, "upcoming")
	answer := s.buy(ask{sale: started, bearer: "-"}) // after the start and not opened
	s.refused(answer, 409, "not_started", "starts_at", "server_time")
	s.retryWithin(answer, 1, 3)
}

func refuseEnded(s *stack) {
	id := named(s)
	d := lasting(phone(1))
	d.EndsAt = at(1500 * time.Millisecond)
	s.open(id, d)
	s.move(id, "pause")
	s.eventuallyState(s.Gateways[0], id, "paused")
	s.refused(s.buy(ask{sale: id, bearer: "-"}), 503, "paused")
	s.eventuallyState(s.Gateways[0], id, "ended")
	s.refused(s.buy(ask{sale: id, bearer: "-"}), 410, "sale_ended") // above paused, and above the token
}

func refusePaused(s *stack) {
	id := named(s)
	s.open(id, lasting(phone(1)))
	s.taken(ask{sale: id, buyer: "owner"})
	s.move(id, "pause")
	answer := s.buy(ask{sale: id, buyer: "someone"}) // paused is above sold_out, also in the moment after the answer
	s.refused(answer, 503, "paused")
	s.retryWithin(answer, 1, 3)
	s.eventuallyState(s.Gateways[0], id, "paused")
	s.refused(s.buy(ask{sale: id, bearer: "-"}), 503, "paused")
	s.move(id, "resume")
	s.eventuallyState(s.Gateways[0], id, "open")
	s.refused(s.buy(ask{sale: id, buyer: "someone"}), 409, "sold_out", "sku")
}

func refuseSoldOut(s *stack) {
	id := named(s)
	s.open(id, lasting(phone(1)))
	owned := s.taken(ask{sale: id, buyer: "owner", key: "mine"})
	s.refused(s.buy(ask{sale: id, buyer: "someone"}), 409, "sold_out", "sku")
	// Once the gateway has the sold-out latch and the owners, it answers sold_out without a token.
	require.Eventually(s.t, func() bool { return s.buy(ask{sale: id, bearer: "-"}).status == 409 }, 3*time.Second,
		5*time.Millisecond)
	s.refused(s.buy(ask{sale: id, bearer: "not.a.token"}), 409, "sold_out", "sku")
	view := s.request("GET", "http://"+s.Gateways[0].Buyers+"/v1/sales/"+id, nil).json(s)
	items, _ := view["items"].([]any)
	require.Len(s.t, items, 1)
	assert.Equal(s.t, object{"sku": "phone", "name": "", "price_cents": 129900.0, "sold_out": true}, items[0])
	// The owner gets the rows further down.
	assert.Equal(s.t, owned.OrderID, s.ordered(s.buy(ask{sale: id, buyer: "owner", key: "mine"}), 200).OrderID)
	s.refused(s.buy(ask{sale: id, buyer: "owner", key: "other"}), 409, "already_bought", boughtMembers...)
	for _, name := range []string{"owner", "nobody"} { // an unsigned name changes nothing
		s.refused(s.buy(ask{sale: id, bearer: buyers.Sign("another secret of 32 bytes or more", `{"alg":"HS256"}`,
			fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, unix(time.Hour)))}), 409, "sold_out", "sku")
	}
	// Raised stock is sold within a second of the answer, without a preload and a fence.
	more := lasting(phone(2))
	more.StartsAt = s.operate("GET", "/admin/v1/sales/"+id, nil).json(s)["starts_at"].(string)
	fenced := s.watchFences(id)
	require.Equal(s.t, 200, s.operate("PUT", "/admin/v1/sales/"+id, more).status)
	s.withinASecond(time.Now(), "the unit that was added is sold", func() bool {
		return s.buy(ask{sale: id, buyer: "someone"}).status == 202
	})
	fenced()
}

func refuseToken(s *stack) {
	id := named(s)
	d := lasting(phone(5))
	d.Eligibility = "list"
	s.create(id, d)
	s.operate("PUT", "/admin/v1/sales/"+id+"/buyers", "listed\n")
	s.move(id, "preload")
	s.move(id, "open")
	s.eventuallyState(s.Gateways[0], id, "open")
	hs256 := `{"alg":"HS256","typ":"JWT"}`
	good := object{"sub": "listed", "exp": unix(time.Hour)}
	with := func(name string, value any) string {
		claims := object{"sub": "listed", "exp": unix(time.Hour)}
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
		return claimsToken(claims)
	}
	plain := fmt.Sprintf(`{"sub":"listed","exp":%d}`, unix(time.Hour))
	bad := map[string]string{
		"none":              "-",
		"no token":          "garbage",
		"two parts":         "a.b",
		"alg none":          buyers.Sign(secret, `{"alg":"none"}`, plain),
		"alg none unsigned": unsigned(buyers.Sign(secret, `{"alg":"none"}`, plain)),
		"alg HS512":         buyers.Sign(secret, `{"alg":"HS512"}`, plain),
		"other secret":      buyers.Sign("another secret of 32 bytes or more", hs256, plain),
		"expired":           with("exp", unix(-10*time.Second)),
		"no exp":            with("exp", nil),
		"exp a string":      with("exp", "tomorrow"),
		"not yet valid":     with("nbf", unix(time.Minute)),
		"no sub":            with("sub", nil),
		"empty sub":         with("sub", ""),
		"sub too long":      with("sub", strings.Repeat("b", 65)),
		"sub with a slash":  with("sub", "a/b"),
		"sub with NUL":      with("sub", "a\x00b"),
		"sub a number":      with("sub", 7),
		"oversized":         with("more", strings.Repeat("x", 5000)),
	}
	for name, bearer := range bad {
		s.t.Log(name)
		answer := s.buy(ask{sale: id, bearer: bearer})
		s.refused(answer, 401, "unauthenticated") // above not_eligible
		assert.Equal(s.t, "Bearer", strings.Split(answer.header.Get("WWW-Authenticate"), " ")[0], name)
	}
	s.refused(s.request("GET", "http://"+s.Gateways[0].Buyers+"/v1/sales/nowhere/items/x/orders", nil), 401, "unauthenticated")
	s.taken(ask{sale: id, bearer: claimsToken(good)})
	recent := object{"sub": "listed", "exp": unix(-3 * time.Second), "nbf": unix(3 * time.Second)} // within the leeway
	s.refused(s.buy(ask{sale: id, bearer: claimsToken(recent)}), 409, "already_bought", boughtMembers...)
}

func unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func refuseNotEligible(s *stack) {
	id := named(s)
	d := lasting(phone(5))
	d.Eligibility = "list"
	s.create(id, d)
	var list strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&list, "vip-%d\n", i)
	}
	uploaded := s.operate("PUT", "/admin/v1/sales/"+id+"/buyers", list.String())
	require.Equal(s.t, 200, uploaded.status, "%s", uploaded.body)
	assert.EqualValues(s.t, 5000, uploaded.json(s)["buyers"])
	s.move(id, "preload")
	s.move(id, "open")
	s.eventuallyState(s.Gateways[0], id, "open")
	s.taken(ask{sale: id, buyer: "vip-4999"})
	for i := range 50 { // some of them get past the filter: the exact look-up refuses those
		s.refused(s.buy(ask{sale: id, buyer: fmt.Sprintf("nobody-%d", i)}), 403, "not_eligible")
	}
	s.rules(object{"flow": []object{{"resource": "purchase", "qps": 0}}})
	s.refused(s.buy(ask{sale: id, buyer: "nobody"}), 403, "not_eligible") // above rate_limited
	s.refused(s.buy(ask{sale: id, buyer: "vip-1"}), 429, "rate_limited")
	s.rules(object{})
}

// rules puts a set of rules and waits a moment longer than a gateway may take to run it.
func (s *stack) rules(set object) {
	s.t.Helper()
	if _, there := set["buyer"]; !there {
		set["buyer"] = nil // the tests press with few buyers
	}
	answer := s.operate("PUT", "/admin/v1/rules", set)
	require.Equal(s.t, http.StatusOK, answer.status, "%s", answer.body)
	<-time.After(time.Second) // by the contract every gateway runs it by then
}

func refuseRateLimited(s *stack) {
	id := named(s)
	s.open(id, lasting(phone(50)))
	s.taken(ask{sale: id, buyer: "owner", key: "k"})
	s.rules(object{"flow": []object{{"resource": "purchase", "qps": 0}}})
	answer := s.buy(ask{sale: id, buyer: "owner", key: "k"}) // above the replay
	s.refused(answer, 429, "rate_limited")
	s.retryWithin(answer, 1, 3)
	s.rules(object{"buyer": object{"per_second": 0.1, "burst": 2}})
	s.taken(ask{sale: id, buyer: "patient"})
	s.refused(s.buy(ask{sale: id, buyer: "patient"}), 409, "already_bought", boughtMembers...)
	s.refused(s.buy(ask{sale: id, buyer: "patient"}), 429, "rate_limited")
	s.taken(ask{sale: id, buyer: "another"}) // the limit is each buyer's own
	s.rules(object{"address": object{"per_second": 0.1, "burst": 1}})
	s.taken(ask{sale: id, buyer: "first-from-here"})
	s.refused(s.buy(ask{sale: id, buyer: "second-from-here"}), 429, "rate_limited")
	s.rules(object{"flow": []object{{"resource": "sale", "qps": 0}, {"resource": "orders", "qps": 0}}})
	s.refused(s.request("GET", "http://"+s.Gateways[0].Buyers+"/v1/sales/"+id, nil), 429, "rate_limited")
	s.refused(s.read(ask{sale: id}.path(), "owner"), 429, "rate_limited")
	s.taken(ask{sale: id, buyer: "unhindered"})
	s.rules(object{})
	require.Equal(s.t, 200, s.read(ask{sale: id}.path(), "owner").status)
}

func refuseReusedKey(s *stack) {
	id := named(s)
	d := lasting(phone(10), stockItem{SKU: "watch", Stock: 10, PriceCents: 5})
	d.PerBuyerLimit = 3
	s.open(id, d)
	first := s.taken(ask{sale: id, buyer: "b", key: `"a key"`, body: `{"quantity":2}`})
	assert.Equal(s.t, 2, first.Quantity)
	assert.EqualValues(s.t, 129900, first.UnitPriceCents)
	assert.Equal(s.t, "CNY", first.Currency)
	assert.Equal(s.t, 900*time.Second, parseTime(s.t, first.PayBy).Sub(parseTime(s.t, first.CreatedAt)))
	again := s.buy(ask{sale: id, buyer: "b", key: `a key`, body: `{"quantity":2}`}) // quoted or bare, the same key
	assert.Equal(s.t, first.OrderID, s.ordered(again, 200).OrderID)
	assert.Equal(s.t, ask{sale: id}.path()+"/"+first.OrderID, again.header.Get("Location"))
	for _, quantity := range []string{`{"quantity":1}`, `{"quantity":4}`} { // above over_limit and already_bought
		problem := s.refused(s.buy(ask{sale: id, buyer: "b", key: "a key", body: quantity}), 422, "idempotency_key_reused",
			"order_id")
		assert.Equal(s.t, first.OrderID, problem["order_id"])
	}
	// A key belongs to buyer and sale.
	assert.NotEqual(s.t, first.OrderID, s.taken(ask{sale: id, buyer: "c", key: "a key"}).OrderID)
	other := s.refused(s.buy(ask{sale: id, sku: "watch", buyer: "b", key: "a key", body: `{"quantity":2}`}), 422,
		"idempotency_key_reused", "order_id")
	assert.Equal(s.t, first.OrderID, other["order_id"])
	elsewhere := named(s) + "-elsewhere"
	s.open(elsewhere, d)
	assert.NotEqual(s.t, first.OrderID, s.taken(ask{sale: elsewhere, sku: "watch", buyer: "b", key: "a key"}).OrderID)
	refuseReusedKeyOfLines(s, id)
	long := strings.Repeat("k", 128)
	assert.Equal(s.t, s.taken(ask{sale: id, buyer: "d", key: long}).OrderID,
		s.ordered(s.buy(ask{sale: id, buyer: "d", key: long}), 200).OrderID)
	s.rowsAtRest(id)
	confirmed := s.ordered(s.buy(ask{sale: id, buyer: "b", key: "a key", body: `{"quantity":2}`}), 200)
	assert.Equal(s.t, "confirmed", confirmed.Status, "that order as it is now")
	assert.Equal(s.t, first.CreatedAt, confirmed.CreatedAt)
}

func refuseOverLimit(s *stack) {
	id := named(s)
	d := lasting(phone(4))
	d.PerBuyerLimit = 3
	s.open(id, d)
	over := s.refused(s.buy(ask{sale: id, buyer: "b", body: `{"quantity":4}`}), 409, "over_limit", "scope", "sku", "limit")
	assert.EqualValues(s.t, 3, over["limit"])
	s.taken(ask{sale: id, buyer: "b"})
	latest := s.taken(ask{sale: id, buyer: "b"})
	bought := s.refused(s.buy(ask{sale: id, buyer: "b", body: `{"quantity":2}`}), 409, "already_bought", boughtMembers...)
	assert.EqualValues(s.t, 3, bought["limit"])
	assert.EqualValues(s.t, 2, bought["bought"])
	assert.Equal(s.t, latest.OrderID, bought["order_id"])
	more := s.buy(ask{sale: id, buyer: "b", body: `{"quantity":4}`})
	s.refused(more, 409, "over_limit", "scope", "sku", "limit") // above already_bought
	// Two are left: already_bought is above not_enough.
	s.refused(s.buy(ask{sale: id, buyer: "b", body: `{"quantity":3}`}), 409, "already_bought", boughtMembers...)
	s.taken(ask{sale: id, buyer: "b"})
	own := s.read(ask{sale: id}.path(), "b").json(s)["orders"]
	assert.Len(s.t, own, 3)
}

// refuseCancelled: by the rule that holds from the start, three orders of a buyer may end without being paid.
func refuseCancelled(s *stack) {
	id := named(s)
	s.open(id, lasting(phone(1)))
	var answer reply
	answers := func(word string) {
		require.Eventually(s.t, func() bool {
			answer = s.buy(ask{sale: id, buyer: "b"})
			return strings.Contains(string(answer.body), word)
		}, 10*time.Second, 20*time.Millisecond, word)
	}
	for range 3 {
		answers(`"queued"`)
		require.Equal(s.t, 200, s.cancel(s.becomes(s.ordered(answer, 202), "b", "confirmed"), "b").status)
	}
	answers(`"too_many_cancellations"`)
	problem := s.refused(answer, 409, "too_many_cancellations", "sku", "limit", "unpaid")
	assert.EqualValues(s.t, 3, problem["limit"])
	assert.EqualValues(s.t, 3, problem["unpaid"])
	// Buyer c owns nothing, so the latch of the gateway has to open first.
	s.eventuallyTaken(ask{sale: id, buyer: "c"})
	s.refused(s.buy(ask{sale: id, buyer: "b"}), 409, "too_many_cancellations", "sku", "limit", "unpaid") // above what is left
	own := s.read(ask{sale: id}.path()+"?limit=2", "b").json(s)
	assert.Len(s.t, own["orders"], 2)
	rest := s.read(ask{sale: id}.path()+"?limit=2&cursor="+own["next"].(string), "b").json(s)
	assert.Len(s.t, rest["orders"], 1)
	assert.NotContains(s.t, rest, "next")
}

func refuseNotEnough(s *stack) {
	id := named(s)
	d := lasting(phone(2))
	d.PerBuyerLimit = 3
	s.open(id, d)
	short := s.refused(s.buy(ask{sale: id, buyer: "b", key: "k", body: `{"quantity":3}`}), 409, "not_enough", "sku", "available")
	assert.EqualValues(s.t, 2, short["available"])
	// A refusal is not remembered: the same key may succeed later, with another quantity too.
	s.taken(ask{sale: id, buyer: "b", key: "k", body: `{"quantity":2}`})
	s.refused(s.buy(ask{sale: id, buyer: "c", body: `{"quantity":2}`}), 409, "sold_out", "sku")
}

// rowsAtRest waits until nothing is in flight and reads the rows.
func (s *stack) rowsAtRest(sale string) orderRows {
	s.t.Helper()
	s.audit(sale)
	return s.orderRows(sale)
}
