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

// Validate checks every range of the sale's definition and returns a *FieldError for the first invalid member. The caller
// fills in defaults first: Validate takes a zero as a value.
func (s *Sale) Validate() error {
	switch {
	case s.Name == "" || len(s.Name) > MaxNameBytes || !utf8.ValidString(s.Name):
		return Fieldf("name", "must be 1 to %d bytes of UTF-8", MaxNameBytes)
	case s.StartsAt.IsZero():
		return Fieldf("starts_at", "is required")
	case s.EndsAt.IsZero():
		return Fieldf("ends_at", "is required")
	case !storable(s.StartsAt):
		return Fieldf("starts_at", "must be between the years 1970 and 9999 (UTC)")
	case !storable(s.EndsAt):
		return Fieldf("ends_at", "must be between the years 1970 and 9999 (UTC)")
	case !s.EndsAt.After(s.StartsAt.Time):
		return Fieldf("ends_at", "must be after starts_at")
	case !validCurrency(s.Currency):
		return Fieldf("currency", "must be three capital letters (ISO 4217)")
	case s.PerBuyerLimit < 1 || s.PerBuyerLimit > MaxLimit:
		return Fieldf("per_buyer_limit", "must be 1 to %d", MaxLimit)
	case s.PaymentTTL != 0 && (s.PaymentTTL < MinPaymentTTL || s.PaymentTTL > MaxPaymentTTL):
		return Fieldf("payment_ttl_s", "must be 0 or %d to %d", MinPaymentTTL, MaxPaymentTTL)
	case s.Eligibility != EligibilityOpen && s.Eligibility != EligibilityList:
		return Fieldf("eligibility", "must be open or list")
	case len(s.Items) == 0 || len(s.Items) > MaxItems:
		return Fieldf("items", "must hold 1 to %d items", MaxItems)
	}
	return s.validateItems()
}

func (s *Sale) validateItems() error {
	seen := make(map[string]int, len(s.Items))
	buckets := 0
	for i, item := range s.Items {
		at := func(member string) string { return fmt.Sprintf("items[%d].%s", i, member) }
		switch first, doubled := seen[item.SKU]; {
		case !ValidID(item.SKU):
			return Fieldf(at("sku"), "must match [a-z0-9][a-z0-9_-]{0,63}")
		case doubled:
			return Fieldf(at("sku"), "%q is already in items[%d]", item.SKU, first)
		case item.Stock < 0 || item.Stock > MaxStock:
			return Fieldf(at("stock"), "must be 0 to %d", MaxStock)
		case item.PriceCents < 0 || item.PriceCents > MaxPriceCents:
			return Fieldf(at("price_cents"), "must be 0 to %d", int64(MaxPriceCents))
		case item.Buckets < 1 || item.Buckets > MaxBuckets:
			return Fieldf(at("buckets"), "must be 1 to %d", MaxBuckets)
		}
		seen[item.SKU] = i
		buckets += item.Buckets
	}
	if buckets > MaxSaleBuckets {
		return Fieldf("items", "must have at most %d buckets in all, not %d", MaxSaleBuckets, buckets)
	}
	return nil
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
