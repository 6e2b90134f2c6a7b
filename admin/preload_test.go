package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// more raises the stock of phoneSale from 10 to 15.
const more = `{"name":"Phones","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z",
"items":[{"sku":"phone","stock":15,"price_cents":129900}]}`

const bucketedSale = `{"name":"Phones","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z","buckets":4,
"items":[{"sku":"phone","stock":10,"price_cents":1},{"sku":"case","stock":7,"price_cents":1}]}`

// event is one Server-Sent Event.
type event struct{ name, data string }

// events reads a stream until it ends or until enough were read.
func events(t *testing.T, body io.Reader, enough int) []event {
	t.Helper()
	var all []event
	var one event
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
		case "event":
			one.name = value
		case "data":
			require.True(t, json.Valid([]byte(value)), value)
			one.data = value
		case "":
			if all = append(all, one); len(all) == enough {
				return all
			}
		default:
			t.Fatalf("line %q does not belong to an event", lines.Text())
		}
	}
	return all
}

func (b *bench) stream(method, path string, headers ...string) *http.Response {
	b.t.Helper()
	request := b.request(method, path, nil, append(headers, "Accept", "application/json;q=0.1, text/event-stream")...)
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	response, err := http.DefaultTransport.RoundTrip(request.WithContext(ctx))
	require.NoError(b.t, err)
	return response
}

func TestPreloadLoadsEveryBucketOnce(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload")
	require.Equal(t, 1, b.stock.rebuilds)
	require.EqualValues(t, 8, b.store.partition)
	require.Len(t, b.stock.readings, 4)
	require.EqualValues(t, 3, b.stock.shelf(first, "phone").Available)
	require.EqualValues(t, 2, b.stock.shelf(first, "case").Available)
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)
	require.Equal(t, 1, b.stock.rebuilds, "a repeated preload finds everything there")
}

// A raise reaches Redis without a preload, and one that follows it changes nothing.
func TestPreloadAfterARaiseIsHarmless(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.ask("PUT", "/admin/v1/sales/s", more).is(200)
	raised := *b.stock.shelf(first, "phone")
	require.Equal(t, sale.ShelfReading{SKU: "phone", Available: 15, Returned: 5, Number: 1, Limit: 1}, raised)
	require.Equal(t, "open", b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)["state"])
	require.Equal(t, raised, *b.stock.shelf(first, "phone"))
	require.EqualValues(t, 1, b.stock.readings[first].Epoch, "no fence and no rebuild")
	require.Equal(t, 1, b.stock.rebuilds)
}

func TestPreloadStartsOverWhereRedisRestarted(t *testing.T) {
	b := newBench(t)
	b.stock.halfway = true
	b.bring("s", bucketedSale, "preload")
	require.Equal(t, 2, b.stock.rebuilds)
	require.Len(t, b.stock.readings, 4)
}

func TestPreloadThatFailsLeavesADraft(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	b.stock.set(func() { b.stock.away = true })
	b.ask("POST", "/admin/v1/sales/s/preload", "").problem(503, "unavailable")
	response := b.stream("POST", "/admin/v1/sales/s/preload")
	defer response.Body.Close()
	require.Equal(t, 503, response.StatusCode, "an error before the first event is a plain answer")
	require.Equal(t, sale.StateDraft, b.store.sale("s").State)
	require.Empty(t, b.store.Snapshot().Leases)
	b.stock.set(func() { b.stock.away = false })
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)
}

func TestPreloadSendsProgress(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale)
	response := b.stream("POST", "/admin/v1/sales/s/preload")
	defer response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	all := events(t, response.Body, -1)
	last := len(all) - 1
	require.Equal(t, event{"progress", `{"done":1,"total":4}`}, all[0])
	require.Equal(t, event{"progress", `{"done":4,"total":4}`}, all[last-1])
	require.Equal(t, "sale", all[last].name)
	require.JSONEq(t, string(b.ask("GET", "/admin/v1/sales/s", "").Body), all[last].data)

	again := b.stream("POST", "/admin/v1/sales/s/preload")
	defer again.Body.Close()
	all = events(t, again.Body, -1)
	require.Equal(t, event{"progress", `{"done":0,"total":0}`}, all[0])
	require.Equal(t, "sale", all[1].name)
}

func TestPreloadsErrorAfterProgressIsAnEvent(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	request := b.request("POST", "/admin/v1/sales/s/preload", nil, "Accept", "text/event-stream")
	b.api.deps.Stock = &failsAfterProgress{fakeStock: b.stock}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	all := events(t, response.Body, -1)
	require.Equal(t, event{"progress", `{"done":1,"total":2}`}, all[0])
	require.Equal(t, "problem", all[1].name)
	require.Contains(t, all[1].data, `"code":"unavailable"`)
	require.Len(t, all, 2)
}

