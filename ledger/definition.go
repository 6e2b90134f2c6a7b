package ledger

import (
	"fmt"
	"time"

	"flashsale/sale"
)

// ForbiddenChange describes the first change that a preloaded sale does not allow, "" if there is none. The name, the end and
// the items' names and stock may change, the start until it is reached, and the prices while the sale is not open. Items may
// be added at any place. A closed sale allows another name only, an archived one nothing.
func ForbiddenChange(present, wanted *sale.Sale, now time.Time) string {
	startMoves := !wanted.StartsAt.Equal(present.StartsAt.Time)
	endMoves := !wanted.EndsAt.Equal(present.EndsAt.Time)
	switch {
	case present.State == sale.StateArchived:
		return "an archived sale does not change"
	case present.State == sale.StateClosed && (startMoves || endMoves || !sameItems(present.Items, wanted.Items)):
		return "only the name of a closed sale can change"
	case !sameTerms(present, wanted):
		return "currency, limits, payment time, eligibility and buckets are fixed by the preload"
	case startMoves && !now.Before(present.StartsAt.Time):
		return "starts_at cannot change after the start"
	}
	return forbiddenItem(present, wanted)
}

func forbiddenItem(present, wanted *sale.Sale) string {
	places := make(map[string]int, len(wanted.Items))
	for i := range wanted.Items {
		places[wanted.Items[i].SKU] = i
	}
	for i := range present.Items {
		was := &present.Items[i]
		at, kept := places[was.SKU]
		switch {
		case !kept:
			return fmt.Sprintf("items can be added, not removed, after the preload: %s is missing", was.SKU)
		case !was.SameLimit(&wanted.Items[at]):
			return fmt.Sprintf("per_buyer_limit is fixed by the preload: items[%d]", at)
		case present.State == sale.StateOpen && wanted.Items[at].PriceCents != was.PriceCents:
			return fmt.Sprintf("a price cannot change while the sale is open: items[%d] costs %d", at, was.PriceCents)
		}
	}
	return ""
}

// sameTerms compares the members that are fixed from the first preload on, because orders and limits depend on them.
func sameTerms(a, b *sale.Sale) bool {
	return a.Currency == b.Currency && a.PerBuyerLimit == b.PerBuyerLimit && a.SaleLimit == b.SaleLimit &&
		a.PaymentTTL == b.PaymentTTL && a.Eligibility == b.Eligibility && a.Buckets == b.Buckets
}

// sameItems compares the items in their order.
func sameItems(a, b []sale.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Same(&b[i]) {
			return false
		}
	}
	return true
}

// SameDefinition reports whether two sales have the same members of a definition.
func SameDefinition(a, b *sale.Sale) bool {
	return a.Name == b.Name && a.StartsAt.Equal(b.StartsAt.Time) && a.EndsAt.Equal(b.EndsAt.Time) &&
		sameTerms(a, b) && sameItems(a.Items, b.Items)
}
