package loadtest

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flashsale/sale"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rushOf runs a rush against a shop and returns its report and history.
func rushOf(t *testing.T, s *shop, buyers int, change func(*RushOptions)) (*Report, []Told) {
	t.Helper()
	var history bytes.Buffer
	opts := RushOptions{
		Servers: []string{s.serve(t), s.serve(t)}, Sale: "spring", SKUs: []string{"phone"}, Crowd: newTestCrowd(t, buyers),
		Rate: 20_000, Connections: 8, MaxConnections: 64, History: &history,
	}
	if change != nil {
		change(&opts)
	}
	report, err := Rush(t.Context(), opts)
	require.NoError(t, err)
	var told []Told
	require.NoError(t, ReadHistory(&history, func(one Told) error {
		told = append(told, one)
		return nil
	}))
	return report, told
}

func verdictOf(t *testing.T, s *shop, told []Told) *Verdict {
	t.Helper()
	memory := NewMemory("spring")
	for _, one := range told {
		require.NoError(t, memory.Add(one))
	}
	verdict, err := Judge(t.Context(), s, "spring", memory)
	require.NoError(t, err)
	return verdict
}

func TestRushSellsTheStockToDistinctBuyers(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 100})
	report, told := rushOf(t, s, 500, nil)
	require.EqualValues(t, 500, report.Presses)
	require.Zero(t, report.Retries)
	require.Equal(t, map[string]int64{"queued": 100, "sold_out": 400}, report.Ended)
	require.Equal(t, report.Ended, report.Answers)
	require.Len(t, told, 500)
	require.Greater(t, report.Latency.P50, 0.0)
	require.GreaterOrEqual(t, report.Latency.Max, report.Latency.P99)
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
	require.EqualValues(t, 100, verdict.Sold)
	require.EqualValues(t, 100, verdict.Told.Orders)
	require.EqualValues(t, 500, verdict.Told.Buyers)
}

func TestRushWithRepeatsQuantitiesAndSKUs(t *testing.T) {
	s := newShop(3, map[string]int64{"phone": 200, "case": 150})
	report, told := rushOf(t, s, 600, func(o *RushOptions) {
		o.SKUs, o.Repeat, o.MaxQuantity = []string{"phone", "case"}, 0.4, 4
	})
	for _, code := range []string{"queued", "replayed", "already_bought", "over_limit", "sold_out"} {
		require.Positive(t, report.Ended[code], "%s in %v", code, report.Ended)
	}
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
	require.EqualValues(t, 350, verdict.Sold)
}

// Every press goes to the sale's path and is judged by all its lines.
func TestRushOfBaskets(t *testing.T) {
	stock := map[string]int64{"phone": 200, "case": 150, "cable": 1000, "plug": 0}
	s := newShop(3, stock)
	var wide atomic.Int64
	s.meddle = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.URL.Path == "/v1/sales/spring/orders" {
			wide.Add(1)
		}
		return false
	}
	report, told := rushOf(t, s, 600, func(o *RushOptions) {
		o.SKUs, o.Repeat, o.MaxQuantity, o.MaxLines = slices.Collect(maps.Keys(stock)), 0.4, 4, 3
	})
	for _, code := range []string{"queued", "replayed", "already_bought", "over_limit", "sold_out"} {
		require.Positive(t, report.Ended[code], "%s in %v", code, report.Ended)
	}
	require.Equal(t, report.Presses, wide.Load())
	var lengths [4]int
	for _, one := range told {
		lengths[len(one.Lines)]++
		for i, line := range one.Lines {
			require.False(t, slices.ContainsFunc(one.Lines[:i], func(a Asked) bool { return a.SKU == line.SKU }), "%v", one.Lines)
		}
	}
	for n := 1; n <= 3; n++ {
		require.Positive(t, lengths[n], "%d lines", n)
	}
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
}

