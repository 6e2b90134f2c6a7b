package loadtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flashsale/report"
	"flashsale/sale"
)

// Bounds of the verdict on a page.
const (
	reachedEnough = 0.95 // share of the asked rate
	lateTooMany   = 0.01 // share of the presses
)

// Page returns the report with charts and a verdict on the run. The report must come from Rush.
func (r *Report) Page(foot string) *report.Page {
	return &report.Page{
		Title: "Rush on sale " + r.opts.Sale,
		Lead: fmt.Sprintf("%s presses and %s retries in %.1f s, %s answers a second on %d connections.",
			report.Count(r.Presses), report.Count(r.Retries), r.Seconds, report.Number(r.Rate), r.Connections),
		Verdict: r.judge(), Charts: r.Charts(), Tables: r.Tables(), Foot: foot,
	}
}

// judge says what limits the meaning of the figures: a generator that was too slow, buyers without an answer, books that do
// not hold. Whether the engine kept its promise is the question of Judge.
func (r *Report) judge() report.Verdict {
	reasons := []report.Reason{r.judgeRate(), r.judgeLate(), r.judgeAnswers(), r.judgeBooks()}
	verdict := report.Verdict{Word: "good", Tone: report.ToneGood, Reasons: reasons}
	for _, reason := range reasons {
		switch {
		case reason.Tone == report.ToneBad:
			verdict.Word, verdict.Tone = "bad", report.ToneBad
		case reason.Tone == report.ToneWarn && verdict.Tone != report.ToneBad:
			verdict.Word, verdict.Tone = "good with reservations", report.ToneWarn
		}
	}
	return verdict
}

func (r *Report) judgeRate() report.Reason {
	text := fmt.Sprintf("The generator pressed %s times a second of %s asked.", report.Number(r.Reached), report.Number(r.Asked))
	switch {
	case r.Reached == 0:
		return report.Reason{Tone: report.ToneNote, Text: "Less than two presses left, so there is no rate."}
	case r.Reached < reachedEnough*r.Asked:
		return report.Reason{Tone: report.ToneWarn, Text: text, Advice: "Raise --max-connections, or press from more machines."}
	}
	return report.Reason{Tone: report.ToneGood, Text: text}
}

func (r *Report) judgeLate() report.Reason {
	text := fmt.Sprintf("%s of %s presses left more than %s after they were due.", report.Count(r.Late),
		report.Count(r.Presses+r.Retries), lateAfter)
	if float64(r.Late) > lateTooMany*float64(r.Presses+r.Retries) {
		return report.Reason{Tone: report.ToneWarn, Text: text, Advice: "The latencies include that wait."}
	}
	return report.Reason{Tone: report.ToneGood, Text: text}
}

// judgeAnswers counts the buyers whose last answer says neither yes nor no.
func (r *Report) judgeAnswers() report.Reason {
	var found []string
	for _, code := range []string{CodeNoAnswer, CodeNotSent, CodeUnreadable, sale.OutcomeUnknown.String(),
		sale.OutcomeUnavailable.String(), sale.OutcomeOverloaded.String(), sale.OutcomeFenced.String()} {
		if n := r.Ended[code]; n > 0 {
			found = append(found, fmt.Sprintf("%s %s", code, report.Count(n)))
		}
	}
	if len(found) == 0 {
		return report.Reason{Tone: report.ToneGood, Text: "Every buyer was told an order or a reason that is final."}
	}
	return report.Reason{Tone: report.ToneBad,
		Text: "The last answer of some buyers decided nothing: " + strings.Join(found, ", ") + "."}
}

// judgeBooks compares the last reading of the books.
func (r *Report) judgeBooks() report.Reason {
	if len(r.Books) == 0 {
		return report.Reason{Tone: report.ToneNote, Text: "The books of the sale were not read."}
	}
	last := r.Books[len(r.Books)-1]
	switch {
	case last.Err != nil:
		return report.Reason{Tone: report.ToneNote, Text: "The books of the sale could not be read: " + last.Err.Error() + "."}
	case len(last.Off) > 0:
		return report.Reason{Tone: report.ToneBad,
			Text: fmt.Sprintf("The stock equation does not hold for %d SKUs, the first is %s.", len(last.Off), last.Off[0])}
	case last.Stock.InFlight != 0:
		return report.Reason{Tone: report.ToneWarn,
			Text:   fmt.Sprintf("The stock equation holds, and %s units are still in flight.", report.Count(last.Stock.InFlight)),
			Advice: "Ask again with: flashsale audit " + r.opts.Sale + " --wait 30s"}
	}
	return report.Reason{Tone: report.ToneGood, Text: fmt.Sprintf(
		"The stock equation holds, and nothing is in flight %.1f s after the first press.", last.After.Seconds())}
}

// Tables returns the outcomes, the latencies and the parameters of the rush.
func (r *Report) Tables() []report.Table {
	outcomes := report.Table{Title: "Outcomes", Columns: []string{"code", "answers", "last answer of a press"}, Numbers: true}
	for _, code := range slices.SortedFunc(maps.Keys(r.Answers), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Answers[b], r.Answers[a]), cmp.Compare(a, b))
	}) {
		outcomes.Rows = append(outcomes.Rows, []string{code, report.Count(r.Answers[code]), report.Count(r.Ended[code])})
	}
	latency := report.Table{Title: "Latency in ms", Columns: []string{"of", "p50", "p90", "p99", "p99.9", "max"}, Numbers: true}
	for _, row := range []struct {
		name string
		p    Percentiles
	}{{"answer", r.Latency}, {"press, to its last answer", r.Decided}} {
		latency.Rows = append(latency.Rows, []string{row.name, report.Number(row.p.P50), report.Number(row.p.P90),
			report.Number(row.p.P99), report.Number(row.p.P999), report.Number(row.p.Max)})
	}
	return []report.Table{outcomes, latency, {Title: "Parameters", Rows: r.parameters()}}
}

func (r *Report) parameters() [][]string {
	o := r.opts
	return [][]string{
		{"sale", o.Sale}, {"SKUs", strings.Join(o.SKUs, ", ")}, {"gateways", strings.Join(o.Servers, ", ")},
		{"buyers", report.Count(int64(len(o.Crowd)))}, {"presses a second", report.Number(o.Rate)},
		{"share of repeats", report.Number(o.Repeat)}, {"largest quantity", fmt.Sprint(o.MaxQuantity)},
		{"most SKUs of a press", fmt.Sprint(max(o.MaxLines, 1))},
		{"connections", fmt.Sprintf("%d, at most %d, used %d", o.Connections, o.MaxConnections, r.Connections)},
		{"time limit of an attempt", o.Timeout.String()}, {"attempts of a press", fmt.Sprint(o.MaxAttempts)},
		{"seed", fmt.Sprint(o.Seed)}, {"first part of the keys", o.Nonce},
	}
}
