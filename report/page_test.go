package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// read parses a page as strict XML and returns its elements and its text.
func read(t *testing.T, page *Page) (elements []xml.StartElement, text string) {
	t.Helper()
	var written bytes.Buffer
	n, err := page.WriteTo(&written)
	require.NoError(t, err)
	require.EqualValues(t, written.Len(), n)
	decoder := xml.NewDecoder(&written)
	var said strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return elements, said.String()
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Copy())
		case xml.CharData:
			said.Write(token)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

const hostile = `<script>alert("x")</script>&'` + "`"

func hostilePage() *Page {
	return &Page{
		Title: hostile, Lead: hostile, Foot: hostile,
		Verdict: Verdict{Word: hostile, Tone: ToneBad, Reasons: []Reason{{ToneBad, hostile, hostile}}},
		Tables: []Table{
			{Title: hostile, Columns: []string{hostile, hostile}, Rows: [][]string{{hostile, hostile}}, Numbers: true},
		},
		Charts: []Chart{
			{Title: hostile, Caption: hostile, X: Axis{Label: hostile}, Y: Axis{Label: hostile},
				Series: []Series{{hostile, []Point{{0, 1}, {1, 2}}}, {hostile, []Point{{0, 1}, {1, 2}}}}},
			{Title: hostile, Kind: Bars, Series: []Series{{hostile, []Point{{0, 1}, {1, 2}}}}},
			{Title: hostile, X: Axis{Label: hostile}},
		},
	}
}

// A page is XML, and text of others stays text in each of its places.
func TestEveryNameIsText(t *testing.T) {
	elements, text := read(t, hostilePage())
	require.Equal(t, 23, strings.Count(text, hostile), "each place shows the name as it is")
	for _, e := range elements {
		require.NotEqual(t, "script", e.Name.Local)
		for _, a := range e.Attr {
			require.False(t, strings.HasPrefix(a.Name.Local, "on"), "%s has a script", e.Name.Local)
		}
	}
}

// A page asks no other server for anything.
func TestAPageStandsAlone(t *testing.T) {
	elements, _ := read(t, hostilePage())
	svgs := 0
	for _, e := range elements {
		require.False(t, slices.Contains([]string{"link", "img", "iframe", "object", "image", "use"}, e.Name.Local), e.Name.Local)
		require.Empty(t, attribute(e, "src")+attribute(e, "href"))
		if e.Name.Local == "svg" {
			svgs++
			require.Equal(t, "img", attribute(e, "role"))
			require.Contains(t, attribute(e, "aria-label"), hostile)
		}
	}
	require.Equal(t, 3, svgs)
	require.NotContains(t, styleText, "url(")
	require.NotContains(t, styleText, "@import")
}

func TestAnEmptyPageHasNoEmptyParts(t *testing.T) {
	elements, _ := read(t, &Page{Title: "t"})
	for _, e := range elements {
		require.False(t, slices.Contains([]string{"section", "table", "figure", "footer", "ul"}, e.Name.Local), e.Name.Local)
	}
}

func TestAPageWithAChartThatCannotBeDrawnIsNotWritten(t *testing.T) {
	var written bytes.Buffer
	_, err := (&Page{Charts: []Chart{{Title: "wide", Series: make([]Series, MaxSeries+1)}}}).WriteTo(&written)
	require.ErrorIs(t, err, ErrSeries)
	require.ErrorContains(t, err, "wide")
	require.Zero(t, written.Len())
	_, err = (&Chart{Kind: Bars, Series: []Series{{"a", []Point{{0, 1}}}, {"b", nil}}}).SVG()
	require.ErrorContains(t, err, `"b" has 0 points`)
}

func TestNumbersForPeople(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.001234: "0.00123", 1.5: "1.5", 12.345: "12.3", 999.4: "999", 999.7: "1,000", 1000: "1,000",
		1234567.8: "1,234,568",
		-1234:     "-1,234", -0.5: "-0.5", 100: "100",
	} {
		require.Equal(t, want, Number(v))
	}
	require.Equal(t, "-12", Count(-12))
	require.Equal(t, "–", Number(math.NaN()))
}
