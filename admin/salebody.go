package admin

import (
	"fmt"

	"flashsale/sale"
)

const (
	defaultLimit      = 1
	defaultPaymentTTL = 900 // seconds
	defaultBuckets    = 1
)

// saleBody is the body of PUT /admin/v1/sales/{sale}. The id is in the path and other routes change the state, so
// neither is a member.
type saleBody struct {
	Name          member[string]    `json:"name"`
	StartsAt      member[sale.Time] `json:"starts_at"`
	EndsAt        member[sale.Time] `json:"ends_at"`
	Currency      member[string]    `json:"currency"`
	PerBuyerLimit member[int]       `json:"per_buyer_limit"`
	PaymentTTL    member[int64]     `json:"payment_ttl_s"`
	Eligibility   member[string]    `json:"eligibility"`
	Items         list[itemBody]    `json:"items"`
}

type itemBody struct {
	SKU        member[string] `json:"sku"`
	Stock      member[int64]  `json:"stock"`
	PriceCents member[int64]  `json:"price_cents"`
	Buckets    member[int]    `json:"buckets"`
}

// decodeSale reads the definition of a sale strictly, fills in the defaults and validates the result.
func decodeSale(id string, body []byte) (sale.Sale, error) {
	var in saleBody
	if err := decodeStrict(body, &in); err != nil {
		return sale.Sale{}, err
	}
	if err := in.required(); err != nil {
		return sale.Sale{}, err
	}
	s := sale.Sale{
		ID: id, State: sale.StateDraft, Name: in.Name.value, StartsAt: in.StartsAt.value, EndsAt: in.EndsAt.value,
		Currency:      in.Currency.or("CNY"),
		PerBuyerLimit: in.PerBuyerLimit.or(defaultLimit),
		PaymentTTL:    in.PaymentTTL.or(defaultPaymentTTL),
		Eligibility:   sale.Eligibility(in.Eligibility.or(string(sale.EligibilityOpen))),
		Items:         make([]sale.Item, len(in.Items)),
	}
	for i, item := range in.Items {
		s.Items[i] = sale.Item{
			SKU: item.SKU.value, Stock: item.Stock.value, PriceCents: item.PriceCents.value,
			Buckets: item.Buckets.or(defaultBuckets),
		}
	}
	return s, s.Validate()
}

// required refuses a body that lacks a member without a default.
func (in *saleBody) required() error {
	for _, need := range []struct {
		name  string
		given bool
	}{{"name", in.Name.given}, {"starts_at", in.StartsAt.given}, {"ends_at", in.EndsAt.given}, {"items", in.Items != nil}} {
		if !need.given {
			return sale.Fieldf(need.name, "is required")
		}
	}
	for i, item := range in.Items {
		switch at := fmt.Sprintf("items[%d].", i); {
		case !item.SKU.given:
			return sale.Fieldf(at+"sku", "is required")
		case !item.Stock.given:
			return sale.Fieldf(at+"stock", "is required")
		case !item.PriceCents.given:
			return sale.Fieldf(at+"price_cents", "is required")
		}
	}
	return nil
}
