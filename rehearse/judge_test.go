package rehearse

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/report"
)

func limits() Limits { return Limits{MaxP99: 500 * time.Millisecond, MaxDrain: 10 * time.Second} }

// flawless is a rehearsal with nothing against it.
func flawless() *Report {
	return &Report{
		Sale: "spring", Asked: Asked{Buyers: 1000, Rate: 100, Gateways: 1, Settles: 1},
		Rush: Rush{Presses: 1000, Reached: 99.7, Connections: 40, Seconds: 10, P99: 12,
			Ended: map[string]int64{"queued": 600, "sold_out": 400}},
		Drain:    0.4,
		Books:    Books{Loaded: 600, Sold: 600, Certificate: "holds"},
		Payments: Payments{Asked: 480, Paid: 480, InTime: 480, Within: 30, Max: 0.2},
		Headroom: Headroom{Cores: 2, Machine: 0.5, Crowd: 0.4, Journal: 10, JournalBound: 100_000, MaxInFlight: 20_000},
	}
}

func TestAFlawlessRehearsalIsAGo(t *testing.T) {
	r := flawless()
	r.judge(limits())
	require.Equal(t, "go", r.Verdict)
	require.True(t, r.Go())
	for _, reason := range r.Reasons {
		require.Equal(t, report.ToneGood, reason.Tone, reason.Text)
	}
}

// One line for each reason: what the rehearsal lacks, the tone of the reason, its number, and what to change.
func TestReasons(t *testing.T) {
	const bad, warn, noted = report.ToneBad, report.ToneWarn, report.ToneNote
	for name, c := range map[string]struct {
		change func(*Report)
		tone   report.Tone
		said   string
		advice string
	}{
		"slow crowd": {func(r *Report) { r.Rush.Reached = 80 }, bad, "80 times a second of 100 asked", "--gateways"},
		"slow on a busy machine": {func(r *Report) { r.Rush.Reached, r.Headroom.Machine = 80, 0.97 }, bad,
			"this machine was 97 % busy", "more cores"},
		"one press":      {func(r *Report) { r.Rush.Reached = 0 }, noted, "no rate", ""},
		"overloaded":     {func(r *Report) { r.Rush.Ended["overloaded"] = 3 }, bad, "overloaded 3", "max_in_flight"},
		"rate limited":   {func(r *Report) { r.Rush.Ended["rate_limited"] = 3 }, bad, "rate_limited 3", "rules"},
		"no answer":      {func(r *Report) { r.Rush.Ended["no_answer"] = 1 }, bad, "no_answer 1", "connection"},
		"p99":            {func(r *Report) { r.Rush.P99 = 812 }, bad, "up to 812 ms, the limit is 500 ms", "buckets"},
		"late rows":      {func(r *Report) { r.Drain = 12 }, bad, "12 s after the last answer", "--settles"},
		"no last row":    {func(r *Report) { r.Drain, r.Books.InFlight = -1, 7 }, bad, "7 units are still", "settle"},
		"unread books":   {func(r *Report) { r.Books.Fault = "away" }, bad, "could not be read: away", "report"},
		"off":            {func(r *Report) { r.Books.Off = []string{"phone"} }, bad, "not hold for phone", "Do not open"},
		"violated":       {func(r *Report) { r.Books.Violations = []string{"equation"} }, bad, "stores: equ", "open"},
		"oversold":       {func(r *Report) { r.Books.Oversold = 2 }, bad, "2 units were sold beyond the stock", "open"},
		"duplicated":     {func(r *Report) { r.Books.Duplicated = 2 }, bad, "beyond their limit", "open"},
		"lost":           {func(r *Report) { r.Books.Lost = 2 }, bad, "promised and have no row", "open"},
		"untold":         {func(r *Report) { r.Books.Untold = 2 }, bad, "buyers who were refused", "open"},
		"dead letters":   {func(r *Report) { r.Books.DeadLetters = 2 }, bad, "2 records could not settle", "open"},
		"missing":        {func(r *Report) { r.Payments.Paid, r.Payments.Fault = 470, "gone" }, bad, "10 of 480", "shop"},
		"slow payments":  {func(r *Report) { r.Payments.InTime, r.Payments.Max = 470, 45 }, bad, "slowest 45 s", "faster"},
		"no payments":    {func(r *Report) { r.Payments = Payments{} }, noted, "were not rehearsed", ""},
		"busy":           {func(r *Report) { r.Headroom.Machine = 0.95 }, warn, "95 % busy", "this rate"},
		"unmeasured":     {func(r *Report) { r.Headroom.Machine = 0 }, noted, "could not be measured", ""},
		"full redis":     {func(r *Report) { r.Headroom.Redis = []RedisLoad{{"r:1", 1, 90, 100}} }, bad, "90 %", "maxmemory"},
		"full journal":   {func(r *Report) { r.Headroom.Journal = 60_000 }, warn, "60 %", "journal_max_orders"},
		"many in flight": {func(r *Report) { r.Rush.Connections = 19_000 }, warn, "95 %", "max_in_flight"},
		"never sold out": {func(r *Report) { delete(r.Rush.Ended, "sold_out") }, noted, "did not sell out", ""},
		"a note":         {func(r *Report) { r.Notes = []string{"100% real"} }, noted, "100% real", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := flawless()
			c.change(r)
			r.judge(limits())
			at := slices.IndexFunc(r.Reasons, func(one report.Reason) bool { return strings.Contains(one.Text, c.said) })
			require.GreaterOrEqual(t, at, 0, "%+v", r.Reasons)
			require.Equal(t, c.tone, r.Reasons[at].Tone)
			require.Contains(t, r.Reasons[at].Advice, c.advice)
			require.Equal(t, c.tone != bad, r.Go(), r.Verdict)
			if c.tone == bad {
				require.Equal(t, bad, r.Reasons[0].Tone, "what is against the sale is first")
				require.NotEmpty(t, r.Reasons[at].Advice)
			}
		})
	}
}

