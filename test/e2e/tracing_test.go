package e2e

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/collector"
	"flashsale/test/harness"
)

const parentOfTests = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traced starts one gateway and one settle process that send every trace to a collector.
func traced(t *testing.T, c *collector.Collector, env ...string) *stack {
	t.Helper()
	return tracedOn(t, c, servers{}, env...)
}

func tracedOn(t *testing.T, c *collector.Collector, with servers, env ...string) *stack {
	t.Helper()
	with.Env = append([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "FLASHSALE_LOG_LEVEL=debug",
	}, env...)
	return newStack(t, with).run(1, 1)
}

// arrives waits for spans of a name that a condition holds for.
func arrives(t *testing.T, c *collector.Collector, name string, holds func(collector.Span) bool) (found collector.Span) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, span := range c.Named(name) {
			if holds(span) {
				found = span
				return true
			}
		}
		return false
	}, 20*time.Second, 20*time.Millisecond, "no such span %q", name)
	return found
}

const purchaseRoute = "/v1/sales/{sale}/items/{sku}/orders"

// TestOneTraceFromTheSocketToTheRow: HTTP, Redis, Kafka, MySQL; and the lines of the log with the same ids.
func TestOneTraceFromTheSocketToTheRow(t *testing.T) {
	c := collector.HTTP(t)
	s := traced(t, c)
	s.open("rush", lasting(phone(10)))
	answer := s.request("POST", "http://"+s.Gateways[0].Buyers+ask{}.path(), nil, "Authorization", "Bearer "+token("ann"),
		"X-Request-Id", "press-1", "Traceparent", parentOfTests)
	o := s.ordered(answer, 202)
	s.becomes(o, "ann", "confirmed")

	of := func(span collector.Span) bool { return span.Attribute("flashsale.order_id") == o.OrderID }
	press := arrives(t, c, purchaseRoute, of)
	require.Equal(t, "flashsale-gateway", press.Service)
	require.Empty(t, press.ParentSpanId, "a buyer's trace is linked, not continued")
	require.Equal(t, "press-1", press.Attribute("request_id"))
	require.EqualValues(t, 202, press.Attribute("http.response.status_code"))
	inTrace := func(span collector.Span) bool { return span.Trace() == press.Trace() }
	reserve := arrives(t, c, "reserve", inTrace)
	require.True(t, reserve.Under(press))
	require.True(t, reserve.LinksTo(press))
	require.True(t, press.LinksTo(reserve))
	publish := arrives(t, c, "publish "+s.Name+".orders", inTrace)
	require.True(t, publish.Under(reserve))
	for _, span := range []collector.Span{press, reserve, publish} {
		require.Equal(t, o.OrderID, span.Attribute("flashsale.batch"), span.Name)
	}
	settle := arrives(t, c, "settle", inTrace)
	require.True(t, settle.Under(publish))
	require.Equal(t, "flashsale-settle", settle.Service)
	for _, name := range []string{"INSERT orders", "COMMIT"} {
		statement := arrives(t, c, name, inTrace)
		require.True(t, statement.Under(settle), name)
		require.Equal(t, "mysql", statement.Attribute("db.system.name"), name)
	}
	for _, span := range c.Spans() {
		require.NotContains(t, span.String(), "ann", "no span names a buyer: %s", span.Name)
	}

	for _, metrics := range []string{s.Gateways[0].Operators, s.Settles[0].Listen} {
		require.Eventually(t, func() bool { return s.metrics(metrics)[`flashsale_trace_spans_total{result="exported"}`] > 0 },
			20*time.Second, 20*time.Millisecond, "each process counts its spans")
	}
	trace := press.Trace()
	line := logged(s.Gateways[0].Process, "purchase")[0]
	assert.Equal(t, []any{"press-1", o.OrderID, trace, o.Status},
		[]any{line["request_id"], line["order_id"], line["trace_id"], line["outcome"]})
	require.Equal(t, o.OrderID, line["batch"], "a batch of one order has its id")
	for _, at := range []struct {
		p       *gateway
		message string
	}{{s.Gateways[0], "batch reserved"}, {s.Gateways[0], "batch published"}, {s.Settles[0], "batch settled"}} {
		waitLogged(t, at.p.Process, at.message)
		line := logged(at.p.Process, at.message)[0]
		assert.Equal(t, []any{o.OrderID, 1.0, trace}, []any{line["batch"], line["orders"], line["trace_id"]}, at.message)
	}
}