func TestLostAnswersAreAskedAgainUnderTheSameKey(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 1000})
	var answered sync.Map
	s.afterwards = func(w http.ResponseWriter, _ int, o *sale.Order) bool {
		if _, again := answered.LoadOrStore(o.OrderID, true); again {
			return false
		}
		switch o.OrderID % 3 {
		case 0:
			cut(w)
		case 1:
			writeProblem(w, sale.OutcomeUnknown, sale.Member{Name: "order_id", Value: o.OrderID})
		default:
			return false
		}
		return true
	}
	report, told := rushOf(t, s, 300, nil)
	require.EqualValues(t, 300, report.Presses)
	require.EqualValues(t, 200, report.Retries)
	require.EqualValues(t, 300, report.Ended["queued"]+report.Ended["replayed"], "%v", report.Ended)
	require.Equal(t, report.Answers["no_answer"]+report.Answers["unknown"], report.Ended["replayed"])
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good, "%+v", verdict)
	require.Zero(t, verdict.Told.Perhaps, "every doubt was cleared by the same key")
}

func TestRetryAfterIsObeyed(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 10})
	var opened atomic.Pointer[time.Time]
	s.meddle = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n >= 2 {
			now := time.Now()
			opened.CompareAndSwap(nil, &now)
			return false
		}
		writeProblem(w, []sale.Outcome{sale.OutcomePaused, sale.OutcomeRateLimited}[n])
		return true
	}
	start := time.Now()
	report, _ := rushOf(t, s, 2, nil)
	require.EqualValues(t, 2, report.Retries)
	require.EqualValues(t, 2, report.Ended["queued"])
	require.GreaterOrEqual(t, opened.Load().Sub(start), time.Second)
	require.Less(t, report.Latency.Max, report.Decided.Max-900,
		"an answer's latency does not count the wait that it was asked for")
	require.GreaterOrEqual(t, report.Decided.Max, 1000.0, "a buyer's does")
}

func TestAppsGiveUpAfterTheirAttempts(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 10})
	s.meddle = func(w http.ResponseWriter, _ *http.Request, _ int) bool { cut(w); return true }
	report, told := rushOf(t, s, 5, func(o *RushOptions) { o.MaxAttempts = 2 })
	require.EqualValues(t, 5, report.Presses)
	require.EqualValues(t, 5, report.Retries)
	require.Equal(t, map[string]int64{"no_answer": 5}, report.Ended)
	require.EqualValues(t, 5, verdictOf(t, s, told).Told.Perhaps)
}

func TestStalledServerShowsInTheLatencies(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 1000})
	stall := make(chan struct{})
	s.meddle = func(_ http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 0 {
			time.AfterFunc(300*time.Millisecond, func() { close(stall) })
		}
		<-stall
		return false
	}
	// Two connections and a closed stall: a client that waits for its answers would send 2 slow presses and 98 fast
	// ones.
	report, _ := rushOf(t, s, 100, func(o *RushOptions) { o.Connections, o.MaxConnections, o.Rate = 2, 2, 500 })
	require.Greater(t, report.Latency.P50, 50.0, "half of the presses were meant to leave during the stall")
	require.Greater(t, report.Late, int64(50))
	require.Equal(t, 2, report.Connections)
}

func TestLatePressesOpenConnections(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 1000})
	var waiting atomic.Int64
	all := make(chan struct{})
	s.meddle = func(http.ResponseWriter, *http.Request, int) bool {
		if waiting.Add(1) == 10 {
			close(all)
		}
		<-all // answered only when ten presses are in flight at once
		return false
	}
	report, _ := rushOf(t, s, 20, func(o *RushOptions) {
		o.Connections, o.MaxConnections, o.Rate = 1, 16,
			1000
		o.Timeout = time.Second
	})
	require.Greater(t, report.Connections, 1)
	require.LessOrEqual(t, report.Connections, 16)
}

func TestUnreachableGatewayTakesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	s := newShop(1, map[string]int64{"phone": 10})
	report, told := rushOf(t, s, 4, func(o *RushOptions) { o.Servers = []string{closed, o.Servers[0]} })
	require.Equal(t, map[string]int64{"queued": 4}, report.Ended, "the repeat goes to the next gateway")
	require.EqualValues(t, 2, report.Answers["not_sent"])
	verdict := verdictOf(t, s, told)
	require.True(t, verdict.Good)
	require.Zero(t, verdict.Told.Perhaps)
}

func TestRushThatSentNothingFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := listener.Addr().String()
	require.NoError(t, listener.Close())
	options := RushOptions{Servers: []string{"http://" + closed}, Sale: "spring", SKUs: []string{"phone"},
		Crowd: newTestCrowd(t, 3),
		Rate:  1000, MaxAttempts: 2}
	report, err := Rush(t.Context(), options)
	require.ErrorIs(t, err, ErrNothingSent)
	require.ErrorContains(t, err, closed, "the reason")
	require.Equal(t, map[string]int64{"not_sent": 3}, report.Ended)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Rush(ended, options)
	require.ErrorIs(t, err, ErrNothingSent, "also when it was ended before its first press")
}

func TestCancelledRushEndsAndReports(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 10})
	ctx, cancel := context.WithCancel(t.Context())
	s.meddle = func(http.ResponseWriter, *http.Request, int) bool { cancel(); return false }
	report, err := Rush(ctx, RushOptions{
		Servers: []string{s.serve(t)}, Sale: "spring", SKUs: []string{"phone"}, Crowd: newTestCrowd(t, 1000), Rate: 10,
	})
	require.NoError(t, err)
	require.Less(t, report.Presses, int64(1000))
}

func TestRushOptionsNameEveryFault(t *testing.T) {
	_, err := Rush(t.Context(), RushOptions{Sale: "x y", Repeat: 2, Rate: -1, MaxQuantity: 101, Nonce: "\x00"})
	for _, want := range []string{"server", "sale id", "SKU", "crowd", "rate", "repeats", "quantity", "nonce"} {
		require.ErrorContains(t, err, want)
	}
	_, err = Rush(t.Context(), RushOptions{
		Servers: []string{"x"}, Sale: "s", SKUs: []string{"p"}, Crowd: newTestCrowd(t, 1), Rate: 1,
	})
	require.ErrorContains(t, err, "server URL")
	err = (&RushOptions{Connections: 10, MaxConnections: 5, Timeout: -1, SKUs: []string{"a b"}, MaxLines: 2}).validate()
	for _, want := range []string{"connections", "timeout", "attempts", "not a SKU", "lines"} {
		require.ErrorContains(t, err, want)
	}
}

func TestHistoryThatCannotBeWrittenIsAnError(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 10})
	_, err := Rush(t.Context(), RushOptions{
		Servers: []string{s.serve(t)}, Sale: "spring", SKUs: []string{"phone"}, Crowd: newTestCrowd(t, 5), Rate: 1000,
		History: &failingWriter{},
	})
	require.ErrorIs(t, err, errDiskFull)
}

func TestProgressAndReportAreReadable(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 10})
	var progress, text bytes.Buffer
	report, _ := rushOf(t, s, 60, func(o *RushOptions) { o.Rate, o.Progress, o.Rewrite = 50, &progress, true })
	require.Contains(t, progress.String(), "presses")
	require.Contains(t, progress.String(), "sold_out")
	require.True(t, strings.HasSuffix(progress.String(), "\n"))
	_, err := report.WriteTo(&text)
	require.NoError(t, err)
	for _, want := range []string{"60 presses", "p99.9", "queued", "sold_out", "seed 1"} {
		require.Contains(t, text.String(), want)
	}
}

func TestTopCodesShowsTheMostFrequent(t *testing.T) {
	require.Equal(t, "c 3  b 2  a 1", topCodes(map[string]int64{"a": 1, "b": 2, "c": 3}))
	require.Equal(t, "a 1  b 1  c 1  d 1  e 1  f 1",
		topCodes(map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}))
}
