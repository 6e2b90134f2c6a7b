package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Results are all figures of one run and its machine.
type Results struct {
	Machine Machine   `json:"machine"`
	Figures []*Figure `json:"figures"`
}

// Missed returns the names of the figures whose target is missed.
func (r *Results) Missed() []string {
	var names []string
	for _, f := range r.Figures {
		if f.Missed() {
			names = append(names, f.Name)
		}
	}
	return names
}

// WriteTo prints the table for people.
func (r *Results) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", r.Machine)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "figure\tunit\tours\tbaseline\tmeasure\t± noise\ttarget\t")
	for _, f := range r.Figures {
		base := ""
		if len(f.Base) > 0 {
			base = Short(median(f.Base))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f.Name, f.Unit, Short(median(f.Ours)), base, Short(f.Median()), Short(f.Noise()), f.wanted(), f.verdict())
	}
	if err := table.Flush(); err != nil {
		return 0, fmt.Errorf("format table: %w", err)
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

// WriteJSON prints the same for programs, with every repetition.
func (r *Results) WriteJSON(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
