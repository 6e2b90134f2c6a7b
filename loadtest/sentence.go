package loadtest

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTo prints the verdict for people.
func (v *Verdict) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "sku\tloaded\tavailable\tin flight\tsettled\treleased\tdifference\tsold\toversold\t")
	for _, i := range v.Items {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			i.SKU, i.Loaded, i.Available, i.InFlight, i.Settled, i.Released, i.Difference, i.Sold, i.Oversold)
	}
	if err := table.Flush(); err != nil {
		return 0, fmt.Errorf("format verdict: %w", err)
	}
	if v.Told != nil {
		fmt.Fprintf(&text, "told: %d answers to %d buyers, %d orders promised, %d buyers left with an unknown outcome\n",
			v.Told.Answers, v.Told.Buyers, v.Told.Orders, v.Told.Perhaps)
	}
	fmt.Fprintf(&text, "sold %d  oversold %d  duplicated %d  missing %d  lost %s  untold %s  refused %d\n",
		v.Sold, v.Oversold, v.Duplicated, v.Missing, judged(v.Lost), judged(v.Untold), v.Refused)
	for _, example := range v.Examples {
		fmt.Fprintf(&text, "  %s\n", example)
	}
	switch {
	case v.Good:
		fmt.Fprintf(&text, "sale %s: good\n", v.Sale)
	case v.InFlight > 0:
		fmt.Fprintf(&text, "sale %s: BAD, or not finished: %d units are still in flight\n", v.Sale, v.InFlight)
	default:
		fmt.Fprintf(&text, "sale %s: BAD\n", v.Sale)
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

func judged(n *int64) string {
	if n == nil {
		return "not judged"
	}
	return fmt.Sprint(*n)
}
