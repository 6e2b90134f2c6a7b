package loadtest

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"flashsale/report"
)

// Charts returns the pictures of a rush that was recorded with a timeline, none without.
func (r *Report) Charts() []report.Chart {
	if r.Timeline == nil {
		return nil
	}
	return []report.Chart{r.Timeline.presses(), r.Timeline.outcomes(), r.Timeline.latencies(), r.Timeline.distribution(),
		r.soldChart()}
}

// secondsOfTheRush is the axis of time.
func secondsOfTheRush() report.Axis { return report.Axis{Label: "seconds since the first press"} }

// perSecond returns a series of rates.
func (t *Timeline) perSecond(name string, of func(*slot) int64) report.Series {
	return t.series(name, func(s *slot) float64 { return float64(of(s)) / t.step.Seconds() })
}

// series returns a value of each slot, at the slot's start.
func (t *Timeline) series(name string, of func(*slot) float64) report.Series {
	points := make([]report.Point, len(t.slots))
	for i := range t.slots {
		points[i] = report.Point{X: (time.Duration(i) * t.step).Seconds(), Y: of(&t.slots[i])}
	}
	return report.Series{Name: name, Points: points}
}

func (t *Timeline) presses() report.Chart {
	return report.Chart{
		Title: "Presses", Caption: "Attempts that left, retries included, and those that got an answer.",
		X: secondsOfTheRush(), Y: report.Axis{Label: "a second"},
		Series: []report.Series{
			t.perSecond("sent", func(s *slot) int64 { return s.sent }),
			t.perSecond("answered", func(s *slot) int64 { return s.answered }),
		},
	}
}

// outcomes shows the most frequent codes; the others share the last colour.
func (t *Timeline) outcomes() report.Chart {
	totals := map[string]int64{}
	for i := range t.slots {
		for code, n := range t.slots[i].codes {
			totals[code] += n
		}
	}
	codes := slices.SortedFunc(maps.Keys(totals), func(a, b string) int {
		return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a, b))
	})
	chart := report.Chart{
		Title: "Answers by outcome", Caption: "Every answer, also those after which the app pressed again.", Kind: report.Bars,
		X: secondsOfTheRush(), Y: report.Axis{Label: "a second"},
	}
	shown := codes
	if len(codes) > report.MaxSeries {
		shown = codes[:report.MaxSeries-1]
	}
	for _, code := range shown {
		chart.Series = append(chart.Series, t.perSecond(code, func(s *slot) int64 { return s.codes[code] }))
	}
	if rest := codes[len(shown):]; len(rest) > 0 {
		chart.Series = append(chart.Series, t.perSecond("others", func(s *slot) (n int64) {
			for _, code := range rest {
				n += s.codes[code]
			}
			return n
		}))
	}
	return chart
}

func (t *Timeline) latencies() report.Chart {
	chart := report.Chart{
		Title: "Latency", Caption: "Of the answers that arrived in each step, from the moment their attempt was due.",
		X: secondsOfTheRush(), Y: report.Axis{Label: "ms", Log: true},
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
		chart.Series = append(chart.Series, t.series(q.name, func(s *slot) float64 { return s.latency.quantile(q.q) }))
	}
	return chart
}

// distribution shows how many answers took how long, in the bins of the timeline from the fastest to the slowest.
func (t *Timeline) distribution() report.Chart {
	var all latencyBins
	for i := range t.slots {
		all.add(&t.slots[i].latency)
	}
	first := slices.IndexFunc(all[:], func(n uint32) bool { return n > 0 })
	chart := report.Chart{
		Title: "Distribution of the latency", Caption: "Answers by the time that they took.", Kind: report.Bars,
		X: report.Axis{Label: "ms", Log: true}, Y: report.Axis{Label: "answers"},
	}
	if first < 0 {
		return chart
	}
	points, last := []report.Point{}, 0
	for bin := first; bin < binCount; bin++ {
		points = append(points, report.Point{X: max(binStart(bin), 1) / 1000, Y: float64(all[bin])})
		if all[bin] > 0 {
			last = len(points)
		}
	}
	chart.Series = []report.Series{{Name: "answers", Points: points[:last]}}
	return chart
}

// soldChart shows the orders that buyers were told and, where the books were read, the units in the database.
func (r *Report) soldChart() report.Chart {
	orders := int64(0)
	accepted := r.Timeline.series("orders accepted", func(s *slot) float64 {
		orders += s.orders
		return float64(orders)
	})
	chart := report.Chart{
		Title: "Orders", Caption: "Orders that buyers were told, and units of this sale that are rows of the database.",
		X: secondsOfTheRush(), Y: report.Axis{Label: "so far"}, Series: []report.Series{accepted},
	}
	settled := report.Series{Name: "units settled"}
	for _, reading := range r.Books {
		y := float64(reading.Stock.Settled)
		if reading.Err != nil {
			y = math.NaN()
		}
		settled.Points = append(settled.Points, report.Point{X: reading.After.Seconds(), Y: y})
	}
	if slices.ContainsFunc(r.Books, func(b BooksReading) bool { return b.Err == nil }) {
		chart.Series = append(chart.Series, settled)
	} else {
		chart.Caption = "Orders that buyers were told. The books of the sale were not read, so settled units are not shown."
	}
	return chart
}
