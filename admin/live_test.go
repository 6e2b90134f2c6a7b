package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

const liveOf = "/admin/v1/sales/s/live"

// following is a stream that is read event by event.
type following struct {
	t     *testing.T
	lines *bufio.Scanner
}

func follow(t *testing.T, response *http.Response) *following {
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 64<<20)
	return &following{t, lines}
}

// next returns the next event, which comes soon on every live stream.
func (f *following) next() event {
	f.t.Helper()
	var e event
	for f.lines.Scan() {
		switch field, value, _ := strings.Cut(f.lines.Text(), ": "); field {
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			return e
		}
	}
	require.Fail(f.t, "the stream has ended")
	return e
}

// until reads until an event is as wanted.
func (f *following) until(wanted func(event) bool, what string) event {
	f.t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		if e := f.next(); wanted(e) {
			return e
		}
	}
	require.Fail(f.t, "not seen", what)
	return event{}
}

// paid seeds paid orders of the first bucket's phones, beside the counters that sell has changed.
func (b *bench) paid(orders int) {
	for i := range orders {
		b.store.SeedOrder(sale.Order{OrderID: sale.OrderID(1000 + i), Status: sale.StatusPaid, Sale: "s", Lines: phones(1),
			CreatedAt: sale.Time{Time: tenOClock}, UpdatedAt: sale.Time{Time: tenOClock}})
	}
}

func TestLiveShowsASale(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 3, 2, 1)
	b.paid(1)
	answer := b.ask("GET", liveOf, "")
	got := answer.is(200)
	document(t).fits(t, "Live", answer.Body)
	require.Equal(t, "2026-11-11T10:00:00.123Z", got["at"])
	require.Equal(t, "open", got["phase"])
	require.InDelta(t, -123, got["starts_in_ms"], 0)
	require.Equal(t, "s", got["sale"].(map[string]any)["id"])
	require.Equal(t, map[string]any{
		"loaded": 17.0, "available": 15.0, "in_flight": 1.0, "settled": 2.0, "released": 1.0, "paid": 1.0, "unpaid": 0.0,
		"conserved": true, "orders_per_s": nil, "sold_out_in_s": nil,
	}, got["total"])
	items := got["items"].(map[string]any)
	require.InDelta(t, 2, items["matched"], 0)
	row := items["rows"].([]any)[0].(map[string]any)
	require.Equal(t, "phone", row["sku"])
	require.InDelta(t, 1, row["paid"], 0)
	rates := got["rates"].(map[string]any)
	require.InDelta(t, 200, rates["presses_per_s"], 0)
	require.Equal(t, map[string]any{"sold_out": 150.0, "rate_limited": 10.0}, rates["refused_per_s"])
	require.Nil(t, rates["oldest_held_s"])
	require.Len(t, got["processes"], 2)
	require.Equal(t, []any{
		map[string]any{"store": "redis", "up": true, "detail": ""}, map[string]any{"store": "kafka", "up": true, "detail": ""},
		map[string]any{"store": "mysql", "up": true, "detail": ""},
	}, got["stores"])
	require.Nil(t, got["brake"])
	b.ask("GET", "/admin/v1/sales/none/live", "").problem(404, "sale_not_found")
	b.ask("GET", "/admin/v1/sales/none/live", "", "Accept", "text/event-stream").problem(404, "sale_not_found")
}

func TestLiveOfADraftAndAnArchivedSale(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	draft := b.ask("GET", liveOf, "").is(200)
	require.Equal(t, "draft", draft["phase"])
	require.InDelta(t, 0, draft["total"].(map[string]any)["loaded"], 0)
	require.Equal(t, true, draft["total"].(map[string]any)["conserved"])
	b.bring("t", phoneSale, "preload", "open", "close")
	b.ask("DELETE", "/admin/v1/sales/t", "").is(200)
	archived := b.ask("GET", "/admin/v1/sales/t/live", "")
	require.Equal(t, "archived", archived.is(200)["phase"])
	document(t).fits(t, "Live", archived.Body)
}