type failsAfterProgress struct{ *fakeStock }

func (*failsAfterProgress) Rebuild(_ context.Context, _ []sale.BucketRow, progress func(done, total int)) error {
	progress(1, 2)
	return errAway
}

func TestProgressIsBounded(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	b.api.deps.Stock = &eager{fakeStock: b.stock}
	response := b.stream("POST", "/admin/v1/sales/s/preload")
	defer response.Body.Close()
	begun := time.Now()
	all := events(t, response.Body, -1)
	bound := 3 + int(time.Since(begun)/progressInterval) + 2
	require.LessOrEqual(t, len(all), bound, "not one event a bucket")
	require.Equal(t, event{"progress", `{"done":2000,"total":2000}`}, all[len(all)-2])
}

// eager reports the progress of a rebuild of very many buckets.
type eager struct{ *fakeStock }

func (e *eager) Rebuild(ctx context.Context, rows []sale.BucketRow, progress func(done, total int)) error {
	for done := range 2000 {
		progress(done+1, 2000)
	}
	return e.fakeStock.Rebuild(ctx, rows, func(int, int) {})
}

func TestTwoPreloadsAtOnceLoadOnce(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale)
	gate, entered := make(chan struct{}), make(chan struct{}, 2)
	b.stock.set(func() { b.stock.gate, b.stock.entered = gate, entered })
	answers := make(chan *reply, 2)
	for range 2 {
		go func() { answers <- b.ask("POST", "/admin/v1/sales/s/preload", "") }()
	}
	<-entered
	close(gate)
	first, second := <-answers, <-answers
	require.Equal(t, "preloaded", first.is(200)["state"])
	require.Equal(t, first.Body, second.Body)
	require.Equal(t, 1, b.stock.rebuilds)
	require.Empty(t, b.store.unheld)
}

func TestPreloadGivesUpWaiting(t *testing.T) {
	b := newBench(t, func(o *Options) { o.LeaseWait = 20 * time.Millisecond })
	b.bring("s", phoneSale)
	b.store.giveLease("sale/s", "another process")
	for _, ask := range []func() *reply{
		func() *reply { return b.ask("POST", "/admin/v1/sales/s/preload", "") },
		func() *reply { return b.ask("PUT", "/admin/v1/sales/s", phoneSale) },
	} {
		require.Contains(t, ask().problem(503, "unavailable")["detail"], "another step of this sale")
	}
	require.Equal(t, "another process", b.store.Snapshot().Leases["sale/s"].Holder)
	require.Empty(t, b.store.Snapshot().Buckets)
}

func TestPreloadGoesOnWithoutItsClient(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	gate, entered := make(chan struct{}), make(chan struct{}, 1)
	b.stock.set(func() { b.stock.gate, b.stock.entered = gate, entered })
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		request := b.request("POST", "/admin/v1/sales/s/preload", nil, "Accept", "text/event-stream").WithContext(ctx)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err == nil {
			err = response.Body.Close()
		}
		gone <- err
	}()
	<-entered
	hangUp()
	require.ErrorIs(t, <-gone, context.Canceled)
	close(gate)
	require.Eventually(t, func() bool {
		s, err := b.store.Sale(context.Background(), "s")
		return err == nil && s.State == sale.StatePreloaded
	}, 5*time.Second, time.Millisecond)
}

func TestStreamsAreBounded(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for range maxStreams {
		b.api.streams <- struct{}{}
	}
	for _, path := range []string{"POST /admin/v1/sales/s/preload", "GET /admin/v1/sales/s/stats"} {
		method, path, _ := strings.Cut(path, " ")
		b.ask(method, path, "", "Accept", "text/event-stream").problem(503, "overloaded")
		b.ask(method, path, "").is(200)
	}
	<-b.api.streams
	require.Equal(t, 200, b.ask("POST", "/admin/v1/sales/s/preload", "", "Accept", "text/event-stream").Status)
	require.Len(t, b.api.streams, maxStreams-1, "a stream that ended gives its place back")
}

func TestWantsEvents(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/event-stream": true, "application/json, Text/Event-Stream;q=0.5": true, "": false, "*/*": false,
		"text/event-streams": false, "application/json": false,
	} {
		request, err := http.NewRequest("GET", "/", nil)
		require.NoError(t, err)
		request.Header.Set("Accept", accept)
		require.Equal(t, want, wantsEvents(request), accept)
	}
}
