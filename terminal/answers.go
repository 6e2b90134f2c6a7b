package terminal

import (
	"encoding/json"
	"fmt"
	"strconv"

	"flashsale/sale"
)

// Sale is a sale as the operators' API answers it. ArchivedAt and Books are of an archived sale only.
type Sale struct {
	sale.Sale
	ArchivedAt *sale.Time       `json:"archived_at"`
	Books      []sale.FinalBook `json:"books"`
}

// Sales is the list of sales.
type Sales struct {
	Sales []Sale `json:"sales"`
}

// Number is a number of a live answer; nil is unknown.
type Number *float64

// LiveSales is the numbers of all sales that are not archived.
type LiveSales struct {
	At        sale.Time `json:"at"`
	Sales     []Summary `json:"sales"`
	Processes []Process `json:"processes"`
	Stores    []Store   `json:"stores"`
}

// Summary is the numbers of one sale in short.
type Summary struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	State            sale.State `json:"state"`
	Reason           string     `json:"reason"`
	StartsAt         sale.Time  `json:"starts_at"`
	EndsAt           sale.Time  `json:"ends_at"`
	HoldsFrozenSince *sale.Time `json:"holds_frozen_since"`
	Loaded           int64      `json:"loaded"`
	Sold             int64      `json:"sold"`
	Unpaid           Number     `json:"unpaid"`
	Available        Number     `json:"available"`
	PressesPerS      Number     `json:"presses_per_s"`
	RefusedPerS      Number     `json:"refused_per_s"`
	OrdersPerS       Number     `json:"orders_per_s"`
}

// Live is the numbers of one sale.
type Live struct {
	At         sale.Time `json:"at"`
	Sale       LiveSale  `json:"sale"`
	Phase      string    `json:"phase"`
	StartsInMS *int64    `json:"starts_in_ms"`
	EndsInMS   *int64    `json:"ends_in_ms"`
	Total      Units     `json:"total"`
	Items      Items     `json:"items"`
	Rates      Rates     `json:"rates"`
	Processes  []Process `json:"processes"`
	Stores     []Store   `json:"stores"`
	Brake      *Brake    `json:"brake"`
}

// LiveSale is what a live answer has of the sale itself.
type LiveSale struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	State            sale.State `json:"state"`
	Reason           string     `json:"reason"`
	StartsAt         sale.Time  `json:"starts_at"`
	EndsAt           sale.Time  `json:"ends_at"`
	Currency         string     `json:"currency"`
	HoldsFrozenSince *sale.Time `json:"holds_frozen_since"`
}

// Units counts units by where they are.
type Units struct {
	Loaded    Number `json:"loaded"`
	Available Number `json:"available"`
	InFlight  Number `json:"in_flight"`
	Settled   Number `json:"settled"`
	Released  Number `json:"released"`
	Paid      Number `json:"paid"`
	Unpaid    Number `json:"unpaid"`
	Conserved *bool  `json:"conserved"` // nil: not known now
	PerS      Number `json:"orders_per_s"`
	SoldOutIn Number `json:"sold_out_in_s"`
}

// sold returns the units of the orders that count.
func (u *Units) sold() Number {
	if u.Settled == nil || u.Released == nil {
		return nil
	}
	sold := *u.Settled - *u.Released
	return &sold
}

// Items is a part of the SKUs of a sale: Rows begin at From of the Matched ones.
type Items struct {
	Total   int   `json:"total"`
	Matched int   `json:"matched"`
	From    int   `json:"from"`
	Rows    []Row `json:"rows"`
}

// Row is one SKU.
type Row struct {
	SKU        string `json:"sku"`
	Name       string `json:"name"`
	PriceCents int64  `json:"price_cents"`
	Units
}

// Rates are the present rates; those after RefusedPerS are of all sales.
type Rates struct {
	PressesPerS      Number             `json:"presses_per_s"`
	OrdersPerS       Number             `json:"orders_per_s"`
	RefusedPerS      map[string]float64 `json:"refused_per_s"` // by outcome; nil: unknown
	P50MS            Number             `json:"p50_ms"`
	P99MS            Number             `json:"p99_ms"`
	SettleLagRecords Number             `json:"settle_lag_records"`
	OldestHeldS      Number             `json:"oldest_held_s"`
	EventsWaiting    Number             `json:"events_waiting"`
	RowsPerS         Number             `json:"rows_per_s"`
}

// Process is one process of the deployment.
type Process struct {
	Name      string            `json:"name"`
	Role      string            `json:"role"`
	SeenMSAgo int64             `json:"seen_ms_ago"`
	Ready     bool              `json:"ready"`
	Waiting   map[string]string `json:"waiting"`
}

// Store is one store as the gateway that answers reaches it.
type Store struct {
	Store  string `json:"store"`
	Up     bool   `json:"up"`
	Detail string `json:"detail"`
}

// Brake is the engine's own limit of purchases.
type Brake struct {
	Since     sale.Time `json:"since"`
	Reason    string    `json:"reason"`
	PerSecond int64     `json:"per_second"`
}

// decode reads an answer of the operators' API.
func decode[T any](answer []byte, what string) (T, error) {
	var value T
	if err := json.Unmarshal(answer, &value); err != nil {
		return value, fmt.Errorf("read %s in the answer of the operators' API: %w", what, err)
	}
	return value, nil
}

// ReadSale reads the answer of GET /admin/v1/sales/{sale}, and of the moves.
func ReadSale(answer []byte) (Sale, error) { return decode[Sale](answer, "the sale") }

// ReadSales reads the answer of GET /admin/v1/sales.
func ReadSales(answer []byte) (Sales, error) { return decode[Sales](answer, "the sales") }

// ReadLive reads the answer of GET /admin/v1/sales/{sale}/live.
func ReadLive(answer []byte) (Live, error) { return decode[Live](answer, "the numbers of the sale") }

// ReadLiveSales reads the answer of GET /admin/v1/live.
func ReadLiveSales(answer []byte) (LiveSales, error) {
	return decode[LiveSales](answer, "the numbers of the sales")
}

// unknown is what a table shows in place of a number that is not known.
const unknown = "-"

// whole writes a number of units.
func whole(n Number) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatInt(int64(*n), 10)
}

// rate writes a number a second, with one decimal below ten.
func rate(n Number) string {
	switch {
	case n == nil:
		return unknown
	case *n > 0 && *n < 10:
		return strconv.FormatFloat(*n, 'f', 1, 64)
	}
	return strconv.FormatFloat(*n, 'f', 0, 64)
}

func known(n int64) Number {
	value := float64(n)
	return &value
}
