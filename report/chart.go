package report

import (
	"errors"
	"fmt"
	"math"
)

// Kind is how a chart shows its series.
type Kind int

// The kinds of charts.
const (
	Lines Kind = iota // one line for each series
	Bars              // one bar for each point, those of several series on top of each other
)

// MaxSeries bounds the series of a chart, so that each has a colour of its own.
const MaxSeries = 8

// Point is one value of a series. A Y that is not a number leaves a gap.
type Point struct{ X, Y float64 }

// Series is a named row of points, X ascending. In a chart of bars, point i of every series has the same X.
type Series struct {
	Name   string
	Points []Point
}

// Axis is one side of a chart.
type Axis struct {
	Label string // with the unit
	Log   bool   // by powers of ten; values of 0 and below are not shown then
}

// Chart is a picture of up to MaxSeries series.
type Chart struct {
	Title   string
	Caption string
	Kind    Kind
	X, Y    Axis
	Series  []Series
}

// ErrSeries is a chart with too many series, or bars whose points do not lie above each other.
var ErrSeries = errors.New("the series do not fit into one chart")

// LegendEntry names the colour of a series.
type LegendEntry struct{ Class, Name string }

// Legend returns the entries below the chart; a single series needs none, because the title names it.
func (c *Chart) Legend() []LegendEntry {
	if len(c.Series) < 2 {
		return nil
	}
	entries := make([]LegendEntry, len(c.Series))
	for i, s := range c.Series {
		entries[i] = LegendEntry{classOf(i), s.Name}
	}
	return entries
}

func classOf(series int) string { return fmt.Sprintf("s%d", series) }

func (c *Chart) validate() error {
	if len(c.Series) > MaxSeries {
		return fmt.Errorf("%w: %d series, at most %d", ErrSeries, len(c.Series), MaxSeries)
	}
	if c.Kind != Bars {
		return nil
	}
	for _, s := range c.Series[min(1, len(c.Series)):] {
		if len(s.Points) != len(c.Series[0].Points) {
			return fmt.Errorf("%w: %q has %d points, %q has %d", ErrSeries, s.Name, len(s.Points), c.Series[0].Name,
				len(c.Series[0].Points))
		}
	}
	return nil
}

// extent returns the smallest and the largest value of both axes; ok is false where nothing can be shown. Linear values
// begin at zero, because a reader compares heights.
func (c *Chart) extent() (x, y span, ok bool) {
	x, y = emptySpan(), emptySpan()
	for _, s := range c.Series {
		for _, p := range s.Points {
			if c.shown(p) {
				x, y = x.with(p.X), y.with(p.Y)
			}
		}
	}
	if x.empty() {
		return x, y, false
	}
	if c.Kind == Bars {
		for i := range c.Series[0].Points {
			y = y.with(c.sumAt(i))
		}
	}
	if !c.Y.Log {
		y = y.with(0)
	}
	return x, y, true
}

// shown reports whether a point has a place in the chart.
func (c *Chart) shown(p Point) bool {
	finite := !math.IsNaN(p.X) && !math.IsInf(p.X, 0) && !math.IsNaN(p.Y) && !math.IsInf(p.Y, 0)
	return finite && (!c.X.Log || p.X > 0) && (!c.Y.Log || p.Y > 0)
}

// sumAt returns the height of the bar at point i.
func (c *Chart) sumAt(i int) (sum float64) {
	for _, s := range c.Series {
		if c.shown(s.Points[i]) {
			sum += s.Points[i].Y
		}
	}
	return sum
}
