package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"flashsale/sale"
	"flashsale/test/harness"
)

// refusalCase is one refusal that a crowd can provoke, and its set-up.
type refusalCase struct {
	name    string
	path    string // phoneOrders if empty
	headers string
	body    string
	sale    func(*sale.Sale)
	arrange func(*scene)
	outcome sale.Outcome
}

func refusalCases() []refusalCase {
	authorized := bearer("ann") + "\r\n"
	return []refusalCase{
		{name: "unknown sku", arrange: func(s *scene) { s.open() }, sale: func(s *sale.Sale) { s.Items[0].SKU = "other" },
			outcome: sale.OutcomeSKUNotFound},
		{name: "not started", headers: authorized, sale: func(s *sale.Sale) { s.StartsAt.Time = noon.Add(1e9) },
			outcome: sale.OutcomeNotStarted},
		{name: "ended", headers: authorized, sale: func(s *sale.Sale) { s.State = sale.StateClosed },
			outcome: sale.OutcomeSaleEnded},
		{name: "paused", headers: authorized, body: `{"quantity":1}`, sale: func(s *sale.Sale) { s.State = sale.StatePaused },
			outcome: sale.OutcomePaused},
		{name: "fenced", headers: authorized, arrange: doubt, outcome: sale.OutcomeFenced},
		{name: "sold out", headers: authorized + "Idempotency-Key: k1\r\n", body: `{"quantity":1}`,
			arrange: func(s *scene) { latchOf(s, "bob") }, outcome: sale.OutcomeSoldOut},
		{name: "one of four lines sold out", path: autumnOrders, headers: authorized, body: bodyOf("a", "b", "c", "phone"),
			sale: catalogued("a", "b", "c", "phone"), arrange: func(s *scene) { s.latch("phone", "bob") },
			outcome: sale.OutcomeSoldOut},
		{name: "lines, no token", path: autumnOrders, body: bodyOf("phone"), outcome: sale.OutcomeUnauthenticated},
		{name: "no token", outcome: sale.OutcomeUnauthenticated},
		{name: "not on the list", headers: authorized, sale: func(s *sale.Sale) { s.Eligibility = sale.EligibilityList },
			outcome: sale.OutcomeNotEligible},
		{name: "buyer's limit", headers: authorized, arrange: func(s *scene) {
			rules(sale.Rules{Buyer: &sale.Limit{PerSecond: 1e-6, Burst: 1}})(s)
			s.press("ann", "")
		}, outcome: sale.OutcomeRateLimited},
		{name: "address limit", headers: authorized, arrange: func(s *scene) {
			rules(sale.Rules{Address: &sale.Limit{PerSecond: 1e-6, Burst: 1}})(s)
			s.press("bob", "")
		}, outcome: sale.OutcomeRateLimited},
		{name: "flow rule", headers: authorized, arrange: func(s *scene) {
			everyRule(s, sale.FlowRule{Resource: sale.ResourcePurchase, QPS: 0}, idle)
		}, outcome: sale.OutcomeRateLimited},
		{name: "isolation rule", headers: authorized, arrange: func(s *scene) {
			everyRule(s, busy, sale.IsolationRule{Resource: sale.ResourcePurchase, Concurrency: 1})
			_, _, ok := s.gateway.purchases.enter() // and never leaves
			require.True(s.t, ok)
			s.t.Cleanup(permit{s.gateway.purchases}.leave)
		}, outcome: sale.OutcomeOverloaded},
		{name: "in flight", headers: authorized, arrange: full, outcome: sale.OutcomeOverloaded},
		{name: "in flight and rules", headers: authorized, arrange: func(s *scene) {
			everyRule(s, busy, idle)
			full(s)
		}, outcome: sale.OutcomeOverloaded},
		{name: "bucket sold out, rules", headers: authorized, arrange: func(s *scene) {
			everyRule(s, busy, idle)
			s.gateway.stock = instantRefusal{s.stock, sale.OutcomeSoldOut}
		}, outcome: sale.OutcomeSoldOut},
		{name: "journal full", headers: authorized, arrange: func(s *scene) {
			s.gateway.stock = instantRefusal{s.stock, sale.OutcomeUnavailable}
		}, outcome: sale.OutcomeUnavailable},
	}
}

// Rules that are asked and do not refuse.
var (
	busy = sale.FlowRule{Resource: sale.ResourcePurchase, QPS: 1e9}
	idle = sale.IsolationRule{Resource: sale.ResourcePurchase, Concurrency: 1e6}
)

// everyRule sets a rule of every kind that a press can meet.
func everyRule(s *scene, flow sale.FlowRule, isolation sale.IsolationRule) {
	many := sale.Limit{PerSecond: 1e6, Burst: 1e6}
	rules(sale.Rules{
		Flow: []sale.FlowRule{flow}, Isolation: []sale.IsolationRule{isolation}, Buyer: &many, Address: &many,
	})(s)
}

func (c *refusalCase) scene(t testing.TB) (*scene, *fasthttp.RequestCtx) {
	t.Helper()
	change := c.sale
	if change == nil {
		change = func(*sale.Sale) {}
	}
	s := newScene(t).open(autumn(change))
	if c.arrange != nil {
		c.arrange(s)
	}
	path := c.path
	if path == "" {
		path = phoneOrders
	}
	return s, requestOf(t, s, path, c.headers, c.body)
}

// requestOf parses a purchase request as the server does.
func requestOf(t testing.TB, s *scene, path, headers, body string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := new(fasthttp.RequestCtx)
	conn := &boundedConn{Conn: &net.TCPConn{}, listener: s.gateway.bounded(nil), peer: netip.MustParseAddr("127.0.0.1")}
	ctx.Init2(conn, nil, true)
	raw := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: app/1.0\r\nAccept: */*\r\n%sContent-Length: "+
		"%d\r\n\r\n%s",
		path, headers, len(body), body)
	require.NoError(t, ctx.Request.Read(newReader(raw)))
	return ctx
}

// TestRefusalsDoNotAllocate: refusing a crowd causes no garbage collection.
func TestRefusalsDoNotAllocate(t *testing.T) {
	for _, c := range refusalCases() {
		t.Run(c.name, func(t *testing.T) {
			s, ctx := c.scene(t)
			s.gateway.handle(ctx)
			require.Equal(t, c.outcome.Row().Status, ctx.Response.StatusCode(), string(ctx.Response.Body()))
			require.Contains(t, string(ctx.Response.Body()), `"code":"`+c.outcome.String()+`"`)
			harness.NoAllocations(t, 200, func() {
				ctx.Response.Reset()
				s.gateway.handle(ctx)
			})
		})
	}
}

// BenchmarkRefusal is the cost of each refusal inside the handler.
func BenchmarkRefusal(b *testing.B) {
	for _, c := range refusalCases() {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			s, ctx := c.scene(b)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				s.gateway.handle(ctx)
			}
		})
	}
}

// strangers are purchase requests of different buyers, one each, with their own tokens.
func strangers(t testing.TB, s *scene, count int) func() sale.Outcome {
	t.Helper()
	tokens := make([][]byte, count)
	for i := range tokens {
		tokens[i] = []byte("Bearer " + signAs(secret, `{"alg":"HS256","kid":"2026-11","typ":"JWT"}`,
			fmt.Sprintf(`{"sub":"stranger-%d","exp":%d}`, i, noon.Add(time.Hour).Unix())))
	}
	ctx, at, n := requestOf(t, s, phoneOrders, "", `{"quantity":1}`), locate([]byte(phoneOrders)), 0
	return func() sale.Outcome {
		h := headers{authorization: tokens[n%count], authorizations: 1}
		n++
		ctx.Response.Reset()
		return s.gateway.purchase(ctx, at, &h, new(press))
	}
}

// TestSoldOutStrangersDoNotAllocate: each buyer of the crowd sends the first request.
func TestSoldOutStrangersDoNotAllocate(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "bob")
	press := strangers(t, s, 500)
	harness.NoAllocations(t, 200, func() {
		if outcome := press(); outcome != sale.OutcomeSoldOut {
			panic(outcome.String())
		}
	})
	require.Empty(t, s.stock.purchases())
}

// BenchmarkSoldOutStrangers is the cost of a sold-out answer inside purchase, to a buyer with a new token.
func BenchmarkSoldOutStrangers(b *testing.B) {
	s := newScene(b).open(autumn())
	latchOf(s, "bob")
	press := strangers(b, s, 1<<18)
	b.ReportAllocs()
	for b.Loop() {
		press()
	}
}

// BenchmarkAccept is the cost of an accepted purchase inside purchase, without the work of the Stock.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		name   string
		buyers int
		ruled  bool
	}{{"token_seen_before", 1, false}, {"token_of_its_own", 1 << 18, false}, {"token_of_its_own_and_rules", 1 << 18, true}} {
		b.Run(c.name, func(b *testing.B) {
			s, buyers := newScene(b).open(autumn()), c.buyers
			if c.ruled {
				everyRule(s, busy, idle)
			}
			s.gateway.stock = instantStock{s.stock}
			tokens := make([][]byte, buyers)
			for i := range tokens {
				tokens[i] = []byte("Bearer " + tokenOf(fmt.Sprintf("buyer-%d", i)))
			}
			ctx := requestOf(b, s, phoneOrders, "", `{"quantity":1}`)
			at := locate([]byte(phoneOrders))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				h := headers{authorization: tokens[n%buyers], authorizations: 1, key: []byte("k1"), keys: 1}
				n++
				ctx.Response.Reset()
				s.gateway.purchase(ctx, at, &h, new(press))
			}
		})
	}
}

// instantStock takes every purchase at once.
type instantStock struct{ Stock }

func (s instantStock) Reserve(p sale.Purchase) sale.Answer {
	return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1 << 60, CreatedAt: noon}
}

// instantRefusal refuses every purchase at once.
type instantRefusal struct {
	Stock
	outcome sale.Outcome
}

func (s instantRefusal) Reserve(sale.Purchase) sale.Answer {
	return sale.Answer{Outcome: s.outcome, SKU: "phone"}
}
