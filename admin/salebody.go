package admin

import (
	"fmt"
	"strings"

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
	SaleLimit     member[int]       `json:"per_buyer_sale_limit"`
	PaymentTTL    member[int64]     `json:"payment_ttl_s"`
	Eligibility   member[string]    `json:"eligibility"`
	Buckets       member[int]       `json:"buckets"`
	Items         list[itemBody]    `json:"items"`
	Unknown       unknown           `json:",unknown"`
}

type itemBody struct {
	SKU           member[string] `json:"sku"`
	Stock         member[int64]  `json:"stock"`
	PriceCents    member[int64]  `json:"price_cents"`
	Name          member[string] `json:"name"`
	PerBuyerLimit nullable[int]  `json:"per_buyer_limit"`
	Unknown       unknown        `json:",unknown"`
}

// decodeSale reads the definition of a sale strictly, fills in the defaults and validates the result. The error of a
// definition that is JSON names every fault: sale.FieldErrors.
func decodeSale(id string, body []byte) (sale.Sale, error) {
	var in saleBody
	found, err := decodeStrict(body, &in, formOfSale)
	if err != nil {
		return sale.Sale{}, err
	}
	in.required(found)
	s := sale.Sale{
		ID: id, State: sale.StateDraft, Name: in.Name.value, StartsAt: in.StartsAt.value, EndsAt: in.EndsAt.value,
		Currency:      in.Currency.or("CNY"),
		PerBuyerLimit: in.PerBuyerLimit.or(defaultLimit),
		SaleLimit:     in.SaleLimit.value,
		PaymentTTL:    in.PaymentTTL.or(defaultPaymentTTL),
		Eligibility:   sale.Eligibility(in.Eligibility.or(string(sale.EligibilityOpen))),
		Buckets:       in.Buckets.or(defaultBuckets),
		Items:         make([]sale.Item, len(in.Items.elements)),
	}
	for i := range in.Items.elements {
		item := &in.Items.elements[i]
		s.Items[i] = sale.Item{
			SKU: item.SKU.value, Stock: item.Stock.value, PriceCents: item.PriceCents.value, Name: item.Name.value,
			PerBuyerLimit: item.PerBuyerLimit.value,
		}
	}
	return s, found.join(s.Validate())
}

// required notes the members without a default that the body lacks.
func (in *saleBody) required(found *faultList) {
	found.need("name", in.Name.given)
	found.need("starts_at", in.StartsAt.given)
	found.need("ends_at", in.EndsAt.given)
	found.need("items", in.Items.given)
	for i := range in.Items.elements {
		if len(found.list) == sale.MaxFieldErrors {
			return
		}
		item, at := &in.Items.elements[i], fmt.Sprintf("items[%d].", i)
		found.need(at+"sku", item.SKU.given)
		found.need(at+"stock", item.Stock.given)
		found.need(at+"price_cents", item.PriceCents.given)
	}
}

// formOfSale returns the range or the words of a member of a sale, or of an item when the path has a dot.
func formOfSale(path string) string {
	_, ofItem, inItem := strings.Cut(path, ".")
	switch {
	case inItem:
		return formOfItem(ofItem)
	case strings.HasSuffix(path, "]"):
		return "sku, stock, price_cents, name, per_buyer_limit"
	}
	switch path {
	case "name":
		return fmt.Sprintf("1 to %d bytes of UTF-8", sale.MaxNameBytes)
	case "starts_at", "ends_at":
		return "RFC 3339, between the years 1970 and 9999 (UTC)"
	case "currency":
		return "three capital letters (ISO 4217)"
	case "per_buyer_limit":
		return fmt.Sprintf("1 to %d", sale.MaxLimit)
	case "per_buyer_sale_limit":
		return fmt.Sprintf("0 to %d; 0 is no limit", sale.MaxSaleLimit)
	case "payment_ttl_s":
		return fmt.Sprintf("0 or %d to %d", sale.MinPaymentTTL, sale.MaxPaymentTTL)
	case "eligibility":
		return "open or list"
	case "buckets":
		return fmt.Sprintf("1 to %d", sale.MaxBuckets)
	case "items":
		return fmt.Sprintf("1 to %d items", sale.MaxItems)
	}
	return "name, starts_at, ends_at, currency, per_buyer_limit, per_buyer_sale_limit, payment_ttl_s, eligibility, buckets, items"
}

func formOfItem(name string) string {
	switch name {
	case "sku":
		return sale.FormOfID
	case "stock":
		return fmt.Sprintf("0 to %d", sale.MaxStock)
	case "price_cents":
		return fmt.Sprintf("0 to %d", int64(sale.MaxPriceCents))
	case "name":
		return fmt.Sprintf("at most %d bytes of UTF-8", sale.MaxNameBytes)
	case "per_buyer_limit":
		return fmt.Sprintf("1 to %d, or null for the sale's", sale.MaxLimit)
	}
	return "sku, stock, price_cents, name, per_buyer_limit"
}
