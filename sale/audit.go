package sale

// Audit is the stock equation of every SKU of one sale or of several, as the operators' API answers it.
type Audit struct {
	Holds bool        `json:"holds"` // for every item
	Items []AuditItem `json:"items"`
}

// AuditItem is the stock equation of one SKU.
type AuditItem struct {
	Sale string `json:"sale"`
	SKU  string `json:"sku"`
	Stock
	Difference int64 `json:"difference"` // units missing, negative for units too many
}

// InFlight returns the units of all items that are taken in Redis and not settled.
func (a *Audit) InFlight() (units int64) {
	for i := range a.Items {
		units += a.Items[i].InFlight
	}
	return units
}
