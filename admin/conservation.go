package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/sale"
)

// pauseAfter is how long the equation of an open sale may be off in the readings before the engine pauses the sale. One
// reading is proof; the time lets a rebuild that repairs the loss close the bucket first. With the rest before the first
// reading and the round that finds the time over, a sale of up to restShelves shelves is paused within 5 s of the fault.
const pauseAfter = 3 * time.Second

// maxReasonBytes is the longest reason that the database stores.
const maxReasonBytes = 255

// Pauser pauses an open sale for the engine. The sale's stats show the reason until the sale is resumed.
type Pauser interface {
	PauseSale(ctx context.Context, id, reason string) error
}

// watch records since when the equation of each SKU of an open sale has been off.
type watch struct {
	pauser Pauser           // nil: no sale is paused
	now    func() time.Time // clock of this process
	log    *slog.Logger
	since  map[[2]string]time.Time // after the last round
	round  map[[2]string]time.Time // of the current round
}

// begin starts a round, end makes it the last one.
func (w *watch) begin() { w.round = map[[2]string]time.Time{} }
func (w *watch) end()   { w.since = w.round }

// untilPause returns the time after which the first sale whose books are off is to be paused. doubts is false when the last
// round found none.
func (w *watch) untilPause() (left time.Duration, doubts bool) {
	left = pauseAfter
	now := w.now()
	for _, began := range w.since {
		left = min(left, pauseAfter-now.Sub(began))
	}
	return left, len(w.since) > 0
}

// forget restarts the count: after a time in which this process did not read, no span is proved.
func (w *watch) forget() { w.since = nil }

// look evaluates one reading of a sale and pauses the sale when its equation has been off for too long. Only SKUs whose
// buckets are all coherent count: a rebuild is not a fault and restarts the time.
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
			w.log.Warn("the stock equation of a SKU does not hold", "sale", s.ID, "sku", groups[i].sku, "units", sum.Difference())
		}
		w.round[key] = began
		if now.Sub(began) >= pauseAfter {
			w.pause(ctx, s.ID, imbalance(groups[i].sku, sum))
			return
		}
	}
}

// pause pauses the sale. After a failure the next round tries again.
func (w *watch) pause(ctx context.Context, id, reason string) {
	if w.pauser == nil {
		return
	}
	var moved *sale.StateError
	switch err := w.pauser.PauseSale(ctx, id, reason); {
	case err == nil:
		w.log.Error("the engine paused a sale", "sale", id, "reason", reason)
	case errors.As(err, &moved): // the sale is no longer open
	default:
		w.log.Error("a sale whose stock equation does not hold could not be paused", "sale", id, "reason", reason, "error", err)
	}
}

// imbalance returns the reason that the sale's stats show.
func imbalance(sku string, sum sale.Stock) string {
	reason := fmt.Sprintf("conservation: SKU %s is off by %d units: loaded %d, available %d, in flight %d, settled %d, "+
		"released %d",
		sku, sum.Difference(), sum.Loaded, sum.Available, sum.InFlight, sum.Settled, sum.Released)
	return reason[:min(len(reason), maxReasonBytes)]
}
