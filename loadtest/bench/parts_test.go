package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestCPUTimeIsWhatTheProcessUsed(t *testing.T) {
	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; read -r line")
	input, err := child.StdinPipe()
	require.NoError(t, err)
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = output.Read(make([]byte, 1)) // from here it blocks and uses nothing more
	require.NoError(t, err)
	used, err := CPUTime(child.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, input.Close())
	require.Error(t, child.Wait(), "read meets the end of its input")
	total := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	require.InDelta(t, total.Seconds(), used.Seconds(), 0.02)
}

func TestMeterSeesTheWorkOfAProcess(t *testing.T) {
	meter, err := StartMeter(os.Getpid())
	require.NoError(t, err)
	sum := 0
	for end := time.Now().Add(150 * time.Millisecond); time.Now().Before(end); sum++ {
	}
	used, took, err := meter.Stop()
	require.NoError(t, err)
	require.GreaterOrEqual(t, took, 150*time.Millisecond)
	require.Greater(t, used[0], 10*time.Millisecond, "%d rounds", sum)
}

func TestMeterOfAProcessThatIsGone(t *testing.T) {
	child := exec.Command("true")
	require.NoError(t, child.Run())
	_, err := StartMeter(child.ProcessState.Pid())
	require.Error(t, err)
	_, _, err = (&Meter{pids: []int{child.ProcessState.Pid()}, before: make([]time.Duration, 1)}).Stop()
	require.Error(t, err)
}

// startBare serves the bare handler inside the test.
func startBare(t *testing.T) string {
	t.Helper()
	return startBaseline(t, ServeBare)
}

func startBaseline(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		require.NoError(t, <-ended)
	})
	return listener.Addr().String()
}

func TestOneByOneSellsEachBuyerOne(t *testing.T) {
	redis := harness.SharedRedis(t)
	address := startBaseline(t, func(l net.Listener) error { return ServeOneByOne(l, redis.Addr) })
	status := func(token string) int {
		answer, err := Ask(address, Purchase(address, "spring", "phone", token, ""))
		require.NoError(t, err)
		return answer.Status
	}
	first, second := strings.Repeat("a", 50), strings.Repeat("b", 50)
	require.Equal(t, 409, status(first), "no units")
	redis.MustDo(t, "SET", oneByOneStock("phone"), "1")
	require.Equal(t, 202, status(first))
	require.Equal(t, 409, status(first), "has one")
	require.Equal(t, 409, status(second), "nothing left")
	redis.MustDo(t, "SET", oneByOneStock("phone"), "1")
	require.Equal(t, 202, status(second))
	answer, err := Ask(address, Purchase(address, "spring", "case", first, ""))
	require.NoError(t, err)
	require.Equal(t, 409, answer.Status, "units are a SKU's")
	redis.MustDo(t, "DEL", oneByOneBuyers("phone"))
	redis.MustDo(t, "LPUSH", oneByOneBuyers("phone"), "no set")
	require.Equal(t, 503, status(first))
	require.NoError(t, SetBareAnswer(address, 400))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	require.Error(t, ServeOneByOne(listener, "127.0.0.1:1"))
}

func TestBenchmarkLinesAreReadByUnit(t *testing.T) {
	lines := BenchmarkLines("goos: linux\nBenchmarkSettle/sqlite-2 \t 100\t 12.5 ns/op\t 8e+04 settled/s\nok\nBenchmarkB\n" +
		"BenchmarkC 1 x ns/op 3 B/op\n")
	require.Equal(t, []map[string]float64{{"ns/op": 12.5, "settled/s": 80_000}, {"B/op": 3}}, lines)
	require.Empty(t, BenchmarkLines("PASS"))
}

func TestBareAnswersWithAsManyBytesAsWanted(t *testing.T) {
	address := startBare(t)
	for _, wanted := range []int{200, 333, 512, 1100, 1101, 1102} {
		require.NoError(t, SetBareAnswer(address, wanted))
		answer, err := Ask(address, Purchase("bare", "spring", "phone", "token", "key"))
		require.NoError(t, err)
		require.Equal(t, 200, answer.Status)
		require.Equal(t, wanted, answer.Bytes)
	}
	require.ErrorContains(t, SetBareAnswer(address, 3), "cannot answer with 3 bytes")
	require.ErrorContains(t, SetBareAnswer(address, 10*maxBareBody), "status 400")
}

