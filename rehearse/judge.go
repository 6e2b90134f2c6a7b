package rehearse

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flashsale/report"
	"flashsale/sale"
)

// Limits are what a rehearsal must keep for a go.
type Limits struct {
	MaxP99   time.Duration // of an answer
	MaxDrain time.Duration // from the last answer to the last row
}

// Thresholds without a flag.
const (
	reachedEnough = 0.95 // share of the asked rate
	busyMachine   = 0.90 // of its cores, averaged over the rush
	fullMemory    = 0.80 // of a Redis server's bound
	fullJournal   = 0.50 // of its bound: nothing is sold when it is full
	fullInFlight  = 0.80 // connections of the crowd, of the purchases that gateways take at once
)

// Words of the verdict.
const (
	wordGo   = "go"
	wordNoGo = "no-go"
)

// judge sets the verdict and its reasons, the reasons against the sale first.
func (r *Report) judge(limits Limits) {
	reasons := slices.Concat([]report.Reason{r.judgeRate(), r.judgeAnswers(), r.judgeP99(limits), r.judgeDrain(limits)},
		r.judgeBooks(), []report.Reason{r.judgePayments()}, r.judgeHeadroom(), r.notes())
	rank := map[report.Tone]int{report.ToneBad: 0, report.ToneWarn: 1, report.ToneGood: 2, report.ToneNote: 3}
	slices.SortStableFunc(reasons, func(a, b report.Reason) int { return rank[a.Tone] - rank[b.Tone] })
	r.Reasons, r.Verdict = reasons, wordGo
	if reasons[0].Tone == report.ToneBad {
		r.Verdict = wordNoGo
	}
}

func good(format string, args ...any) report.Reason {
	return report.Reason{Tone: report.ToneGood, Text: fmt.Sprintf(format, args...)}
}

func note(format string, args ...any) report.Reason {
	return report.Reason{Tone: report.ToneNote, Text: fmt.Sprintf(format, args...)}
}

// against returns a reason of a tone with what to change.
func against(tone report.Tone, advice, format string, args ...any) report.Reason {
	return report.Reason{Tone: tone, Text: fmt.Sprintf(format, args...), Advice: advice}
}

func (r *Report) judgeRate() report.Reason {
	asked, reached := report.Number(r.Asked.Rate), report.Number(r.Rush.Reached)
	switch {
	case r.Rush.Reached == 0:
		return note("Fewer than two presses left, so there is no rate.")
	case r.Rush.Reached >= reachedEnough*r.Asked.Rate:
		return good("The crowd pressed %s times a second, %s were asked.", reached, asked)
	case r.Headroom.Machine >= busyMachine:
		return against(report.ToneBad, "Rehearse on a machine with more cores, or with the stores on others.",
			"The crowd pressed %s times a second of %s asked: this machine was %s busy, and the crowd runs on it too.", reached,
			asked, percent(r.Headroom.Machine))
	}
	return against(report.ToneBad, "Add --gateways, or look for the slow store in the charts.",
		"The crowd pressed %s times a second of %s asked.", reached, asked)
}

// judgeAnswers counts the buyers whose last answer decided nothing, by what to do about it.
func (r *Report) judgeAnswers() report.Reason {
	undecided := map[string]string{
		"no_answer": "Look for the cut or slow connection.", "not_sent": "Raise the limits of ports and files.",
		"unreadable":                         "Something between crowd and gateway changes answers.",
		sale.OutcomeUnknown.String():         "Redis or Kafka was slow or away; look at their logs.",
		sale.OutcomeUnavailable.String():     "A store was slow or away, or the journal was full; look at the logs.",
		sale.OutcomeOverloaded.String():      "Raise gateway.max_in_flight or gateway.max_connections, or add gateways.",
		sale.OutcomeFenced.String():          "A bucket was rebuilt during the rush; look for a Redis that restarted.",
		sale.OutcomeRateLimited.String():     "The rules or the brake slow buyers down; see flashsale rules get.",
		sale.OutcomeUnauthenticated.String(): "The clocks of this machine and Redis differ.",
	}
	var found []string
	advice := ""
	for _, code := range slices.Sorted(maps.Keys(undecided)) {
		if n := r.Rush.Ended[code]; n > 0 {
			found = append(found, fmt.Sprintf("%s %s", code, report.Count(n)))
			advice = undecided[code]
		}
	}
	if len(found) == 0 {
		return good("Each of %s presses ended with an order or a final reason.", report.Count(r.Rush.Presses))
	}
	return against(report.ToneBad, advice, "The last answer of some presses decided nothing: %s.", strings.Join(found, ", "))
}

func (r *Report) judgeP99(limits Limits) report.Reason {
	limit := float64(limits.MaxP99) / float64(time.Millisecond)
	if r.Rush.P99 <= limit {
		return good("99 of 100 answers took at most %s ms, the limit is %s ms.", report.Number(r.Rush.P99),
			report.Number(limit))
	}
	return against(report.ToneBad, "Add --gateways or cores, give the sale more buckets, or lower the rate by rule.",
		"99 of 100 answers took up to %s ms, the limit is %s ms.", report.Number(r.Rush.P99), report.Number(limit))
}

