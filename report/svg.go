package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes of a picture in its own units; the page scales it to the width of its column.
const (
	width, height           = 640.0, 280.0
	marginLeft, marginRight = 62.0, 14.0
	marginTop, marginBottom = 22.0, 42.0
)

// drawing writes one picture.
type drawing struct {
	chart *Chart
	x, y  scale
	text  strings.Builder
}

// SVG draws the chart. A chart without any value says so in the picture. The error is ErrSeries.
func (c *Chart) SVG() (string, error) {
	if err := c.validate(); err != nil {
		return "", err
	}
	d := &drawing{chart: c}
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`,
		width, height, html.EscapeString(c.description()))
	x, y, found := c.extent()
	if !found {
		d.label(width/2, height/2, "middle", "no values")
		return d.text.String() + "</svg>", nil
	}
	if c.Kind == Bars && !c.X.Log {
		x = x.with(x.high + c.barWidth()) // the last bar has its width too
	}
	d.x = newScale(x, c.X.Log, false, marginLeft, width-marginRight)
	d.y = newScale(y, c.Y.Log, true, height-marginBottom, marginTop)
	d.axes()
	if c.Kind == Bars {
		d.bars()
	} else {
		d.lines()
	}
	return d.text.String() + "</svg>", nil
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.text, format, args...) }

// label writes a text with its baseline at y.
func (d *drawing) label(x, y float64, anchor, text string) {
	d.printf(`<text x="%s" y="%s" text-anchor="%s">%s</text>`, coordinate(x), coordinate(y), anchor, html.EscapeString(text))
}

// coordinate writes a place with the tenth of a unit, which is less than a pixel.
func coordinate(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// axes draws the grid and the names of both axes.
func (d *drawing) axes() {
	left, right, bottom := marginLeft, width-marginRight, height-marginBottom
	for _, tick := range d.y.ticks() {
		at := d.y.at(tick)
		d.printf(`<path class="grid" d="M%s %sH%s"/>`, coordinate(left), coordinate(at), coordinate(right))
		d.label(left-6, at+4, "end", Number(tick))
	}
	for _, tick := range d.x.ticks() {
		at := d.x.at(tick)
		d.printf(`<path class="grid" d="M%s %sv5"/>`, coordinate(at), coordinate(bottom))
		d.label(at, bottom+18, "middle", Number(tick))
	}
	d.label(right, height-6, "end", d.chart.X.Label)
	d.label(6, 13, "start", d.chart.Y.Label)
}

// lines draws one path for each series; a value that stands alone is a short dash, because a path of one point is invisible.
func (d *drawing) lines() {
	for i, s := range d.chart.Series {
		var path strings.Builder
		pen, alone := false, false
		for _, p := range s.Points {
			if !d.chart.shown(p) {
				d.endLine(&path, alone)
				pen, alone = false, false
				continue
			}
			command := "L"
			if !pen {
				command = "M"
			}
			alone = !pen
			pen = true
			fmt.Fprintf(&path, "%s%s %s", command, coordinate(d.x.at(p.X)), coordinate(d.y.at(p.Y)))
		}
		d.endLine(&path, alone)
		d.printf(`<path class="line %s" d="%s"><title>%s</title></path>`, classOf(i), path.String(), html.EscapeString(s.Name))
	}
}

func (d *drawing) endLine(path *strings.Builder, alone bool) {
	if alone {
		path.WriteString("h2")
	}
}

// barWidth returns the distance between two points of a linear axis.
func (c *Chart) barWidth() float64 {
	points := c.Series[0].Points
	if len(points) < 2 {
		return 1
	}
	return points[1].X - points[0].X
}

// barEnd returns the right edge of bar i: the next bar's left edge.
func (d *drawing) barEnd(i int) float64 {
	points := d.chart.Series[0].Points
	if i+1 < len(points) {
		return d.x.at(points[i+1].X)
	}
	if d.chart.X.Log {
		if i == 0 {
			return width - marginRight
		}
		return math.Min(width-marginRight, 2*d.x.at(points[i].X)-d.x.at(points[i-1].X))
	}
	return d.x.at(points[i].X + d.chart.barWidth())
}

// bars draws one path for each series, with one rectangle for each of its points on top of those of the series before.
func (d *drawing) bars() {
	base := make([]float64, len(d.chart.Series[0].Points))
	for i, s := range d.chart.Series {
		var path strings.Builder
		for at, p := range s.Points {
			if !d.chart.shown(p) || p.Y <= 0 {
				continue
			}
			left, right := d.x.at(p.X), d.barEnd(at)
			low, high := d.y.from, d.y.at(base[at]+p.Y)
			if base[at] > 0 {
				low = d.y.at(base[at])
			}
			base[at] += p.Y
			fmt.Fprintf(&path, "M%s %sH%sV%sH%sz", coordinate(left), coordinate(low), coordinate(math.Max(right-0.5, left+0.5)),
				coordinate(high), coordinate(left))
		}
		d.printf(`<path class="bar %s" d="%s"><title>%s</title></path>`, classOf(i), path.String(), html.EscapeString(s.Name))
	}
}

// description is the text alternative of the picture: what it shows, and each series with its largest value.
func (c *Chart) description() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s by %s.", c.Title, c.Y.Label, c.X.Label)
	for _, s := range c.Series {
		largest := emptySpan()
		for _, p := range s.Points {
			if c.shown(p) {
				largest = largest.with(p.Y)
			}
		}
		if !largest.empty() {
			fmt.Fprintf(&text, " %s: at most %s.", s.Name, Number(largest.high))
		}
	}
	return text.String()
}
