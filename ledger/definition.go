package ledger

import (
	"fmt"
	"slices"
	"time"

	"flashsale/sale"
)

// ForbiddenChange describes the first change that a preloaded sale does not allow, "" if there is none.
func ForbiddenChange(present, wanted *sale.Sale, now time.Time) string {
	startMoves := !wanted.StartsAt.Equal(present.StartsAt.Time)
	endMoves := !wanted.EndsAt.Equal(present.EndsAt.Time)
	switch {
	case present.State == sale.StateClosed && (startMoves || endMoves || !slices.Equal(present.Items, wanted.Items)):
		return "only the name of a closed sale can change"
	case !sameTerms(present, wanted):
		return "currency, limit, payment time and eligibility are fixed by the preload"
	case startMoves && !now.Before(present.StartsAt.Time):
		return "starts_at cannot change after the start"
	case len(wanted.Items) != len(present.Items):
		return "items are fixed by the preload"
	}
	for i, item := range wanted.Items {
		was := present.Items[i]
		switch {
		case item.SKU != was.SKU:
			return fmt.Sprintf("items are fixed by the preload, also their order: items[%d] is %s", i, was.SKU)
		case item.PriceCents != was.PriceCents || item.Buckets != was.Buckets:
			return fmt.Sprintf("price and buckets are fixed by the preload: items[%d]", i)
		case item.Stock < was.Stock:
			return fmt.Sprintf("stock can only be raised: items[%d] has %d", i, was.Stock)
		}
	}
	return ""
}

// sameTerms compares the members that are fixed from the first preload on, because orders and limits depend on them.
func sameTerms(a, b *sale.Sale) bool {
	return a.Currency == b.Currency && a.PerBuyerLimit == b.PerBuyerLimit && a.PaymentTTL == b.PaymentTTL &&
		a.Eligibility == b.Eligibility
}

// SameDefinition reports whether two sales have the same members of a definition.
func SameDefinition(a, b *sale.Sale) bool {
	return a.Name == b.Name && a.StartsAt.Equal(b.StartsAt.Time) && a.EndsAt.Equal(b.EndsAt.Time) &&
		sameTerms(a, b) && slices.Equal(a.Items, b.Items)
}
