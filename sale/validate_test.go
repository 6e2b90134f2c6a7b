package sale

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func validSale() Sale {
	return Sale{
		ID: "demo", State: StateDraft, Name: "Demo", StartsAt: Time{tenOClock}, EndsAt: Time{tenOClock.Add(time.Hour)},
		Currency:      "CNY",
		PerBuyerLimit: 1, PaymentTTL: 900, Eligibility: EligibilityOpen,
		Buckets: 1, Items: []Item{{SKU: "phone", Stock: 10, PriceCents: 100}},
	}
}

func TestSalesThatAreFine(t *testing.T) {
	for name, change := range map[string]func(*Sale){
		"as it is":         func(*Sale) {},
		"never expires":    func(s *Sale) { s.PaymentTTL = 0 },
		"shortest ttl":     func(s *Sale) { s.PaymentTTL = MinPaymentTTL },
		"longest ttl":      func(s *Sale) { s.PaymentTTL = MaxPaymentTTL },
		"most buckets":     func(s *Sale) { s.Items, s.Buckets = manyItems(MaxShelves/MaxBuckets), MaxBuckets },
		"highest limit":    func(s *Sale) { s.PerBuyerLimit = MaxLimit },
		"sale limit":       func(s *Sale) { s.SaleLimit = MaxSaleLimit },
		"an item's limit":  func(s *Sale) { s.Items[0].PerBuyerLimit = number(MaxLimit) },
		"an item's name":   func(s *Sale) { s.Items[0].Name = strings.Repeat("机", MaxNameBytes/3) },
		"a SKU of a shop":  func(s *Sale) { s.Items[0].SKU = "Phone.12-X_L" },
		"a list":           func(s *Sale) { s.Eligibility = EligibilityList },
		"nothing in stock": func(s *Sale) { s.Items[0].Stock = 0 },
		"most of all": func(s *Sale) {
			s.Buckets = MaxBuckets
			s.Items[0] = Item{SKU: strings.Repeat("p", MaxIDBytes), Stock: MaxStock, PriceCents: MaxPriceCents}
		},
		"free":            func(s *Sale) { s.Items[0].PriceCents = 0 },
		"one millisecond": func(s *Sale) { s.EndsAt = TimeMillis(s.StartsAt.UnixMilli() + 1) },
		"all of time":     func(s *Sale) { s.StartsAt, s.EndsAt = TimeMillis(0), TimeMillis(MaxCreatedMS) },
		"a long name":     func(s *Sale) { s.Name = strings.Repeat("机", MaxNameBytes/3) },
		"most items":      func(s *Sale) { s.Items = manyItems(MaxItems) },
	} {
		t.Run(name, func(t *testing.T) {
			s := validSale()
			change(&s)
			assert.NoError(t, s.Validate())
		})
	}
}

func manyItems(n int) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i] = Item{SKU: fmt.Sprintf("sku-%d", i), Stock: 1}
	}
	return items
}

func number(n int) *int { return &n }