func (r *Report) judgeDrain(limits Limits) report.Reason {
	switch limit := limits.MaxDrain.Seconds(); {
	case r.Drain < 0:
		return against(report.ToneBad, "Look at settle's log, and add --settles or a faster database.",
			"The last row was not written while the rehearsal waited for it: %s units are still in flight.",
			report.Count(r.Books.InFlight))
	case r.Drain > limit:
		return against(report.ToneBad, "Add --settles, more kafka.partitions, or a faster database.",
			"The last row was written %s s after the last answer, the limit is %s s.", report.Number(r.Drain),
			report.Number(limit))
	}
	return good("The last row was written %s s after the last answer.", report.Number(r.Drain))
}

// judgeBooks returns a reason for each promise that is broken.
func (r *Report) judgeBooks() (reasons []report.Reason) {
	b := &r.Books
	bad := func(format string, args ...any) {
		reasons = append(reasons, against(report.ToneBad, "Do not open the sale; keep this report and the servers' logs.", format,
			args...))
	}
	if b.Fault != "" {
		bad("The books could not be read: %s.", b.Fault)
	}
	if len(b.Off) > 0 {
		bad("The stock equation does not hold for %s.", strings.Join(b.Off, ", "))
	}
	for _, line := range b.Violations {
		bad("The audit found a contradiction between the stores: %s.", line)
	}
	for _, count := range []struct {
		n    int64
		what string
	}{{b.Oversold, "units were sold beyond the stock"}, {b.Duplicated, "units went to buyers beyond their limit"},
		{b.Lost, "orders were promised and have no row"}, {b.Untold, "rows belong to buyers who were refused"},
		{b.DeadLetters, "records could not settle and are dead letters"}} {
		if count.n > 0 {
			bad("%s %s.", report.Count(count.n), count.what)
		}
	}
	if len(reasons) == 0 {
		reasons = append(reasons, good("The books hold: %s units sold, every promised order has its row, and the audit of the "+
			"stores says %s.", report.Count(b.Sold), b.Certificate))
	}
	return reasons
}

func (r *Report) judgePayments() report.Reason {
	p := &r.Payments
	why := ""
	if p.Fault != "" {
		why = " The last failure: " + p.Fault + "."
	}
	switch {
	case p.Asked == 0:
		return note("No order was to be paid, so payments were not rehearsed.")
	case p.Paid < p.Asked:
		return against(report.ToneBad, "Look at the shop's log; it repeats a call-back until the answer is final.",
			"%s of %s payment call-backs did not arrive or were not accepted.%s", report.Count(p.Asked-p.Paid),
			report.Count(p.Asked), why)
	case p.InTime < p.Paid:
		return against(report.ToneBad, "Let the shop call back faster, or give the sale a longer payment_ttl_s.",
			"%s of %s payment call-backs took longer than %s s, the slowest %s s.", report.Count(p.Paid-p.InTime),
			report.Count(p.Asked), report.Number(p.Within), report.Number(p.Max))
	}
	return good("All %s payment call-backs arrived, the slowest after %s s.", report.Count(p.Asked), report.Number(p.Max))
}

// judgeHeadroom says what was nearly full.
func (r *Report) judgeHeadroom() (reasons []report.Reason) {
	h := &r.Headroom
	warn := func(advice, format string, args ...any) {
		reasons = append(reasons, against(report.ToneWarn, advice, format, args...))
	}
	switch {
	case h.Machine == 0:
		reasons = append(reasons, note("The load of this machine could not be measured, because it has no /proc/stat."))
	case h.Machine >= busyMachine:
		warn("Expect no more than this rate from as many cores.",
			"This machine was %s busy during the rush (%d cores; the crowd used %s of them).", percent(h.Machine), h.Cores,
			report.Number(h.Crowd))
	}
	for _, m := range h.Redis {
		if m.Max > 0 && float64(m.Peak) > fullMemory*float64(m.Max) {
			reasons = append(reasons, against(report.ToneBad, "Raise maxmemory before the sale.",
				"Redis at %s used %s of its maxmemory.", m.Addr, percent(float64(m.Peak)/float64(m.Max))))
		}
	}
	if share := float64(h.Journal) / float64(max(h.JournalBound, 1)); share > fullJournal {
		warn("Raise reserve.journal_max_orders, or look for a slow Kafka.",
			"The journal of a bucket had %s orders, %s of reserve.journal_max_orders.", report.Count(h.Journal), percent(share))
	}
	if share := float64(r.Rush.Connections) / float64(max(h.MaxInFlight, 1)); share > fullInFlight {
		warn("Raise gateway.max_in_flight, or add gateways.",
			"%d presses could be under way at once, %s of what the gateways take.", r.Rush.Connections, percent(share))
	}
	if len(reasons) == 0 {
		reasons = append(reasons, good("There is room left: this machine was %s busy, the fullest journal had %s of %s orders.",
			percent(h.Machine), report.Count(h.Journal), report.Count(h.JournalBound)))
	}
	return reasons
}

// notes say what the rehearsal did not try.
func (r *Report) notes() []report.Reason {
	reasons := make([]report.Reason, 0, len(r.Notes)+1)
	for _, text := range r.Notes {
		reasons = append(reasons, note("%s", text))
	}
	if r.Rush.Ended[sale.OutcomeSoldOut.String()] == 0 {
		reasons = append(reasons, note("The sale did not sell out, so refusals of a sold-out sale were not rehearsed: "+
			"%s buyers for %s units.", report.Count(int64(r.Asked.Buyers)), report.Count(r.Books.Loaded)))
	}
	return reasons
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }
