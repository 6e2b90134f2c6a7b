package sale

import "fmt"

// State is where a sale is in its life: draft → preloaded → open ⇄ paused, and from all but draft → closed, for good.
type State string

// The states of a sale as operators see them.
const (
	StateDraft     State = "draft"
	StatePreloaded State = "preloaded"
	StateOpen      State = "open"
	StatePaused    State = "paused"
	StateClosed    State = "closed"
)

// Eligibility says who may buy.
type Eligibility string

// Open sales sell to every valid token, listed ones to the buyers of their list.
const (
	EligibilityOpen Eligibility = "open"
	EligibilityList Eligibility = "list"
)

// Item is one SKU of a sale.
type Item struct {
	SKU        string `json:"sku"`
	Stock      int64  `json:"stock"` // units, 0 to MaxStock; what is loaded follows at the next preload
	PriceCents int64  `json:"price_cents"`
	Buckets    int    `json:"buckets"` // 1 to MaxBuckets, fixed at the first preload
}

// Sale is one event with a window, rules and SKUs, as operators write and read it.
type Sale struct {
	ID            string      `json:"sale"`
	State         State       `json:"state"`
	Name          string      `json:"name"`
	StartsAt      Time        `json:"starts_at"`
	EndsAt        Time        `json:"ends_at"`
	Currency      string      `json:"currency"`
	PerBuyerLimit int         `json:"per_buyer_limit"` // units per buyer and SKU
	PaymentTTL    int64       `json:"payment_ttl_s"`   // seconds from created_at, 0 = never expires
	Eligibility   Eligibility `json:"eligibility"`
	Items         []Item      `json:"items"`

	Version     int64  `json:"-"` // catalogue version of the last change
	ListVersion int64  `json:"-"` // rises with every replaced list of buyers, 0 before the first
	ListSize    int64  `json:"-"` // buyers on the list
	Reason      string `json:"-"` // why the sale was paused by the engine itself, empty otherwise
}

// Item returns the item of a SKU and whether there is one.
func (s *Sale) Item(sku string) (Item, bool) {
	for _, item := range s.Items {
		if item.SKU == sku {
			return item, true
		}
	}
	return Item{}, false
}

// FieldError is bad input that names the member at fault by its path, such as items[2].stock.
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
