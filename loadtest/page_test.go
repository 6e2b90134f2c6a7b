package loadtest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/report"
	"flashsale/sale"
)

// textOfPage writes a page, parses it as XML and returns its text and the labels of its pictures.
func textOfPage(t *testing.T, page *report.Page) string {
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
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				if a.Name.Local == "aria-label" {
					said.WriteString(a.Value + "\n")
				}
			}
		case xml.CharData:
			said.Write(token)
		}
	}
}

func lastY(s report.Series) float64 { return s.Points[len(s.Points)-1].Y }

// sumOf adds up a series of rates.
func sumOf(s report.Series, step time.Duration) (sum float64) {
	for _, p := range s.Points {
		sum += p.Y * step.Seconds()
	}
	return sum
}

// The charts show what the report counts, and the books are read until nothing is in flight.
func TestReportOfARush(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 100})
	var readings atomic.Int64
	done, stock := make(chan struct{}), sale.Stock{Loaded: 100, InFlight: 3, Settled: 97}
	result, _ := rushOf(t, s, 500, func(o *RushOptions) {
		o.Timeline = true
		o.Books = func(context.Context) (map[string]sale.Stock, error) {
			if readings.Add(1) < 3 {
				return map[string]sale.Stock{"phone": stock}, nil
			}
			close(done)
			return map[string]sale.Stock{"phone": {Loaded: 100, Settled: 100}}, nil
		}
	})
	<-done
	charts, step := result.Charts(), result.Timeline.step
	require.Len(t, charts, 5)
	require.InDelta(t, 500, sumOf(charts[0].Series[0], step), 0.01)
	require.InDelta(t, 500, sumOf(charts[0].Series[1], step), 0.01)
	require.Equal(t, "sold_out", charts[1].Series[0].Name)
	require.InDelta(t, 400, sumOf(charts[1].Series[0], step), 0.01)
	require.InDelta(t, 100, lastY(charts[4].Series[0]), 0)
	require.InDelta(t, 100, lastY(charts[4].Series[1]), 0)
	total := 0.0
	for _, p := range charts[3].Series[0].Points {
		total += p.Y
	}
	require.InDelta(t, 500, total, 0)
	text := textOfPage(t, result.Page("made here"))
	for _, want := range []string{"Rush on sale spring", "Latency: ms by seconds", "queued", "sold_out", "made here",
		"The stock equation holds, and nothing is in flight", "Every buyer was told"} {
		require.Contains(t, text, want)
	}
}

func TestARushWithoutATimelineHasNoCharts(t *testing.T) {
	result, _ := rushOf(t, newShop(1, map[string]int64{"phone": 1}), 2, nil)
	require.Empty(t, result.Charts())
	require.Empty(t, result.Books)
}

// A rare code shares a colour with others, and none is lost.
func TestManyOutcomesFitIntoOneChart(t *testing.T) {
	timeline := newTimeline()
	for i := range 12 {
		for range 12 - i {
			timeline.count(&Told{Code: string(rune('a' + i)), Status: 409}, 0, 0)
		}
	}
	chart := timeline.outcomes()
	require.Len(t, chart.Series, report.MaxSeries)
	require.Equal(t, "a", chart.Series[0].Name)
	last := chart.Series[report.MaxSeries-1]
	require.Equal(t, "others", last.Name)
	require.InDelta(t, 5+4+3+2+1, sumOf(last, timeline.step), 1e-9)
	require.Empty(t, newTimeline().distribution().Series)
}

// Each line of the verdict, from a report that lacks exactly that.
func TestVerdictOnARush(t *testing.T) {
	good := func() *Report {
		return &Report{
			Presses: 1000, Asked: 100, Reached: 99, Ended: map[string]int64{"queued": 1000},
			Books: []BooksReading{{After: time.Second, Stock: sale.Stock{Loaded: 5, Settled: 5}}},
			opts:  &RushOptions{Sale: "spring"},
		}
	}
	require.Equal(t, "good", good().judge().Word)
	for name, c := range map[string]struct {
		change func(*Report)
		tone   report.Tone
		said   string
	}{
		"slow":       {func(r *Report) { r.Reached = 60 }, report.ToneWarn, "pressed 60 times a second of 100"},
		"one press":  {func(r *Report) { r.Reached = 0 }, report.ToneNote, "no rate"},
		"late":       {func(r *Report) { r.Late = 11 }, report.ToneWarn, "11 of 1,000 presses left more than 10ms"},
		"no answer":  {func(r *Report) { r.Ended["no_answer"] = 2 }, report.ToneBad, "no_answer 2"},
		"overload":   {func(r *Report) { r.Ended["overloaded"] = 2 }, report.ToneBad, "overloaded 2"},
		"no books":   {func(r *Report) { r.Books = nil }, report.ToneNote, "were not read"},
		"unreadable": {func(r *Report) { r.Books[0].Err = errDiskFull }, report.ToneNote, errDiskFull.Error()},
		"off":        {func(r *Report) { r.Books[0].Off = []string{"phone"} }, report.ToneBad, "the first is phone"},
		"in flight":  {func(r *Report) { r.Books[0].Stock.InFlight = 4 }, report.ToneWarn, "4 units are still in flight"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(r)
			verdict := r.judge()
			at := slices.IndexFunc(verdict.Reasons, func(r report.Reason) bool { return strings.Contains(r.Text, c.said) })
			require.GreaterOrEqual(t, at, 0, "%+v", verdict)
			require.Equal(t, c.tone, verdict.Reasons[at].Tone)
			if c.tone != report.ToneNote {
				require.Equal(t, c.tone, verdict.Tone)
				require.NotEqual(t, "good", verdict.Word)
			}
		})
	}
}

// Books that never come to rest, or cannot be read, hold the report up no longer than asked.
func TestBooksAreWaitedForWithABound(t *testing.T) {
	s := newShop(1, map[string]int64{"phone": 5})
	result, _ := rushOf(t, s, 5, func(o *RushOptions) {
		o.BooksWait = 30 * time.Millisecond
		o.Books = func(context.Context) (map[string]sale.Stock, error) {
			return map[string]sale.Stock{"b": {Loaded: 9}, "a": {Loaded: 9}, "c": {Loaded: 1, InFlight: 1}}, nil
		}
	})
	require.NotEmpty(t, result.Books)
	require.Equal(t, []string{"a", "b"}, result.Books[0].Off)
	require.EqualValues(t, 1, result.Books[0].Stock.InFlight)
	result, _ = rushOf(t, s, 5, func(o *RushOptions) {
		o.BooksWait = 30 * time.Millisecond
		o.Books = func(ctx context.Context) (map[string]sale.Stock, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	require.Empty(t, result.Books, "an interrupted reading says nothing")
}

// The rate that was reached is that of the first attempts: retries are the apps'.
func TestReachedRate(t *testing.T) {
	start := time.Now()
	r := newRecorder(nil, false, start)
	require.Zero(t, r.reached())
	for i := range 11 {
		told := Told{Code: "queued", Attempt: 1, LatencyUS: 1, left: start.Add(time.Duration(i) * 100 * time.Millisecond)}
		r.answer(&told, true, 0)
		told.Attempt, told.left = 2, start.Add(time.Hour)
		r.answer(&told, true, 0)
	}
	require.InDelta(t, 10, r.reached(), 1e-9)
}