func TestDriverSendsEachRequestOnce(t *testing.T) {
	seen := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Idempotency-Key")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	var requests Requests
	for i := range 500 {
		requests.Add(Purchase(address, "spring", "phone", "token", fmt.Sprint("key-", i)))
	}
	driver, err := NewDriver(t.Context(), address, 7)
	require.NoError(t, err)
	defer driver.Close()
	count, err := driver.Once(t.Context(), requests.Slice(100, 400))
	require.NoError(t, err)
	require.NoError(t, count.Only(202))
	require.EqualValues(t, 300, count.Answers)
	require.Error(t, count.Only(409))
	require.GreaterOrEqual(t, count.P99, count.P50)
	close(seen)
	distinct := map[string]bool{}
	for key := range seen {
		distinct[key] = true
	}
	require.Len(t, distinct, 300)
	require.Contains(t, distinct, `"key-100"`)
	require.NotContains(t, distinct, `"key-400"`)
}

func TestDriverRepeatsForAWhileAndReportsFailures(t *testing.T) {
	address := startBare(t)
	var requests Requests
	requests.Add(Purchase(address, "spring", "phone", "", ""))
	driver, err := NewDriver(t.Context(), address, 2)
	require.NoError(t, err)
	defer driver.Close()
	count, err := driver.For(t.Context(), &requests, 50*time.Millisecond)
	require.NoError(t, err)
	require.Greater(t, count.Answers, int64(10))
	_, err = NewDriver(t.Context(), "nowhere:port:twice", 1)
	require.Error(t, err)

	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	driver, err = NewDriver(t.Context(), broken.Listener.Addr().String(), 1)
	require.NoError(t, err)
	defer driver.Close()
	_, err = driver.For(t.Context(), &requests, time.Second)
	require.ErrorContains(t, err, "request 0")
}

func TestDriverKeepsTheRate(t *testing.T) {
	address := startBare(t)
	var requests Requests
	for range 100 {
		requests.Add(Purchase(address, "spring", "phone", "", ""))
	}
	driver, err := NewDriver(t.Context(), address, 4)
	require.NoError(t, err)
	defer driver.Close()
	began := time.Now()
	count, err := driver.At(t.Context(), &requests, 1000)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 99*time.Millisecond)
	require.NoError(t, count.Only(200))
	require.EqualValues(t, 100, count.Answers)
	require.LessOrEqual(t, count.Late, count.Answers)
	count, err = driver.At(t.Context(), &requests, 1e9)
	require.NoError(t, err)
	require.EqualValues(t, 100, count.Answers, "a client that cannot keep up sends all the same")
}

func TestPurchaseIsAValidRequest(t *testing.T) {
	address := startBare(t)
	for _, request := range [][]byte{
		Purchase(address, "spring", "phone", "", ""), Purchase(address, "spring", "phone", "a.b.c", "key"),
		Basket(address, "spring", []string{"phone", "case"}, "a.b.c", ""),
	} {
		answer, err := Ask(address, request)
		require.NoError(t, err)
		require.Equal(t, 200, answer.Status)
	}
	_, err := Ask("127.0.0.1:1", nil)
	require.Error(t, err)
	require.Contains(t, string(Basket("shop", "spring", []string{"phone", "case"}, "", "")),
		"POST /v1/sales/spring/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 42\r\n\r\n"+
			`{"lines":[{"sku":"phone"},{"sku":"case"}]}`)
}

