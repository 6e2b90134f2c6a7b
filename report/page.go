package report

import (
	"bytes"
	_ "embed" // the template and the style
	"fmt"
	"html/template"
	"io"
)

// Tone says how a reader should take a sentence or a verdict.
type Tone string

// The tones, from the best to the worst; ToneNote judges nothing.
const (
	ToneGood Tone = "good"
	ToneNote Tone = "note"
	ToneWarn Tone = "warn"
	ToneBad  Tone = "bad"
)

// Page is a result for people. The zero value of a member leaves its part out.
type Page struct {
	Title   string
	Lead    string // one sentence below the title
	Verdict Verdict
	Tables  []Table
	Charts  []Chart
	Foot    string // what made the page, and when
}

// Verdict is the answer of the page and its reasons.
type Verdict struct {
	Word    string // such as "go"
	Tone    Tone
	Reasons []Reason
}

// Reason is one sentence of a verdict.
type Reason struct {
	Tone   Tone   `json:"tone"`
	Text   string `json:"text"`
	Advice string `json:"advice"` // what to change, may be empty
}

// Table is rows of cells below a line of column names. Cells after the first of a row are aligned right when Numbers is set.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
	Numbers bool
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// drawnChart is a chart with its picture.
type drawnChart struct {
	*Chart
	SVG template.HTML
}

// WriteTo writes the page as HTML. It returns an error for a chart that cannot be drawn, before it writes anything.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	var drawn []drawnChart
	for i := range p.Charts {
		picture, err := p.Charts[i].SVG()
		if err != nil {
			return 0, fmt.Errorf("draw %q: %w", p.Charts[i].Title, err)
		}
		drawn = append(drawn, drawnChart{&p.Charts[i], template.HTML(picture)}) //nolint:gosec // SVG escapes every text
	}
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, struct {
		*Page
		Style  template.CSS
		Charts []drawnChart
	}{p, template.CSS(styleText), drawn}) //nolint:gosec // the style is a file of this package
	if err != nil {
		return 0, fmt.Errorf("format the page %q: %w", p.Title, err)
	}
	return text.WriteTo(w)
}
