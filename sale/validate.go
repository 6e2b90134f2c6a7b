package sale

import (
	"fmt"
	"unicode/utf8"
)

// Bounds of a sale's own members.
const (
	MaxNameBytes  = 200
	MinPaymentTTL = 30      // seconds
	MaxPaymentTTL = 604_800 // seconds, a week
)

// MaxFieldErrors bounds the faults of one document that are named.
const MaxFieldErrors = 50

// FieldErrors are the faults of a document, in the order of its members, at most MaxFieldErrors. errors.As finds the first
// one as a *FieldError.
type FieldErrors []*FieldError

// Error returns the first fault, and how many follow.
func (e FieldErrors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
}

// Unwrap returns the faults.
func (e FieldErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i := range e {
		all[i] = e[i]
	}
	return all
}

// check adds a fault unless ok.
func (e *FieldErrors) check(ok bool, field, format string, args ...any) {
	if !ok && len(*e) < MaxFieldErrors {
		*e = append(*e, Fieldf(field, format, args...))
	}
}

// Validate checks every range of the sale's definition and returns all faults as FieldErrors, nil without any. The caller
// fills in defaults first: Validate takes a zero as a value.
func (s *Sale) Validate() error {
	var e FieldErrors
	e.check(s.Name != "" && len(s.Name) <= MaxNameBytes && utf8.ValidString(s.Name),
		"name", "must be 1 to %d bytes of UTF-8", MaxNameBytes)
	s.checkTimes(&e)
	e.check(validCurrency(s.Currency), "currency", "must be three capital letters (ISO 4217)")
	e.check(s.PerBuyerLimit >= 1 && s.PerBuyerLimit <= MaxLimit, "per_buyer_limit", "must be 1 to %d", MaxLimit)
	e.check(s.SaleLimit >= 0 && s.SaleLimit <= MaxSaleLimit,
		"per_buyer_sale_limit", "must be 0 to %d; 0 is no limit", MaxSaleLimit)
	e.check(s.PaymentTTL == 0 || s.PaymentTTL >= MinPaymentTTL && s.PaymentTTL <= MaxPaymentTTL,
		"payment_ttl_s", "must be 0 or %d to %d", MinPaymentTTL, MaxPaymentTTL)
	e.check(s.Eligibility == EligibilityOpen || s.Eligibility == EligibilityList, "eligibility", "must be open or list")
	e.check(s.Buckets >= 1 && s.Buckets <= MaxBuckets, "buckets", "must be 1 to %d", MaxBuckets)
	e.check(len(s.Items) >= 1 && len(s.Items) <= MaxItems, "items", "must hold 1 to %d items", MaxItems)
	if len(s.Items) <= MaxItems && s.Buckets <= MaxBuckets {
		e.check(len(s.Items)*s.Buckets <= MaxShelves, "buckets",
			"must be at most %d for %d items: items times buckets is at most %d", MaxShelves/max(len(s.Items), 1), len(s.Items),
			MaxShelves)
	}
	s.checkItems(&e)
	if len(e) == 0 {
		return nil
	}
	return e
}

func (s *Sale) checkTimes(e *FieldErrors) {
	for _, at := range []struct {
		field string
		time  Time
	}{{"starts_at", s.StartsAt}, {"ends_at", s.EndsAt}} {
		e.check(!at.time.IsZero(), at.field, "is required")
		e.check(at.time.IsZero() || storable(at.time), at.field, "must be between the years 1970 and 9999 (UTC)")
	}
	if !s.StartsAt.IsZero() && !s.EndsAt.IsZero() {
		e.check(s.EndsAt.After(s.StartsAt.Time), "ends_at", "must be after starts_at")
	}
}

func (s *Sale) checkItems(e *FieldErrors) {
	seen := make(map[string]int, len(s.Items))
	for i := range s.Items {
		if len(*e) == MaxFieldErrors || i == MaxItems {
			return
		}
		item := &s.Items[i]
		at := fmt.Sprintf("items[%d].", i)
		e.check(ValidID(item.SKU), at+"sku", "must match %s", FormOfID)
		first, doubled := seen[item.SKU]
		e.check(!doubled, at+"sku", "%q is already in items[%d]", item.SKU, first)
		e.check(item.Stock >= 0 && item.Stock <= MaxStock, at+"stock", "must be 0 to %d", MaxStock)
		e.check(item.PriceCents >= 0 && item.PriceCents <= MaxPriceCents,
			at+"price_cents", "must be 0 to %d", int64(MaxPriceCents))
		e.check(len(item.Name) <= MaxNameBytes && utf8.ValidString(item.Name),
			at+"name", "must be at most %d bytes of UTF-8", MaxNameBytes)
		e.check(item.PerBuyerLimit == nil || *item.PerBuyerLimit >= 1 && *item.PerBuyerLimit <= MaxLimit,
			at+"per_buyer_limit", "must be 1 to %d, or null for the sale's", MaxLimit)
		if !doubled {
			seen[item.SKU] = i
		}
	}
}

// storable reports whether every database can store the time and its Unix milliseconds are not negative.
func storable(t Time) bool { return t.UnixMilli() >= 0 && t.UnixMilli() <= MaxCreatedMS }

func validCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for i := range 3 {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return true
}