func TestHistogramIsReadFromAMetricsPage(t *testing.T) {
	page := "# TYPE other counter\nother 5\n# TYPE flashsale_batch_orders histogram\n" +
		"flashsale_batch_orders_bucket{le=\"1\"} 1\nflashsale_batch_orders_bucket{le=\"+Inf\"} 4\n" +
		"flashsale_batch_orders_sum 130\nflashsale_batch_orders_count 4\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, page)
	}))
	defer server.Close()
	read, err := ScrapeHistogram(server.URL+"/metrics", "flashsale_batch_orders")
	require.NoError(t, err)
	require.Equal(t, Histogram{130, 4}, read)
	require.Equal(t, 40.0, read.MeanSince(Histogram{10, 1}))
	require.Zero(t, read.MeanSince(read))
	_, err = ScrapeHistogram(server.URL+"/metrics", "absent")
	require.ErrorContains(t, err, "does not have the histogram")
	_, err = ScrapeHistogram(server.URL+"/", "absent")
	require.ErrorContains(t, err, "404")
	_, err = ScrapeHistogram("http://127.0.0.1:1/", "absent")
	require.Error(t, err)
	_, err = readHistogram(strings.NewReader("x{"), "x")
	require.Error(t, err)
}

func TestFigureIsMissedOnlyBeyondItsNoise(t *testing.T) {
	for name, tc := range map[string]struct {
		figure  Figure
		missed  bool
		verdict string
	}{
		"well under": {Figure{Ours: []float64{10, 11, 12}, Base: []float64{10, 10, 10}, Target: 1.6}, false, "met"},
		"over within noise": {Figure{Ours: []float64{15, 17, 18}, Base: []float64{10, 10, 10}, Target: 1.6}, false,
			"met within noise"},
		"over beyond noise":  {Figure{Ours: []float64{18, 18.5, 19}, Base: []float64{10, 10, 10}, Target: 1.6}, true, "MISSED"},
		"over, one far off":  {Figure{Ours: []float64{42, 129, 332}, Target: 10}, true, "MISSED"},
		"under, one far off": {Figure{Ours: []float64{1, 2, 30}, Target: 32, Least: true}, true, "MISSED"},
		"least, above":       {Figure{Ours: []float64{40, 41, 42}, Target: 32, Least: true}, false, "met"},
		"least, in noise":    {Figure{Ours: []float64{28, 31, 34}, Target: 32, Least: true}, false, "met within noise"},
		"least, beyond":      {Figure{Ours: []float64{10, 11, 12}, Target: 32, Least: true}, true, "MISSED"},
		"nothing demanded":   {Figure{Ours: []float64{1, 2, 3}}, false, ""},
		"ratios, not values": {Figure{Ours: []float64{10, 20, 30}, Base: []float64{10, 20, 30}, Target: 1.1}, false, "met"},
	} {
		require.Equal(t, tc.missed, tc.figure.Missed(), name)
		require.Equal(t, tc.verdict, tc.figure.verdict(), name)
	}
	require.Zero(t, (&Figure{}).Noise())
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
}

func TestTableAndJSONSayTheSame(t *testing.T) {
	machine, err := ThisMachine(".")
	require.NoError(t, err)
	require.Positive(t, machine.Cores)
	results := Results{Machine: machine, Figures: []*Figure{
		{Name: "sold out, 64 connections", Unit: "µs a request", Ours: []float64{7.5}, Base: []float64{5}, Target: 1.6},
		{Name: "orders a second", Unit: "orders/s", Ours: []float64{45678.9}},
		{Name: "mean batch", Unit: "orders", Ours: []float64{101.5}, Target: 132, Least: true},
	}}
	var text, lines bytes.Buffer
	_, err = results.WriteTo(&text)
	require.NoError(t, err)
	for _, want := range []string{"1.5", "≤ 1.6", "45679", "101.5", "≥ 132.0", "MISSED", machine.Commit} {
		require.Contains(t, text.String(), want)
	}
	require.Equal(t, []string{"mean batch"}, results.Missed())
	require.NoError(t, results.WriteJSON(&lines))
	var read Results
	require.NoError(t, json.Unmarshal(lines.Bytes(), &read))
	require.Equal(t, results, read)
}

func TestMachineNamesWhatItCan(t *testing.T) {
	require.Equal(t, "Fast 9000", processorName(strings.NewReader("processor\t: 0\nmodel name\t: Fast 9000\n")))
	require.NotEmpty(t, processorName(strings.NewReader("processor: 0\n")))
	require.Equal(t, "unknown", commitOf(t.TempDir()))
}