func TestSalesNameTheMemberAtFault(t *testing.T) {
	for field, changes := range map[string][]func(*Sale){
		"name": {func(s *Sale) { s.Name = "" }, func(s *Sale) { s.Name = strings.Repeat("n", MaxNameBytes+1) },
			func(s *Sale) { s.Name = "\xff" }},
		"starts_at": {func(s *Sale) { s.StartsAt = Time{} }, func(s *Sale) { s.StartsAt = TimeMillis(-1) },
			func(s *Sale) { s.StartsAt = TimeMillis(MaxCreatedMS + 1) }},
		"ends_at": {func(s *Sale) { s.EndsAt = Time{} }, func(s *Sale) { s.EndsAt = s.StartsAt },
			func(s *Sale) { s.EndsAt = TimeMillis(s.StartsAt.UnixMilli() - 1) },
			func(s *Sale) { s.EndsAt = TimeMillis(MaxCreatedMS + 1) }},
		"currency": {func(s *Sale) { s.Currency = "" }, func(s *Sale) { s.Currency = "cny" },
			func(s *Sale) { s.Currency = "EURO" }, func(s *Sale) { s.Currency = "E1R" }},
		"per_buyer_limit": {func(s *Sale) { s.PerBuyerLimit = 0 }, func(s *Sale) { s.PerBuyerLimit = MaxLimit + 1 },
			func(s *Sale) { s.PerBuyerLimit = -1 }},
		"per_buyer_sale_limit": {func(s *Sale) { s.SaleLimit = -1 }, func(s *Sale) { s.SaleLimit = MaxSaleLimit + 1 }},
		"payment_ttl_s": {func(s *Sale) { s.PaymentTTL = -1 }, func(s *Sale) { s.PaymentTTL = MinPaymentTTL - 1 },
			func(s *Sale) { s.PaymentTTL = MaxPaymentTTL + 1 }},
		"eligibility": {func(s *Sale) { s.Eligibility = "" }, func(s *Sale) { s.Eligibility = "closed" }},
		"buckets": {func(s *Sale) { s.Buckets = 0 }, func(s *Sale) { s.Buckets = MaxBuckets + 1 },
			func(s *Sale) { s.Items, s.Buckets = manyItems(MaxShelves/MaxBuckets+1), MaxBuckets },
			func(s *Sale) { s.Items, s.Buckets = manyItems(MaxItems), MaxShelves/MaxItems+1 }},
		"items": {func(s *Sale) { s.Items = nil }, func(s *Sale) { s.Items = manyItems(MaxItems + 1) }},
		"items[0].sku": {func(s *Sale) { s.Items[0].SKU = "" }, func(s *Sale) { s.Items[0].SKU = ".phone" },
			func(s *Sale) { s.Items[0].SKU = strings.Repeat("p", MaxIDBytes+1) }},
		"items[2].sku": {func(s *Sale) { s.Items = append(manyItems(2), Item{SKU: "sku-1"}) }},
		"items[1].stock": {func(s *Sale) { s.Items = manyItems(2); s.Items[1].Stock = -1 },
			func(s *Sale) { s.Items = manyItems(2); s.Items[1].Stock = MaxStock + 1 }},
		"items[0].price_cents": {func(s *Sale) { s.Items[0].PriceCents = -1 },
			func(s *Sale) { s.Items[0].PriceCents = MaxPriceCents + 1 }},
		"items[0].name": {func(s *Sale) { s.Items[0].Name = strings.Repeat("n", MaxNameBytes+1) },
			func(s *Sale) { s.Items[0].Name = "\xff" }},
		"items[0].per_buyer_limit": {func(s *Sale) { s.Items[0].PerBuyerLimit = number(0) },
			func(s *Sale) { s.Items[0].PerBuyerLimit = number(MaxLimit + 1) }},
	} {
		for _, change := range changes {
			s := validSale()
			change(&s)
			var fault *FieldError
			err := s.Validate()
			require.True(t, errors.As(err, &fault), field)
			assert.Equal(t, field, fault.Field)
			assert.NotEmpty(t, fault.Detail)
			assert.ErrorContains(t, err, fault.Error())
		}
	}
}

func TestADoubledSKUNamesBothPlaces(t *testing.T) {
	s := validSale()
	s.Items = append(manyItems(3), Item{SKU: "sku-0"})
	assert.EqualError(t, s.Validate(), `items[3].sku: "sku-0" is already in items[0]`)
}

