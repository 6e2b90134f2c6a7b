package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"flashsale/sale"
)

// liveAnswer is what a live screen of a sale shows.
type liveAnswer struct {
	At         sale.Time          `json:"at"`
	Sale       liveSale           `json:"sale"`
	Phase      string             `json:"phase"`
	StartsInMS *int64             `json:"starts_in_ms"` // null while Redis's clock is not known
	EndsInMS   *int64             `json:"ends_in_ms"`
	Total      liveUnits          `json:"total"`
	Items      liveItems          `json:"items"`
	Rates      sale.Rates         `json:"rates"`
	Processes  []sale.Process     `json:"processes"`
	Stores     []sale.StoreHealth `json:"stores"`
	Brake      *sale.Brake        `json:"brake"` // null while there is none
}

type liveSale struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	State            sale.State `json:"state"`
	Reason           string     `json:"reason"`
	StartsAt         sale.Time  `json:"starts_at"`
	EndsAt           sale.Time  `json:"ends_at"`
	Currency         string     `json:"currency"`
	PaymentTTL       int64      `json:"payment_ttl_s"`
	Buckets          int        `json:"buckets"`
	HoldsFrozenSince *sale.Time `json:"holds_frozen_since"`
}

// liveItems is a part of the SKUs. Total and Matched count all of the sale and all that ?q= finds.
type liveItems struct {
	Total   int       `json:"total"`
	Matched int       `json:"matched"`
	From    int       `json:"from"`
	Rows    []liveRow `json:"rows"`
}

// readBrake reads the brake. When that fails, the last one stays.
func (a *API) readBrake(ctx context.Context, r *saleReading) error {
	brake, err := a.deps.Rules.Brake(ctx)
	if err == nil {
		r.brake = brake
	}
	return err
}

// page returns the encoded answer of a query, which watchers with equal queries share.
func (r *saleReading) page(q liveQuery) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if encoded := r.pages[q]; encoded != nil {
		return encoded, nil
	}
	encoded, err := sale.JSON(r.answer(q))
	if err == nil && len(r.pages) < maxStreams {
		r.pages[q] = encoded
	}
	return encoded, err
}

func (r *saleReading) answer(q liveQuery) *liveAnswer {
	s := &r.sale
	answer := &liveAnswer{
		At: sale.TimeMillis(r.at.UnixMilli()), Total: r.total, Items: r.items(q), Rates: r.rates, Processes: r.processes,
		Stores: r.stores, Brake: r.brake, Phase: phaseOf(s, r.at),
		Sale: liveSale{
			ID: s.ID, Name: s.Name, State: s.State, Reason: s.Reason, StartsAt: s.StartsAt, EndsAt: s.EndsAt,
			Currency: s.Currency, PaymentTTL: s.PaymentTTL, Buckets: s.Buckets, HoldsFrozenSince: s.HoldsFrozenSince,
		},
	}
	if r.at.IsZero() {
		answer.At = sale.TimeMillis(time.Now().UnixMilli())
		return answer
	}
	starts, ends := s.StartsAt.Sub(r.at).Milliseconds(), s.EndsAt.Sub(r.at).Milliseconds()
	answer.StartsInMS, answer.EndsInMS = &starts, &ends
	return answer
}

// phaseOf returns what buyers meet at a time of Redis's clock, in the order in which a gateway checks it.
func phaseOf(s *sale.Sale, now time.Time) string {
	switch {
	case s.State == sale.StateDraft, s.State == sale.StateArchived:
		return string(s.State)
	case s.State == sale.StateClosed:
		return "ended"
	case now.IsZero():
		return "unknown"
	case s.State == sale.StatePreloaded, now.Before(s.StartsAt.Time):
		return "upcoming"
	case !now.Before(s.EndsAt.Time):
		return "ended"
	case s.State == sale.StatePaused:
		return "paused"
	}
	return "open"
}

// items returns the rows of a query.
func (r *saleReading) items(q liveQuery) liveItems {
	found := make([]int, 0, len(r.rows))
	if q.text == "" {
		for i := range r.rows {
			found = append(found, i)
		}
	} else {
		for i, text := range r.searchable() {
			if strings.Contains(text, q.text) {
				found = append(found, i)
			}
		}
	}
	if by := rowOrder(q.sort); by != nil {
		slices.SortStableFunc(found, func(a, b int) int { return cmp.Compare(by(&r.rows[b]), by(&r.rows[a])) })
	}
	items := liveItems{Total: len(r.rows), Matched: len(found), From: q.from, Rows: []liveRow{}}
	for _, i := range found[min(q.from, len(found)):min(q.from+q.limit, len(found))] {
		items.Rows = append(items.Rows, r.rows[i])
	}
	return items
}

// rowOrder returns the number by which rows are sorted, nil for the order of the definition. cmp.Compare puts an unknown number
// below every other.
func rowOrder(name string) func(*liveRow) float64 {
	switch name {
	case "available":
		return func(r *liveRow) float64 { return float64(r.Available) }
	case "sold":
		return func(r *liveRow) float64 { return float64(r.sold()) }
	case "orders":
		return func(r *liveRow) float64 { return float64(r.PerS) }
	}
	return nil
}
