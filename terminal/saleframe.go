package terminal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flashsale/sale"
)

func (s *screen) saleHead(now time.Time) []string {
	if s.live == nil {
		return []string{s.style.bold("sale " + s.id), waiting}
	}
	l := s.live
	then := l.At.Add(now.Sub(s.read))
	lines := []string{
		fmt.Sprintf("%s  %s   %s   %s", s.style.bold(l.Sale.ID), Plain(l.Sale.Name),
			s.style.bold(stateInWindow(l.Sale.State, l.Sale.StartsAt, l.Sale.EndsAt, then)), s.clock(l.At.Time, now)),
		s.unitsLine(&l.Total),
		ratesLine(&l.Rates),
		fmt.Sprintf("p50 %s ms   p99 %s ms   settle lag %s records   oldest held %s   events waiting %s   rows/s %s",
			decimal(l.Rates.P50MS), decimal(l.Rates.P99MS), whole(l.Rates.SettleLagRecords), seconds(l.Rates.OldestHeldS),
			whole(l.Rates.EventsWaiting), rate(l.Rates.RowsPerS)),
	}
	lines = append(lines, s.deployment(l.Processes, l.Stores)...)
	if l.Sale.Reason != "" {
		lines = append(lines, s.style.fault("paused by the engine: "+Plain(l.Sale.Reason)))
	}
	if l.Sale.HoldsFrozenSince != nil {
		lines = append(lines, s.style.bold("holds "+frozen(l.Sale.HoldsFrozenSince, then)+": no unpaid order expires"))
	}
	if l.Brake != nil {
		lines = append(lines, s.style.fault("brake: "+brakeText(l.Brake)))
	}
	return append(lines, s.trailLines()...)
}

// unitsLine is the sums of all SKUs and the judgement of the books.
func (s *screen) unitsLine(u *Units) string {
	books := "books not known"
	if u.Conserved != nil {
		if books = s.style.good("books hold"); !*u.Conserved {
			books = s.style.fault("BOOKS DO NOT HOLD")
		}
	}
	return fmt.Sprintf("loaded %s   available %s   in flight %s   sold %s   paid %s   unpaid %s   released %s   %s",
		whole(u.Loaded), whole(u.Available), whole(u.InFlight), whole(u.sold()), whole(u.Paid), whole(u.Unpaid),
		whole(u.Released), books)
}

// maxOutcomes bounds the outcomes of refusals that are named.
const maxOutcomes = 4

func ratesLine(r *Rates) string {
	line := fmt.Sprintf("presses/s %s   orders/s %s   refused/s ", rate(r.PressesPerS), rate(r.OrdersPerS))
	if r.RefusedPerS == nil {
		return line + unknown
	}
	names := slices.SortedFunc(maps.Keys(r.RefusedPerS), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.RefusedPerS[b], r.RefusedPerS[a]), cmp.Compare(a, b))
	})
	sum, parts := 0.0, []string{}
	for i, name := range names {
		n := r.RefusedPerS[name]
		if sum += n; i < maxOutcomes {
			parts = append(parts, name+" "+rate(&n))
		}
	}
	line += rate(&sum)
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	return line
}

// trailFrom is the height of a window that has room for the trail.
const trailFrom = 20

func (s *screen) trailLines() (lines []string) {
	if s.height > 0 && s.height < trailFrom {
		return nil
	}
	for i := range s.trail {
		e := &s.trail[i]
		text := fmt.Sprintf("%s  %s  %s  %s", e.At.UTC().Format("15:04:05Z"), Plain(e.Who), e.Verb, Plain(e.Target))
		if e.Outcome != sale.OutcomeDone {
			text += "  " + e.Outcome
		}
		lines = append(lines, s.style.dim(text))
	}
	return lines
}

func (s *screen) saleTable() shownTable {
	table := shownTable{chosen: -1}
	if s.live == nil {
		return table
	}
	items := &s.live.Items
	first := "SKU"
	if len(items.Rows) < items.Total {
		first = fmt.Sprintf("SKU (%d of %d)", items.Matched, items.Total)
	}
	table.grid.titles = []string{first, "LOADED>", "AVAILABLE>", "IN FLIGHT>", "SOLD>", "PAID>", "UNPAID>", "RELEASED>",
		"UNITS/S>", "SOLD OUT IN>", "NAME"}
	for i := range items.Rows {
		r := &items.Rows[i]
		table.grid.rows = append(table.grid.rows, []string{
			r.SKU, whole(r.Loaded), whole(r.Available), whole(r.InFlight), whole(r.sold()), whole(r.Paid), whole(r.Unpaid),
			whole(r.Released), rate(r.PerS), seconds(r.SoldOutIn), Plain(r.Name),
		})
	}
	if s.style.on {
		table.chosen = s.chosen - items.From
	}
	return table
}

// seconds writes a number of seconds as a length of time.
func seconds(n Number) string {
	switch {
	case n == nil:
		return unknown
	case *n <= 0:
		return "0s"
	case *n > float64(100*365*day/time.Second):
		return "years"
	}
	return Span(time.Duration(*n * float64(time.Second)))
}

// decimal writes a number with one decimal.
func decimal(n Number) string {
	if n == nil {
		return unknown
	}
	return fmt.Sprintf("%.1f", *n)
}