// TestSpansOfTheWorkBeside: an operator's moves, what the outbox and the events do, and a rebuild.
func TestSpansOfTheWorkBeside(t *testing.T) {
	c, redis := collector.GRPC(t), harness.Redis(t)
	s := tracedOn(t, c, servers{Redis: []*harness.RedisServer{redis}}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	s.open("rush", lasting(phone(10)))
	o := s.taken(ask{buyer: "ann"})
	s.becomes(o, "ann", "confirmed")
	require.Equal(t, 200, s.cancel(o, "ann").status)
	all := func(collector.Span) bool { return true }
	preload := arrives(t, c, "/admin/v1/sales/{sale}/preload", all)
	require.Equal(t, "rush", preload.Attribute("flashsale.sale"))
	for _, name := range []string{"outbox", "events"} {
		unit := arrives(t, c, name, all)
		require.Empty(t, unit.ParentSpanId, name)
		arrives(t, c, "COMMIT", func(span collector.Span) bool { return span.Under(unit) })
	}
	cancel := arrives(t, c, purchaseRoute+"/{order_id}", func(span collector.Span) bool {
		return span.Attribute("http.request.method") == "DELETE"
	})
	require.EqualValues(t, 200, cancel.Attribute("http.response.status_code"))

	redis.MustDo(t, "SCRIPT", "FLUSH") // every bucket is rebuilt
	rebuild := arrives(t, c, "rebuild", all)
	require.Equal(t, "rush", rebuild.Attribute("flashsale.sale"))
}

// TestASlowCollectorKeepsNobody: spans that do not fit the queue are dropped and counted, and no process waits at its end.
func TestASlowCollectorKeepsNobody(t *testing.T) {
	c := collector.HTTP(t)
	c.Delay.Store(int64(time.Hour))
	s := traced(t, c, "OTEL_BSP_MAX_QUEUE_SIZE=64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=32")
	s.open("rush", lasting(phone(200)))
	var o order
	for i := range 100 {
		o = s.taken(ask{buyer: "buyer-" + strconv.Itoa(i)})
	}
	s.becomes(o, "buyer-99", "confirmed")
	require.Positive(t, s.metrics(s.Gateways[0].Operators)[`flashsale_trace_spans_total{result="dropped"}`])
	require.Contains(t, s.metrics(s.Settles[0].Listen), `flashsale_trace_spans_total{result="dropped"}`)
	began := time.Now()
	for _, p := range s.processes() {
		require.Zero(t, p.Term())
	}
	require.Less(t, time.Since(began), 15*time.Second)
}

// TestWrongTracingEndsTheStart: a share that cannot be read would sample everything.
func TestWrongTracingEndsTheStart(t *testing.T) {
	s := newStack(t, servers{Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=1%",
	}})
	for _, command := range []string{"gateway", "settle"} {
		result := s.Command(command)
		require.Equal(t, 80, result.Code, result.Stderr)
		require.Contains(t, result.Stderr, "OTEL_TRACES_SAMPLER_ARG")
	}
}

// TestTheAccessLogHasItsShare: each request where it is one in one, with ids and without buyers.
func TestTheAccessLogHasItsShare(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_GATEWAY_ACCESS_LOG_EVERY=1"}}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	o := s.taken(ask{buyer: "secret-buyer"})
	s.refused(s.buy(ask{buyer: "secret-buyer", sku: "watch"}), 404, "sku_not_found")
	lines := logged(s.Gateways[0].Process, "request")
	lines = slices.DeleteFunc(lines, func(line object) bool { return line["route"] != "purchase" })
	require.Len(t, lines, 2)
	require.Equal(t, []any{o.OrderID, o.Status, 202.0, "POST", purchaseRoute}, []any{lines[0]["order_id"], lines[0]["outcome"],
		lines[0]["status"], lines[0]["method"], lines[0]["path"]})
	require.Equal(t, []any{"sku_not_found", 404.0}, []any{lines[1]["outcome"], lines[1]["status"]})
	require.NotContains(t, s.Gateways[0].Stderr(), "secret-buyer")
	require.Empty(t, logged(s.Gateways[0].Process, "purchase"), "a line of a press is one of level debug")
}

// TestABuyerBehindAProxyDoesNotDecide: gateways trust the proxy and continue its trace, so the proxy of deploy/nginx.conf leaves
// out the header that a buyer sent.
func TestABuyerBehindAProxyDoesNotDecide(t *testing.T) {
	c := collector.HTTP(t)
	s := traced(t, c, "OTEL_TRACES_SAMPLER=parentbased_always_off", "FLASHSALE_GATEWAY_TRUSTED_PROXIES=127.0.0.0/8")
	s.open("rush", lasting(phone(5)))
	w := proxied(s)
	const proxys = "0af7651916cd43dd8448eb211c80319c"
	answer := w.ask("POST", ask{}.path(), "", "Authorization", "Bearer "+token("anna"), "traceparent",
		parentOfTests)
	require.Equal(t, 202, answer.StatusCode)
	request, err := http.NewRequest("POST", "http://"+s.Gateways[0].Buyers+ask{}.path(), nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token("ben"))
	request.Header.Set("traceparent", "00-"+proxys+"-00f067aa0ba902b7-01")
	direct, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, direct.Body.Close())
	arrives(t, c, purchaseRoute, func(span collector.Span) bool { return span.Trace() == proxys })
	for _, span := range c.Spans() {
		require.Equal(t, proxys, span.Trace(), span.Name)
	}
}
