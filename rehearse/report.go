package rehearse

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"flashsale/report"
)

// Report is the result of a rehearsal.
type Report struct {
	Sale     string          `json:"sale"`
	Verdict  string          `json:"verdict"` // go or no-go
	Reasons  []report.Reason `json:"reasons"` // those against the sale first
	Asked    Asked           `json:"asked"`
	Rush     Rush            `json:"rush"`
	Drain    float64         `json:"last_row_s"` // after the last answer; -1: not while the rehearsal waited
	Books    Books           `json:"books"`
	Payments Payments        `json:"payments"`
	Headroom Headroom        `json:"headroom"`
	Notes    []string        `json:"notes"` // what differs from the real sale
	charts   []report.Chart
	tables   []report.Table
}

// Asked is what the rehearsal was told to do.
type Asked struct {
	Buyers   int     `json:"buyers"`
	Rate     float64 `json:"per_s"`
	Gateways int     `json:"gateways"`
	Settles  int     `json:"settles"`
	Pay      float64 `json:"pay"`
}

// Rush is what the crowd saw. Latencies are in milliseconds, from the moment an attempt was due.
type Rush struct {
	Presses     int64            `json:"presses"`
	Reached     float64          `json:"reached_per_s"`
	Late        int64            `json:"late"`
	Connections int              `json:"connections"`
	Seconds     float64          `json:"seconds"`
	P50         float64          `json:"p50_ms"`
	P90         float64          `json:"p90_ms"`
	P99         float64          `json:"p99_ms"`
	Max         float64          `json:"max_ms"`
	Ended       map[string]int64 `json:"ended"` // presses by the code of their last answer
}

// Books is what the stores say afterwards.
type Books struct {
	Loaded      int64    `json:"loaded"` // units
	Sold        int64    `json:"sold"`
	InFlight    int64    `json:"in_flight"`
	Off         []string `json:"off"`         // SKUs whose stock equation does not hold
	Certificate string   `json:"certificate"` // of the audit without the engine: holds, not_judged or violated
	Violations  []string `json:"violations"`
	Oversold    int64    `json:"oversold"`
	Duplicated  int64    `json:"duplicated"`
	Lost        int64    `json:"lost"`
	Untold      int64    `json:"untold"`
	DeadLetters int64    `json:"dead_letters"`
	Fault       string   `json:"fault"` // why they could not be read, empty otherwise
}

// Headroom is how much of each bound was used.
type Headroom struct {
	Cores        int           `json:"cores"`
	Machine      float64       `json:"machine"` // share of all cores, averaged over the rush; 0: not measured
	Crowd        float64       `json:"crowd_cores"`
	Processes    []ProcessLoad `json:"processes"`
	Redis        []RedisLoad   `json:"redis"`
	Journal      int64         `json:"journal_orders"` // of the fullest bucket
	JournalBound int64         `json:"journal_max_orders"`
	MaxInFlight  int64         `json:"max_in_flight"` // of all gateways
}

// ProcessLoad is the cores that one process used, averaged over the rush and at most.
type ProcessLoad struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean_cores"`
	Peak float64 `json:"peak_cores"`
}

// RedisLoad is the memory of one Redis server in bytes. Max is 0 without a bound.
type RedisLoad struct {
	Addr   string `json:"addr"`
	Before int64  `json:"before"`
	Peak   int64  `json:"peak"`
	Max    int64  `json:"max"`
}

// Go reports whether the verdict is go.
func (r *Report) Go() bool { return r.Verdict == wordGo }

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "sale %s: %s\n", r.Sale, strings.ToUpper(r.Verdict))
	for _, reason := range r.Reasons {
		fmt.Fprintf(&text, "  %-4s  %s", reason.Tone, reason.Text)
		if reason.Advice != "" {
			fmt.Fprintf(&text, " %s", reason.Advice)
		}
		fmt.Fprintln(&text)
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

// Page returns the report with its charts.
func (r *Report) Page(foot string) *report.Page {
	verdict := report.Verdict{Word: r.Verdict, Tone: report.ToneGood, Reasons: r.Reasons}
	if len(r.Reasons) > 0 && slices.Contains([]report.Tone{report.ToneBad, report.ToneWarn}, r.Reasons[0].Tone) {
		verdict.Tone = r.Reasons[0].Tone
	}
	return &report.Page{
		Title: "Rehearsal of sale " + r.Sale,
		Lead: fmt.Sprintf("%s buyers, %s presses a second asked, %d gateways, %d settling processes, the servers of the sale.",
			report.Count(int64(r.Asked.Buyers)), report.Number(r.Asked.Rate), r.Asked.Gateways, r.Asked.Settles),
		Verdict: verdict, Charts: r.charts, Tables: slices.Concat(r.ownTables(), r.tables), Foot: foot,
	}
}

func (r *Report) ownTables() []report.Table {
	p, h := &r.Payments, &r.Headroom
	payments := report.Table{Title: "Payments", Rows: [][]string{
		{"payer", p.Payer}, {"orders to pay", report.Count(p.Asked)}, {"call-backs accepted", report.Count(p.Paid)},
		{"in time", fmt.Sprintf("%s within %s s", report.Count(p.InTime), report.Number(p.Within))},
		{"until the call-back", fmt.Sprintf("half within %s s, the slowest %s s", report.Number(p.P50), report.Number(p.Max))},
	}}
	load := report.Table{Title: "Cores used during the rush", Columns: []string{"process", "mean", "peak"}, Numbers: true}
	for _, process := range h.Processes {
		load.Rows = append(load.Rows, []string{process.Name, report.Number(process.Mean), report.Number(process.Peak)})
	}
	memory := report.Table{Title: "Memory of Redis in MB", Columns: []string{"server", "before", "peak", "bound"}, Numbers: true}
	for _, m := range h.Redis {
		bound := "none"
		if m.Max > 0 {
			bound = megabytes(m.Max)
		}
		memory.Rows = append(memory.Rows, []string{m.Addr, megabytes(m.Before), megabytes(m.Peak), bound})
	}
	return []report.Table{payments, load, memory}
}

func megabytes(n int64) string { return report.Number(float64(n) / 1e6) }

// middle returns the median of durations, 0 for none; it sorts them.
func middle(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)-1)/2]
}

// largest returns the last of sorted durations, 0 for none.
func largest(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)-1]
}
