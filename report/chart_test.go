package report

import (
	"encoding/xml"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// picture is what a test reads of an SVG.
type picture struct {
	Label string `xml:"aria-label,attr"`
	Paths []struct {
		Class string `xml:"class,attr"`
		D     string `xml:"d,attr"`
		Title string `xml:"title"`
	} `xml:"path"`
	Texts []string `xml:"text"`
}

func draw(t *testing.T, c *Chart) picture {
	t.Helper()
	svg, err := c.SVG()
	require.NoError(t, err)
	var p picture
	require.NoError(t, xml.Unmarshal([]byte(svg), &p))
	return p
}

// data returns the paths of the series, without the grid.
func (p picture) data() (found []string) {
	for _, path := range p.Paths {
		if path.Class != "grid" {
			found = append(found, path.D)
		}
	}
	return found
}

var coordinates = regexp.MustCompile(`-?[0-9.]+`)

// within checks that every coordinate of a picture lies inside of it.
func within(t *testing.T, p picture) {
	t.Helper()
	for _, d := range p.data() {
		require.NotContains(t, d, "NaN")
		require.NotContains(t, d, "Inf")
		for _, n := range coordinates.FindAllString(d, -1) {
			v, err := strconv.ParseFloat(n, 64)
			require.NoError(t, err)
			require.GreaterOrEqual(t, v, 0.0)
			require.LessOrEqual(t, v, width)
		}
	}
}

func TestALineGoesThroughItsPoints(t *testing.T) {
	p := draw(t, &Chart{Title: "Presses", X: Axis{Label: "seconds"}, Y: Axis{Label: "a second"},
		Series: []Series{{"sent", []Point{{0, 0}, {5, 100}, {10, 50}}}}})
	require.Equal(t, []string{"M62 238L344 22L626 130"}, p.data())
	require.Equal(t, "Presses: a second by seconds. sent: at most 100.", p.Label)
	require.Subset(t, p.Texts, []string{"0", "20", "100", "2", "10", "seconds", "a second"})
	within(t, p)
}

// A missing value is a gap, and a value between two gaps is still visible.
func TestGaps(t *testing.T) {
	gap := math.NaN()
	p := draw(t, &Chart{Series: []Series{{"a", []Point{{0, 1}, {1, gap}, {2, 1}, {3, 1}, {4, gap}, {5, 1}}}}})
	require.Equal(t, []string{"M62 22h2M287.6 22L400.4 22M626 22h2"}, p.data())
	p = draw(t, &Chart{Series: []Series{{"a", []Point{{0, gap}, {1, math.Inf(1)}}}}})
	require.Equal(t, []string{"no values"}, p.Texts)
	p = draw(t, &Chart{Y: Axis{Log: true}, Series: []Series{{"a", []Point{{0, 0}, {1, 5}}}}})
	require.Len(t, p.data(), 1)
	within(t, p)
}

// Bars of several series are on top of each other, and the last one has its width too.
func TestBarsAddUp(t *testing.T) {
	p := draw(t, &Chart{Kind: Bars, Series: []Series{
		{"a", []Point{{0, 30}, {1, 0}}}, {"b", []Point{{0, 70}, {1, 50}}},
	}})
	require.Equal(t, []string{"M62 238H343.5V173.2H62z", "M62 173.2H343.5V22H62zM344 238H625.5V130H344z"}, p.data())
	require.Contains(t, p.Texts, "100", "the axis reaches the sum")
	within(t, p)
}

func TestALogarithmicAxis(t *testing.T) {
	p := draw(t, &Chart{Kind: Bars, X: Axis{Label: "ms", Log: true}, Series: []Series{
		{"answers", []Point{{1, 1}, {10, 2}, {100, 3}}},
	}})
	require.Subset(t, p.Texts, []string{"1", "10", "100"})
	within(t, p)
	within(t, draw(t, &Chart{Kind: Bars, X: Axis{Log: true}, Series: []Series{{"one", []Point{{3, 1}}}}}))
	within(t, draw(t, &Chart{Y: Axis{Log: true}, Series: []Series{{"one", []Point{{3, 10}}}}}))
}

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		high float64
		want []float64
	}{
		{1, []float64{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}}, {97, []float64{0, 20, 40, 60, 80, 100}},
		{5000, []float64{0, 1000, 2000, 3000, 4000, 5000}},
	} {
		require.InDeltaSlice(t, c.want, newScale(span{0, c.high}, false, true, 0, 1).ticks(), 1e-9)
	}
	require.InDeltaSlice(t, []float64{0.1, 1, 10, 100}, newScale(span{0.2, 80}, true, true, 0, 1).ticks(), 1e-9)
	require.Len(t, newScale(span{0, 0}, false, true, 0, 1).ticks(), 6, "a row of zeros has an axis too")
}

func TestLegend(t *testing.T) {
	require.Nil(t, (&Chart{Series: []Series{{Name: "one"}}}).Legend(), "the title names it")
	require.Equal(t, []LegendEntry{{"s0", "a"}, {"s1", "b"}}, (&Chart{Series: []Series{{Name: "a"}, {Name: "b"}}}).Legend())
	for i := range MaxSeries {
		for _, what := range []string{".line.", ".bar.", ".swatch."} {
			require.Contains(t, styleText, what+classOf(i)+" ", "each series has a style")
		}
	}
	require.NotContains(t, strings.ToLower(styleText), "http")
}
