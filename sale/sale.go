package sale

import "fmt"

// State is the state of a sale: draft → preloaded → open ⇄ paused, from all but draft → closed, and from closed → archived.
type State string

// The states of a sale as operators see them.
const (
	StateDraft     State = "draft"
	StatePreloaded State = "preloaded"
	StateOpen      State = "open"
	StatePaused    State = "paused"
	StateClosed    State = "closed"
	StateArchived  State = "archived" // final: only rows of the database are left of the sale
)

// Eligibility is the choice of buyers who may buy.
type Eligibility string

// An open sale sells to every buyer with a valid token, a sale with a list to the buyers on it.
const (
	EligibilityOpen Eligibility = "open"
	EligibilityList Eligibility = "list"
)

// Item is one SKU of a sale.
type Item struct {
	SKU           string `json:"sku"`
	Stock         int64  `json:"stock"` // units, 0 to MaxStock
	PriceCents    int64  `json:"price_cents"`
	Name          string `json:"name"`            // for people, at most MaxNameBytes
	PerBuyerLimit *int   `json:"per_buyer_limit"` // units per buyer, 1 to MaxLimit; nil: the sale's

	// Number is the short name of the SKU in Redis: 1, 2, 3, … in the order in which the database got the sale's items. It
	// never changes and no other item of the sale gets it. Operators do not set it.
	Number int `json:"-"`
}

// Same reports whether two items have the same members of a definition.
func (i *Item) Same(o *Item) bool {
	return i.SKU == o.SKU && i.Stock == o.Stock && i.PriceCents == o.PriceCents && i.Name == o.Name &&
		i.SameLimit(o)
}

// SameLimit reports whether two items have the same limit of their own, or both none.
func (i *Item) SameLimit(o *Item) bool {
	a, b := i.PerBuyerLimit, o.PerBuyerLimit
	return a == b || a != nil && b != nil && *a == *b
}

// Sale is one event with a window, rules and SKUs, as operators write and read it.
type Sale struct {
	ID            string      `json:"sale"`
	State         State       `json:"state"`
	Name          string      `json:"name"`
	StartsAt      Time        `json:"starts_at"`
	EndsAt        Time        `json:"ends_at"`
	Currency      string      `json:"currency"`
	PerBuyerLimit int         `json:"per_buyer_limit"`      // units per buyer and SKU, unless the item has its own
	SaleLimit     int         `json:"per_buyer_sale_limit"` // units per buyer over all SKUs, 0 = none
	PaymentTTL    int64       `json:"payment_ttl_s"`        // seconds from created_at, 0 = never expires
	Eligibility   Eligibility `json:"eligibility"`
	Buckets       int         `json:"buckets"` // 1 to MaxBuckets, fixed at the first preload
	Items         []Item      `json:"items"`

	// HoldsFrozenSince is when the holds were frozen, by the database's clock: no unpaid order expires. nil: not frozen.
	HoldsFrozenSince *Time `json:"holds_frozen_since"`

	Version     int64  `json:"-"` // catalogue version of the last change
	ListVersion int64  `json:"-"` // rises with every replaced list of buyers, 0 before the first
	ListSize    int64  `json:"-"` // buyers on the list
	Reason      string `json:"-"` // why the engine paused the sale; empty otherwise
}

// Item returns the item of a SKU, and false if the sale has none.
func (s *Sale) Item(sku string) (Item, bool) {
	for _, item := range s.Items {
		if item.SKU == sku {
			return item, true
		}
	}
	return Item{}, false
}

// LimitOf returns the units of an item per buyer.
func (s *Sale) LimitOf(item *Item) int {
	if item.PerBuyerLimit != nil {
		return *item.PerBuyerLimit
	}
	return s.PerBuyerLimit
}

// BucketNames returns the buckets of the sale, by number.
func (s *Sale) BucketNames() []Bucket {
	buckets := make([]Bucket, s.Buckets)
	for number := range buckets {
		buckets[number] = Bucket{Sale: s.ID, Number: number}
	}
	return buckets
}

// FieldError is the error of an invalid member. Field is its path, such as items[2].stock.
type FieldError struct {
	Field  string
	Detail string
}

// Error returns "field: detail".
func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

// Fieldf builds a FieldError.
func Fieldf(field, format string, args ...any) *FieldError {
	return &FieldError{Field: field, Detail: fmt.Sprintf(format, args...)}
}