func TestLiveStream(t *testing.T) {
	b, doc := newBench(t), document(t)
	b.bring("s", phoneSale, "preload", "open")
	for i := range 25 {
		b.store.note("s", fmt.Sprint("verb-", i))
	}
	response := b.stream("GET", liveOf)
	defer response.Body.Close()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	stream := follow(t, response)
	var begun []event
	for range 22 {
		begun = append(begun, stream.next())
	}
	require.Equal(t, "history", begun[0].name)
	doc.fits(t, "LiveHistory", []byte(begun[0].data))
	require.Equal(t, "live", begun[1].name)
	doc.fits(t, "Live", []byte(begun[1].data))
	for i, e := range begun[2:] {
		require.Equal(t, "trail", e.name)
		require.Contains(t, e.data, fmt.Sprintf(`"verb":"verb-%d"`, i+5), "the last twenty, oldest first")
		doc.fits(t, "TrailEntry", []byte(e.data))
	}
	b.store.note("another", "open")
	b.store.note("s", sale.VerbPause)
	stream.until(func(e event) bool {
		require.Contains(t, []string{"live", "trail"}, e.name, "no second history")
		return e.name == "trail" && strings.Contains(e.data, `"verb":"pause"`)
	}, "the pause")
	read := 0
	b.store.set(func() { read = b.store.entriesRead })
	require.LessOrEqual(t, read, 26, "entries that are known are not read again")
	head := b.ask("HEAD", liveOf, "", "Accept", "text/event-stream")
	require.Equal(t, 200, head.Status)
	require.Equal(t, "text/event-stream", head.Header.Get("Content-Type"))
}

// The items, which may be thousands, are read again only when the sale's version has changed; a new item, a new name and a state
// are shown all the same.
func TestLiveReadsItemsOnlyWhenTheyChange(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	response := b.stream("GET", liveOf)
	defer response.Body.Close()
	stream := follow(t, response)
	shows := func(text string) {
		t.Helper()
		stream.until(func(e event) bool { return e.name == "live" && strings.Contains(e.data, text) }, text)
	}
	shows(`"state":"open"`)
	reads := func() (n int) {
		b.store.set(func() { n = b.store.saleReads })
		return n
	}
	before := reads()
	for range 3 {
		stream.until(func(e event) bool { return e.name == "live" }, "another reading")
	}
	require.Equal(t, before, reads(), "nothing has changed")
	b.ask("PUT", "/admin/v1/sales/s", strings.Replace(phoneSale, `"price_cents":129900}`,
		`"price_cents":129900,"name":"Fon"},{"sku":"case","stock":3,"price_cents":5}`, 1)).is(200)
	shows(`"sku":"phone","name":"Fon"`)
	shows(`"sku":"case"`)
	b.ask("POST", "/admin/v1/sales/s/pause", "").is(200)
	shows(`"state":"paused"`)
}

// manyItems is the body of a sale of so many SKUs: sku-0000, named by turns.
func manyItems(count int) string {
	items := make([]string, count)
	for i := range items {
		items[i] = fmt.Sprintf(`{"sku":"SKU-%04d","stock":%d,"price_cents":1,"name":"%s %d"}`, i, 100+i%7,
			[]string{"Zelt", "Ähre", "手机"}[i%3], i)
	}
	return strings.Replace(phoneSale, `{"sku":"phone","stock":10,"price_cents":129900}`, strings.Join(items, ","), 1)
}

func TestLiveFindsSortsAndPages(t *testing.T) {
	b := newBench(t)
	b.bring("s", manyItems(300), "preload", "open")
	for query, want := range map[string]struct {
		matched int
		rows    string
	}{
		"?from=1": {300, "0001 0002 0003 0004 0005 0006 0007 0008 0009 0010 0011 0012 0013 0014 0015 0016 0017 0018 0019 " +
			"0020"},
		"?limit=3":                       {300, "0000 0001 0002"},
		"?from=297&limit=200":            {300, "0297 0298 0299"},
		"?from=300":                      {300, ""},
		"?from=10000":                    {300, ""},
		"?q=sku-01&limit=2":              {100, "0100 0101"},
		"?q=%C3%A4HRE%20&limit=2":        {100, "0001 0004"},
		"?q=%E6%89%8B&limit=1":           {100, "0002"},
		"?q=nothing":                     {0, ""},
		"?sort=available&limit=2":        {300, "0006 0013"},
		"?sort=sold&limit=2":             {300, "0042 0000"},
		"?sort=orders&limit=1":           {300, "0000"},
		"?sort=sku&q=0299&from=0&unread": {1, "0299"},
	} {
		b.store.Change(func(tables *memory.Tables) {
			units := tables.Stock[sale.Shelf{Bucket: first, SKU: "SKU-0042"}]
			units.Settled, units.SettledEpoch = 1, 1
		})
		items := b.ask("GET", liveOf+query, "").is(200)["items"].(map[string]any)
		require.InDelta(t, 300, items["total"], 0)
		require.InDelta(t, want.matched, items["matched"], 0, query)
		var rows []string
		for _, row := range items["rows"].([]any) {
			rows = append(rows, strings.TrimPrefix(row.(map[string]any)["sku"].(string), "SKU-"))
		}
		require.Equal(t, want.rows, strings.Join(rows, " "), query)
	}
	for query, field := range map[string]string{
		"?sort=price": "sort", "?from=-1": "from", "?from=10001": "from", "?from=x": "from", "?limit=0": "limit",
		"?limit=201": "limit", "?limit=1.5": "limit", "?q=" + strings.Repeat("x", 201): "q",
	} {
		b.ask("GET", liveOf+query, "").field(field)
		b.ask("GET", liveOf+query, "", "Accept", "text/event-stream").field(field)
	}
	all := b.ask("GET", liveOf+"?sort=a&limit=b&from=c", "").problem(400, "malformed")
	require.Len(t, all["errors"], 3, "every fault at once")
}

// While Redis is away the screen shows what the database has; what is not known is null, and the problem is said.
func TestLiveWithoutRedis(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.sell(first, 3, 2, 0)
	b.paid(1)
	b.stock.set(func() { b.stock.away = true })
	b.pulses.set(func() { b.pulses.away["redis"] = errAway })
	answer := b.ask("GET", liveOf, "")
	document(t).fits(t, "Live", answer.Body)
	got := answer.is(200)
	require.Equal(t, map[string]any{
		"loaded": 10.0, "available": nil, "in_flight": nil, "settled": 2.0, "released": 0.0, "paid": 1.0, "unpaid": 1.0,
		"conserved": nil, "orders_per_s": nil, "sold_out_in_s": nil,
	}, got["total"])
	require.Equal(t, map[string]any{"store": "redis", "up": false, "detail": "the store is away"}, got["stores"].([]any)[0])
	response := b.stream("GET", liveOf)
	defer response.Body.Close()
	stream := follow(t, response)
	require.Equal(t, "history", stream.next().name)
	require.Equal(t, "live", stream.next().name)
	problem := stream.next()
	require.Equal(t, "problem", problem.name)
	document(t).fits(t, "Problem", []byte(problem.data))
	b.stock.set(func() { b.stock.away = false })
	stream.until(func(e event) bool { return e.name == "live" && strings.Contains(e.data, `"available":7`) },
		"the stream goes on")
}

// While the database is away an open screen keeps the sale and says that its numbers are not known; a new one is refused.
func TestLiveWithoutTheDatabase(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	response := b.stream("GET", liveOf)
	defer response.Body.Close()
	stream := follow(t, response)
	stream.until(func(e event) bool { return e.name == "live" }, "a reading")
	b.store.set(func() { b.store.away = true })
	var last event
	stream.until(func(e event) bool {
		if e.name == "live" {
			last = e
		}
		return e.name == "problem" && strings.Contains(last.data, `"loaded":null`)
	}, "the problem")
	require.Contains(t, last.data, `"name":"Phones"`)
	require.Contains(t, last.data, `"sku":"phone"`)
	document(t).fits(t, "Live", []byte(last.data))
	b.ask("GET", "/admin/v1/sales/other/live", "").problem(503, "unavailable")
}

// A bucket that is rebuilt has units that are not known; the equation is neither said to hold nor to be broken.
func TestLiveDuringARebuild(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State, r.Epoch = sale.BucketLoading, 2 })
	total := b.ask("GET", liveOf, "").is(200)["total"].(map[string]any)
	require.Nil(t, total["available"])
	require.Nil(t, total["conserved"])
	require.InDelta(t, 10, total["loaded"], 0)
}

func TestLiveShowsTheBrake(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	slowed := &sale.Brake{Reason: sale.BrakeRows, PerSecond: 40, PerGateway: 20}
	require.NoError(t, b.store.SetBrake(t.Context(), slowed, time.Minute))
	answer := b.ask("GET", liveOf, "")
	document(t).fits(t, "Live", answer.Body)
	brake := answer.is(200)["brake"].(map[string]any)
	require.NotEmpty(t, brake["since"])
	delete(brake, "since")
	require.Equal(t, map[string]any{"reason": "rows", "per_second": 40.0}, brake)
}

func TestLiveRates(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StatsEvery = 20 * time.Millisecond })
	b.bring("s", phoneSale, "preload", "open")
	response := b.stream("GET", liveOf)
	defer response.Body.Close()
	stream := follow(t, response)
	stream.until(func(e event) bool { return e.name == "live" }, "a reading")
	b.sell(first, 4, 0, 0)
	var total map[string]any
	stream.until(func(e event) bool {
		var live map[string]any
		require.NoError(t, json.Unmarshal([]byte(e.data), &live))
		total, _ = live["total"].(map[string]any)
		rate, known := total["orders_per_s"].(float64)
		return known && rate > 0
	}, "a rate")
	require.Positive(t, total["sold_out_in_s"])
	b.sell(first, 6, 0, 0)
	stream.until(func(e event) bool { return strings.Contains(e.data, `"sold_out_in_s":0`) }, "nothing is left")
}

// Thirty operators on one sale and some others with other queries cost one reading at a time.
func TestManyWatchersOfASale(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StatsEvery = 50 * time.Millisecond })
	b.bring("s", manyItems(100), "preload", "open")
	before := 0
	b.store.set(func() { before = b.store.headReads })
	began := time.Now()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			response := b.stream("GET", liveOf+fmt.Sprintf("?from=%d", i%10))
			defer response.Body.Close()
			_ = events(t, response.Body, 12)
		})
	}
	all.Wait()
	after := 0
	b.store.set(func() { after = b.store.headReads })
	most := int(time.Since(began)/(50*time.Millisecond)) + 2
	require.LessOrEqual(t, after-before, most, "one reading each %s, whatever the number of watchers", 50*time.Millisecond)
}

// Clients that never read hold no memory of the process and delay nobody; the server hangs up on them.
func TestClientsThatNeverRead(t *testing.T) {
	b := newBench(t)
	b.bring("s", manyItems(300), "preload", "open")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 40 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
		_, err = fmt.Fprintf(conn, "GET %s?limit=200 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"+
			"Accept: text/event-stream\r\n\r\n", liveOf, adminToken)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(b.api.streams) == 40 }, 5*time.Second, time.Millisecond)
	response := b.stream("GET", liveOf+"?limit=200")
	defer response.Body.Close()
	began := time.Now()
	events(t, response.Body, 101) // history, 100 readings: each stalled client would have to hold 8 MB of them
	require.Less(t, time.Since(began), 8*time.Second, "the others wait for none of them")
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(40<<20))
	require.Eventually(t, func() bool { return len(b.api.streams) == 1 }, 3*eventTimeout, 50*time.Millisecond,
		"a client that takes nothing for %s is gone", eventTimeout)
}

func TestLiveStreamsAreBounded(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for range maxStreams {
		b.api.streams <- struct{}{}
	}
	b.ask("GET", liveOf, "", "Accept", "text/event-stream").problem(503, "overloaded")
	b.ask("GET", "/admin/v1/live", "", "Accept", "text/event-stream").problem(503, "overloaded")
	b.ask("GET", liveOf, "").is(200)
}

func TestLiveEndsWithTheProcess(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for _, path := range []string{liveOf, "/admin/v1/live"} {
		response := b.stream("GET", path)
		defer response.Body.Close()
		events(t, response.Body, 1)
		defer func() {
			_, err := io.Copy(io.Discard, response.Body)
			require.NoError(t, err, "the stream ended")
		}()
	}
	b.api.StopStreams()
}

// A stream has a comment every 15 s, however often events come, so that proxies leave it open.
func TestComments(t *testing.T) {
	for _, every := range []time.Duration{time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			h, api := hubOf(t)
			w, err := h.watch("s", func(context.Context, any) reading { return reading{value: 7, rest: every} })
			require.NoError(t, err)
			first, ok := w.next(t.Context())
			require.True(t, ok)
			recorder := &flushed{header: http.Header{}}
			ctx, cancel := context.WithTimeout(t.Context(), 45500*time.Millisecond)
			defer cancel()
			require.NoError(t, api.send(ctx, newStream(recorder), w, numbers{}, first))
			require.Equal(t, 3, strings.Count(recorder.body.String(), ":\n\n"), every)
			require.True(t, strings.HasPrefix(recorder.body.String(), "event: first\ndata: 7\n\nevent: next\ndata: 7\n\n"))
			require.Equal(t, int(45*time.Second/every)+1, strings.Count(recorder.body.String(), "event: next"))
			w.close()
		})
	}
}

// numbers is a feed of numbers.
type numbers struct{}

func (numbers) refuses(any) error { return nil }

func (numbers) first(out *stream, value any) error { return out.send("first", fmt.Append(nil, value)) }

func (numbers) next(out *stream, value any) error { return out.send("next", fmt.Append(nil, value)) }

// flushed is an answer whose deadlines and flushes succeed.
type flushed struct {
	header http.Header
	body   strings.Builder
}

func (f *flushed) Header() http.Header              { return f.header }
func (f *flushed) WriteHeader(int)                  {}
func (f *flushed) Write(p []byte) (int, error)      { return f.body.Write(p) }
func (f *flushed) Flush()                           {}
func (f *flushed) SetWriteDeadline(time.Time) error { return nil }

func TestPhases(t *testing.T) {
	s := sale.Sale{StartsAt: sale.Time{Time: tenOClock}, EndsAt: sale.Time{Time: tenOClock.Add(time.Hour)}}
	early, during, late := tenOClock.Add(-time.Second), tenOClock, tenOClock.Add(time.Hour)
	for _, c := range []struct {
		state sale.State
		at    time.Time
		want  string
	}{
		{sale.StateDraft, during, "draft"}, {sale.StatePreloaded, during, "upcoming"}, {sale.StateOpen, early, "upcoming"},
		{sale.StateOpen, during, "open"}, {sale.StateOpen, late, "ended"}, {sale.StatePaused, early, "upcoming"},
		{sale.StatePaused, during, "paused"}, {sale.StatePaused, late, "ended"}, {sale.StateClosed, during, "ended"},
		{sale.StateArchived, during, "archived"}, {sale.StateOpen, time.Time{}, "unknown"},
		{sale.StateClosed, time.Time{}, "ended"},
	} {
		s.State = c.state
		require.Equal(t, c.want, phaseOf(&s, c.at), "%s at %s", c.state, c.at)
	}
}

// An entry that is committed late, with a lower id, is sent too, and none twice.
func TestTrailOfAStream(t *testing.T) {
	tail := func(ids ...int64) *trailTail {
		made := &trailTail{}
		for _, id := range ids {
			made.entries = append(made.entries, trailEvent{id: id})
		}
		return made
	}
	var sent trailSent
	require.Len(t, sent.fresh(tail(1, 2, 5)), 3)
	require.Empty(t, sent.fresh(tail(1, 2, 5)))
	require.Equal(t, []trailEvent{{id: 4}}, sent.fresh(tail(1, 2, 4, 5)))
	require.Equal(t, []trailEvent{{id: 9}}, sent.fresh(tail(5, 9)))
	require.Len(t, sent.sent, 2, "what is forgotten there is forgotten here")
}
