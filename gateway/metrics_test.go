package gateway

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// Presses count for their sale; what is refused before the sale is known counts for other. Every outcome of a sale has a series
// from the start.
func TestPurchasesBySale(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(other *sale.Sale) { other.ID = "winter" }))
	require.Equal(t, map[string]float64{"autumn": 0, "winter": 0, "other": 0},
		s.series("flashsale_purchases_total", "outcome", "fenced"), "counted from the start")
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Equal(t, http.StatusUnauthorized, s.send("POST", phoneOrders, "").status)
	require.Equal(t, http.StatusNotFound, s.send("POST", "/v1/sales/spring/items/phone/orders", "").status)
	require.Equal(t, http.StatusNotFound, s.send("POST", "/v1/sales/autumn/items/none/orders", "").status)
	require.Equal(t, http.StatusNotFound, s.send("GET", "/nothing", "").status)
	for outcome, want := range map[sale.Outcome]map[string]float64{
		sale.OutcomeQueued:          {"autumn": 1, "winter": 0, "other": 0},
		sale.OutcomeUnauthenticated: {"autumn": 1, "winter": 0, "other": 0},
		sale.OutcomeSaleNotFound:    {"autumn": 0, "winter": 0, "other": 1},
		sale.OutcomeSKUNotFound:     {"autumn": 0, "winter": 0, "other": 1},
		sale.OutcomeNotFound:        {"autumn": 0, "winter": 0, "other": 1},
	} {
		require.Equal(t, want, s.series("flashsale_purchases_total", "outcome", outcome.String()), outcome.String())
	}
	s.open(autumn(func(ended *sale.Sale) { ended.State = sale.StateArchived }))
	require.Equal(t, map[string]float64{"winter": 0, "other": 0},
		s.series("flashsale_purchases_total", "outcome", "queued"), "an archived sale has no series")
}

// Of sales that nobody presses, those that sell have series before those that will and those that have ended.
func TestSellingSalesHaveSeriesFirst(t *testing.T) {
	s := newScene(t)
	var sales []sale.Sale
	add := func(prefix string, count int, change func(*sale.Sale)) {
		for i := range count {
			sales = append(sales, autumn(change, func(one *sale.Sale) { one.ID = prefix + strconv.Itoa(i) }))
		}
	}
	add("a-ended-", 90, func(one *sale.Sale) { one.State = sale.StateClosed })
	add("b-upcoming-", 60, func(one *sale.Sale) { one.StartsAt.Time = noon.Add(time.Hour / 2) })
	add("c-open-", 60, func(*sale.Sale) {})
	s.open(sales...)
	require.NoError(t, s.gateway.judgePresses(t.Context()))
	counts := map[byte]int{}
	for id := range s.series("flashsale_purchases_total", "outcome", "queued") {
		counts[id[0]]++
	}
	require.Equal(t, map[byte]int{'b': 40, 'c': 60, 'o': 1}, counts)
	require.NoError(t, newScene(t).gateway.judgePresses(t.Context()), "before the first catalogue")
}

// durationOf returns the histogram of a route and status as a scraper gets it that asks for everything.
func (s *scene) durationOf(route, status string) *dto.Histogram {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "flashsale_http_request_duration_seconds" &&
				m.GetLabel()[0].GetValue() == route && m.GetLabel()[1].GetValue() == status {
				return m.GetHistogram()
			}
		}
	}
	return nil
}

// The durations have native buckets beside the classic ones, within a bound, and the pulse's latency still reads the classic
// ones.
func TestDurationsAreNativeToo(t *testing.T) {
	s := newScene(t)
	m := s.gateway.metrics
	for i := range 10_000 {
		m.served(routePurchase, http.StatusConflict, time.Duration(i*i)*time.Microsecond, "")
	}
	found := s.durationOf("purchase", "409")
	require.Len(t, found.GetBucket(), len(sale.LatencyBounds()))
	require.NotEmpty(t, found.GetPositiveSpan())
	buckets := 0
	for _, span := range found.GetPositiveSpan() {
		buckets += int(span.GetLength())
	}
	require.LessOrEqual(t, buckets, nativeBuckets)
	require.Greater(t, buckets, len(sale.LatencyBounds()))
	require.Equal(t, int64(10_000), sum(m.latencyOf(routePurchase)))
}

// A request whose trace is kept becomes the exemplar of its bucket.
func TestATraceBecomesAnExemplar(t *testing.T) {
	s := newScene(t)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	s.gateway.metrics.served(routePurchase, http.StatusAccepted, 3*time.Millisecond, "")
	s.gateway.metrics.served(routePurchase, http.StatusAccepted, 3*time.Millisecond, trace)
	var found []string
	for _, bucket := range s.durationOf("purchase", "202").GetBucket() {
		for _, label := range bucket.GetExemplar().GetLabel() {
			found = append(found, label.GetName()+"="+label.GetValue())
		}
	}
	require.Equal(t, []string{"trace_id=" + trace}, found)
	require.Equal(t, uint64(2), s.durationOf("purchase", "202").GetSampleCount())
}

// Counting takes no memory, whether or not the request has a sale. A bucket of a native histogram is made once.
func TestCountingDoesNotAllocate(t *testing.T) {
	s := newScene(t).open(autumn())
	m, live := s.gateway.metrics, s.gateway.catalogue.current.Load().sales["autumn"]
	harness.NoAllocations(t, 200, func() { m.purchased(live, sale.OutcomeSoldOut) })
	harness.NoAllocations(t, 200, func() { m.purchased(nil, sale.OutcomeNotFound) })
	harness.NoAllocations(t, 200, func() { m.tokenRefused(tokenExpired) })
	harness.NoAllocations(t, 200, func() { m.served(routePurchase, http.StatusConflict, 30*time.Microsecond, "") })
}

// BenchmarkCounting is what metrics add to a press.
func BenchmarkCounting(b *testing.B) {
	s := newScene(b).open(autumn())
	m, live := s.gateway.metrics, s.gateway.catalogue.current.Load().sales["autumn"]
	b.Run("press", func(b *testing.B) {
		for b.Loop() {
			m.purchased(live, sale.OutcomeSoldOut)
		}
	})
	for _, native := range []float64{1, nativeFactor} {
		durations := prometheus.NewHistogram(prometheus.HistogramOpts{
			Buckets: sale.LatencyBounds(), NativeHistogramBucketFactor: native, NativeHistogramMaxBucketNumber: nativeBuckets,
		})
		name := map[bool]string{false: "duration_classic", true: "duration_native"}[native > 1]
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				durations.Observe(0.00003 + float64(i%1000)*1e-6)
			}
		})
	}
}
