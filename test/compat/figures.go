package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"flashsale/loadtest/bench"
)

// figuresOf are the parts of the benchmark that compare kinds of servers in one run. The names of their figures begin with
// the kind's.
const figuresOf = "servers,databases"

// Figures measures every kind beside the defaults, and returns what the table says of each kind.
func (r *Runner) Figures(ctx context.Context) (map[string]string, error) {
	var output bytes.Buffer
	err := r.Go(ctx, io.MultiWriter(&output, r.Out), nil, "test", "-count=1", "-timeout", "60m", "-run", "^$",
		"-bench", "^BenchmarkEngine$", "-benchtime", "1x", "./loadtest/bench", "-args", "-only", figuresOf)
	if err != nil {
		return nil, fmt.Errorf("measure the servers: %w", err)
	}
	for line := range bytes.Lines(output.Bytes()) {
		if results := (bench.Results{}); bytes.HasPrefix(line, []byte(`{"machine"`)) {
			if err := json.Unmarshal(line, &results); err != nil {
				return nil, fmt.Errorf("read the figures: %w", err)
			}
			return cells(results.Figures), nil
		}
	}
	return nil, errors.New("measure the servers: the benchmark printed no figures")
}

// cells joins the figures of each kind: the median with its spread, and the ratio to the first kind that has the figure, the
// repetitions of which were taken in turn.
func cells(figures []*bench.Figure) map[string]string {
	first, of := map[string]*bench.Figure{}, map[string][]string{}
	for _, f := range figures {
		kind, what, found := strings.Cut(f.Name, ": ")
		if !found {
			continue
		}
		text := fmt.Sprintf("%s: %s ± %s %s", what, bench.Short(f.Median()), bench.Short(f.Noise()), f.Unit)
		if base := first[what]; base == nil {
			first[what] = f
		} else if len(base.Ours) == len(f.Ours) {
			ratio := bench.Figure{Ours: f.Ours, Base: base.Ours}
			text += fmt.Sprintf(", × %s ± %s", bench.Short(ratio.Median()), bench.Short(ratio.Noise()))
		}
		of[kind] = append(of[kind], text)
	}
	joined := map[string]string{}
	for kind, all := range of {
		joined[kind] = strings.Join(all, "; ")
	}
	return joined
}
