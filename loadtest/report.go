package loadtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the measurement of a rush.
type Report struct {
	Seconds     float64          `json:"seconds"`
	Presses     int64            `json:"presses"` // ended, with a last answer or because the app gave up
	Retries     int64            `json:"retries"`
	Rate        float64          `json:"answers_per_s"`
	Connections int              `json:"connections"`
	Late        int64            `json:"late"` // left over 10 ms after they were due: the latencies include that wait
	Answers     map[string]int64 `json:"answers"`
	Ended       map[string]int64 `json:"ended"`
	Latency     Percentiles      `json:"latency_ms"`    // of every answer, from the moment its attempt was due
	Decided     Percentiles      `json:"decided_ms"`    // of every press, from its first attempt to its last answer
	Asked       float64          `json:"asked_per_s"`   // arrivals, as in the options
	Reached     float64          `json:"reached_per_s"` // arrivals, as they left; 0 for less than two
	Seed        uint64           `json:"seed"`
	Nonce       string           `json:"nonce"`
	Timeline    *Timeline        `json:"-"` // nil unless the options ask for one
	Books       []BooksReading   `json:"-"` // empty without RushOptions.Books
	opts        *RushOptions
}

// Percentiles of a latency, in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

func percentiles(h *hdrhistogram.Histogram) Percentiles {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Percentiles{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000}
}

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "%d presses and %d retries in %.1fs: %.0f answers/s on %d connections, %d left late (seed %d)\n",
		r.Presses, r.Retries, r.Seconds, r.Rate, r.Connections, r.Late, r.Seed)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "ms\tp50\tp90\tp99\tp99.9\tmax\t")
	for _, row := range []struct {
		name string
		p    Percentiles
	}{{"answer", r.Latency}, {"decided", r.Decided}} {
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", row.name, row.p.P50, row.p.P90, row.p.P99, row.p.P999,
			row.p.Max)
	}
	if err := table.Flush(); err != nil {
		return 0, fmt.Errorf("format report: %w", err)
	}
	fmt.Fprintln(&text)
	fmt.Fprintln(table, "code\tanswers\tlast answer\t")
	for _, code := range slices.Sorted(maps.Keys(r.Answers)) {
		fmt.Fprintf(table, "%s\t%d\t%d\t\n", code, r.Answers[code], r.Ended[code])
	}
	if err := table.Flush(); err != nil {
		return 0, fmt.Errorf("format report: %w", err)
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

// showProgress prints a line per second until the caller calls the function that it returns.
func (r *rush) showProgress() (stop func()) {
	if r.opts.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.printProgress(r.recorder.snap(progressEvery))
			case <-done:
				if r.opts.Rewrite {
					fmt.Fprintln(r.opts.Progress)
				}
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (r *rush) printProgress(s snapshot) {
	line := fmt.Sprintf("%4.0fs  %d presses  %d retries  %.0f/s  p50 %s  p99 %s  %s",
		s.elapsed.Seconds(), s.presses, s.retries, s.rate, shortDuration(s.p50), shortDuration(s.p99), topCodes(s.finals))
	if r.opts.Rewrite {
		fmt.Fprintf(r.opts.Progress, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(r.opts.Progress, line)
}

func shortDuration(d time.Duration) string {
	return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
}

// shownCodes bounds the codes in the line of progress.
const shownCodes = 6

// topCodes lists the most frequent codes.
func topCodes(counts map[string]int64) string {
	codes := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return int(d)
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, 0, shownCodes)
	for _, code := range codes[:min(len(codes), shownCodes)] {
		parts = append(parts, fmt.Sprintf("%s %d", code, counts[code]))
	}
	return strings.Join(parts, "  ")
}
