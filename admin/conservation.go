package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/sale"
)

// pauseAfter is how long the books of an open sale may be off before the engine pauses it. One reading is proof enough;
// the time lets a rebuild that repairs the loss come first.
const pauseAfter = 5 * time.Second

// maxReasonBytes is what the database keeps of a reason.
const maxReasonBytes = 255

// Pauser pauses an open sale in the engine's own name. The reason is shown in the sale's stats until it is resumed.
type Pauser interface {
	PauseSale(ctx context.Context, id, reason string) error
}

// watch remembers since when the books of each SKU of an open sale have been off.
type watch struct {
	pauser Pauser           // nil: nothing is paused
	now    func() time.Time // of this process
	log    *slog.Logger
	since  map[[2]string]time.Time // as of the last round
	round  map[[2]string]time.Time // of the round under way
}

// begin starts a round, end makes it the last one.
func (w *watch) begin() { w.round = map[[2]string]time.Time{} }
func (w *watch) end()   { w.since = w.round }

// forget counts anew: what was read while nobody looked, or somebody else did, proves no span of time.
func (w *watch) forget() { w.since = nil }

// look takes note of one reading of a sale and pauses the sale when it has been off for too long. Only SKUs whose buckets
// are all coherent count: a rebuild is no fault, and ends the time that was counted.
func (w *watch) look(ctx context.Context, s *sale.Sale, groups []skuPositions) {
	now := w.now()
	for i := range groups {
		sum := groups[i].total()
		if s.State != sale.StateOpen || !groups[i].coherent() || sum.Holds() {
			continue
		}
		key := [2]string{s.ID, groups[i].sku}
		began, known := w.since[key]
		if !known {
			began = now
			w.log.Warn("the books of a SKU do not balance", "sale", s.ID, "sku", groups[i].sku, "units", sum.Difference())
		}
		w.round[key] = began
		if now.Sub(began) >= pauseAfter {
			w.pause(ctx, s.ID, imbalance(groups[i].sku, sum))
			return
		}
	}
}

// pause stops the sale. What fails is tried again in the next round.
func (w *watch) pause(ctx context.Context, id, reason string) {
	if w.pauser == nil {
		return
	}
	var moved *sale.StateError
	switch err := w.pauser.PauseSale(ctx, id, reason); {
	case err == nil:
		w.log.Error("the engine paused a sale", "sale", id, "reason", reason)
	case errors.As(err, &moved): // somebody else has stopped it
	default:
		w.log.Error("a sale whose books do not balance could not be paused", "sale", id, "reason", reason, "error", err)
	}
}

// imbalance is the reason that the sale's stats show.
func imbalance(sku string, sum sale.Stock) string {
	reason := fmt.Sprintf("conservation: SKU %s is off by %d units: loaded %d, available %d, in flight %d, settled %d, released %d",
		sku, sum.Difference(), sum.Loaded, sum.Available, sum.InFlight, sum.Settled, sum.Released)
	return reason[:min(len(reason), maxReasonBytes)]
}