// An operator with a long document learns of every fault at once, in the order of the members, at most MaxFieldErrors.
func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	s := Sale{StartsAt: Time{tenOClock}, EndsAt: Time{tenOClock}, SaleLimit: -1, PaymentTTL: 1, Items: []Item{
		{SKU: "a", Stock: -1}, {SKU: "a", PriceCents: -1, Name: "\xff", PerBuyerLimit: number(0)}, {},
	}}
	err := s.Validate()
	var faults FieldErrors
	require.True(t, errors.As(err, &faults))
	var fields []string
	for _, fault := range faults {
		fields = append(fields, fault.Field)
	}
	assert.Equal(t, []string{
		"name", "ends_at", "currency", "per_buyer_limit", "per_buyer_sale_limit", "payment_ttl_s", "eligibility", "buckets",
		"items[0].stock", "items[1].sku", "items[1].price_cents", "items[1].name", "items[1].per_buyer_limit", "items[2].sku",
	}, fields)
	assert.EqualError(t, err, "name: must be 1 to 200 bytes of UTF-8 (and 13 more)")
	assert.ErrorIs(t, err, faults[13], "every fault is wrapped")

	s.Items = make([]Item, MaxItems+1)
	require.True(t, errors.As(s.Validate(), &faults))
	assert.Len(t, faults, MaxFieldErrors)
}

func TestItemsBeyondTheMostAreNotRead(t *testing.T) {
	s := validSale()
	s.Items = manyItems(MaxItems + 2)
	s.Items[MaxItems+1].SKU = ""
	assert.EqualError(t, s.Validate(), "items: must hold 1 to 10000 items")
}

func TestItemsTimesBucketsIsBounded(t *testing.T) {
	s := validSale()
	s.Items, s.Buckets = manyItems(MaxItems), 7
	assert.EqualError(t, s.Validate(), "buckets: must be at most 6 for 10000 items: items times buckets is at most 65536")
}

// JSON omits the engine's internal members and preserves all others.
func TestSalesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := validSale()
		want.Name = rapid.StringN(1, 40, MaxNameBytes).Draw(t, "name")
		want.PerBuyerLimit = rapid.IntRange(1, MaxLimit).Draw(t, "limit")
		want.SaleLimit = rapid.IntRange(0, MaxSaleLimit).Draw(t, "sale limit")
		want.Buckets = rapid.IntRange(1, MaxBuckets).Draw(t, "buckets")
		want.Items = manyItems(rapid.IntRange(1, 20).Draw(t, "items"))
		want.Items[0].PerBuyerLimit = rapid.Ptr(rapid.IntRange(1, MaxLimit), true).Draw(t, "item limit")
		want.StartsAt = TimeMillis(rapid.Int64Range(0, MaxCreatedMS-1).Draw(t, "starts"))
		want.EndsAt = TimeMillis(rapid.Int64Range(want.StartsAt.UnixMilli()+1, MaxCreatedMS).Draw(t, "ends"))
		require.NoError(t, want.Validate())
		internal := want
		internal.Items = append([]Item{}, want.Items...)
		internal.Items[0].Number = 9
		internal.Version, internal.ListVersion, internal.ListSize, internal.Reason = 9, 9, 9, "secret"
		text, err := json.Marshal(internal)
		require.NoError(t, err)
		var got Sale
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
	})
}

func FuzzSale(f *testing.F) {
	text, err := json.Marshal(validSale())
	require.NoError(f, err)
	for _, seed := range [][]byte{text, []byte(`{}`), []byte(`{"items":[{}]}`),
		[]byte(`{"starts_at":"9999-12-31T23:59:59-23:00"}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Sale
		if json.Unmarshal(data, &s) != nil {
			return
		}
		var fault *FieldError
		if err := s.Validate(); err != nil {
			require.True(t, errors.As(err, &fault))
			return
		}
		require.True(t, s.EndsAt.After(s.StartsAt.Time))
		for _, item := range s.Items {
			require.True(t, ValidID(item.SKU) && s.LimitOf(&item) >= 1 && item.Stock >= 0)
		}
		w := WindowOf(&s)
		require.True(t, w.StartsMS >= 0 && w.StartsMS <= w.EndsMS)
	})
}
