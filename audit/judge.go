package audit

import (
	"fmt"
	"maps"
	"slices"
)

// Verdict is the result of one invariant, or of the whole audit.
type Verdict string

// An invariant that compares stores is not judged while the sale is in motion.
const (
	Holds     Verdict = "holds"
	Violated  Verdict = "violated"
	NotJudged Verdict = "not_judged"
)

// maxEvidence bounds the lines of one invariant of a sale: the first ones show what is wrong.
const maxEvidence = 20

// Line is one invariant of one sale. A violated one has a line for each piece of evidence, maxEvidence at
// most.
type Line struct {
	Sale      string  `json:"sale"`
	SKU       string  `json:"sku"` // of the evidence, where it concerns one; else empty
	Invariant string  `json:"invariant"`
	Verdict   Verdict `json:"verdict"`
	Detail    string  `json:"detail,omitempty"` // the evidence, or why the invariant could not be judged
}

// evidence is what speaks against an invariant.
type evidence struct{ sku, text string }

func against(sku, format string, args ...any) evidence {
	return evidence{sku, fmt.Sprintf(format, args...)}
}

// invariant is a rule and the function that judges it. The function returns the evidence against the rule, the first maxEvidence
// pieces at least where there are more.
type invariant struct {
	name   string
	atRest bool // compares stores, so it can be judged only at rest
	redis  bool // compares with Redis, which has nothing of an archived sale
	judge  func(*facts) []evidence
	open   func(*facts) string // why a part could not be judged, empty when all was; nil: all always is
}

var invariants = []invariant{
	{name: "no_oversell", judge: oversold},
	{name: "loaded_matches_stock", judge: loadedAgainstStock},
	{name: "orders_are_whole", judge: torn},
	{name: "rows_match_books", judge: rowsAgainstBooks},
	{name: "paid_matches_rows", judge: paidAgainstRows},
	{name: "limit_per_buyer", judge: overLimit},
	{name: "one_order_per_key", judge: repeatedKey},
	{name: "stock_equation", atRest: true, redis: true, judge: equation},
	{name: "every_record_settled", atRest: true, judge: unsettled},
	{name: "every_row_recorded", atRest: true, judge: unrecorded, open: deletedRecords},
	{name: "redis_matches_shelves", atRest: true, redis: true, judge: redisAgainstShelves},
	{name: "redis_matches_rows", atRest: true, redis: true, judge: redisAgainstRows},
}

// judge judges every invariant of a sale.
func judge(f *facts) []Line {
	var lines []Line
	for _, rule := range invariants {
		verdict := Line{Sale: f.sale, Invariant: rule.name, Verdict: Holds}
		if why := rule.unjudged(f); why != "" {
			verdict.Verdict, verdict.Detail = NotJudged, why
			lines = append(lines, verdict)
			continue
		}
		found := rule.judge(f)
		if len(found) == 0 {
			if rule.open != nil && rule.open(f) != "" {
				verdict.Verdict, verdict.Detail = NotJudged, rule.open(f)
			}
			lines = append(lines, verdict)
		}
		for _, one := range found[:min(len(found), maxEvidence)] {
			lines = append(lines, Line{f.sale, one.sku, rule.name, Violated, one.text})
		}
	}
	return lines
}

// unjudged returns why an invariant cannot be judged at all, empty when it can.
func (i *invariant) unjudged(f *facts) string {
	switch {
	case i.redis && f.archived:
		return "the sale is archived: Redis has nothing of it"
	case i.atRest && !f.resting:
		return "the sale was in motion while the stores were read"
	}
	return ""
}

// oversold: the units of live rows never exceed the units loaded, of no SKU.
func oversold(f *facts) (found []evidence) {
	loaded, live := map[string]int64{}, map[string]int64{}
	for of, s := range f.shelves {
		loaded[of.sku] += s.loaded
	}
	for kind, rows := range f.kinds() {
		if !f.statuses.live(kind.status) {
			continue
		}
		for _, l := range f.baskets.lines(kind.basket) {
			live[l.sku] += rows * l.quantity
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(live)) {
		if live[sku] > loaded[sku] {
			found = append(found, against(sku, "%d units are sold, %d are loaded", live[sku], loaded[sku]))
		}
	}
	return found
}

// loadedAgainstStock: the units that the buckets have loaded of a SKU are its stock; raises, take-backs and transfers change
// both in one transaction.
func loadedAgainstStock(f *facts) (found []evidence) {
	loaded := map[string]int64{}
	for of, s := range f.shelves {
		loaded[of.sku] += s.loaded
		if _, known := f.items[of.sku]; !known {
			f.items[of.sku] = &itemFacts{}
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(f.items)) {
		if stock := f.items[sku].stock; loaded[sku] != stock {
			found = append(found, against(sku, "the buckets have %d units loaded, the stock is %d", loaded[sku], stock))
		}
	}
	return found
}