// A Redis without a bound, and one with room, are no reason.
func TestMemoryWithRoom(t *testing.T) {
	r := flawless()
	r.Headroom.Redis = []RedisLoad{{"a", 1, 900, 0}, {"b", 1, 79, 100}}
	r.judge(limits())
	require.True(t, r.Go())
	require.NotContains(t, r.Reasons[0].Text, "maxmemory")
}

func TestTheReportIsReadable(t *testing.T) {
	r := flawless()
	r.Sale = "s<&>"
	r.Rush.P99 = 900
	r.Headroom.Processes = []ProcessLoad{{"gateway 1", 0.5, 0.9}}
	r.Headroom.Redis = []RedisLoad{{"r:1", 1e6, 2.5e6, 0}, {"r:2", 1e6, 2e6, 1e9}}
	r.Payments.Payer = `https://shop/?a=<b>`
	r.judge(limits())
	var text bytes.Buffer
	_, err := r.WriteTo(&text)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text.String(), "sale s<&>: NO-GO\n  bad   99 of 100 answers took up to 900 ms"))
	require.Contains(t, text.String(), "Add --gateways or cores")
	said := pageText(t, r.Page("made here"))
	for _, want := range []string{"Rehearsal of sale s<&>", "no-go", "https://shop/?a=<b>", "gateway 1", "2.5", "none", "1,000",
		"made here"} {
		require.Contains(t, said, want)
	}
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	for _, member := range []string{`"verdict":"no-go"`, `"reached_per_s"`, `"p99_ms":900`, `"last_row_s":0.4`, `"advice"`} {
		require.Contains(t, string(encoded), member)
	}
}

func pageText(t *testing.T, page *report.Page) string {
	t.Helper()
	var written bytes.Buffer
	_, err := page.WriteTo(&written)
	require.NoError(t, err)
	decoder := xml.NewDecoder(&written)
	var said strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return said.String()
		}
		require.NoError(t, err)
		if text, is := token.(xml.CharData); is {
			said.Write(text)
		}
	}
}
