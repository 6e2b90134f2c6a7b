package sale

// Audit is the answer of the operators' API: the stock equation of every SKU of one or more sales.
type Audit struct {
	Holds bool        `json:"holds"` // the equation holds for every item
	Items []AuditItem `json:"items"`
}

// AuditItem is the stock equation of one SKU.
type AuditItem struct {
	Sale string `json:"sale"`
	SKU  string `json:"sku"`
	Stock
	Difference int64 `json:"difference"` // missing units; negative for surplus units
}

// InFlight returns the units of all items that are taken in Redis and not settled.
func (a *Audit) InFlight() (units int64) {
	for i := range a.Items {
		units += a.Items[i].InFlight
	}
	return units
}
