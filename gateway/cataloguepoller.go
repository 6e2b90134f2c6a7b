package gateway

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"flashsale/sale"
	"flashsale/series"
)

// cataloguePoller updates the snapshot from the database. If nothing changed, a poll costs one cheap query, for any number of
// sales.
type cataloguePoller struct {
	source  Catalogue
	timeout time.Duration
	presses *series.Family
	current atomic.Pointer[snapshot] // nil until the first answer
}

// poll reads the changes once and publishes the next snapshot. It returns the changes, which may be empty.
func (p *cataloguePoller) poll(ctx context.Context) (sale.Changes, error) {
	present := p.current.Load()
	since := int64(0)
	if present != nil {
		since = present.version
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	changes, err := p.source.Changes(ctx, since)
	if err != nil {
		return sale.Changes{}, fmt.Errorf("read changes of the catalogue since version %d: %w", since, err)
	}
	if present == nil {
		present = &snapshot{version: -1, grief: sale.DefaultGrief(), presses: p.presses}
	}
	if changes.Version != present.version || touchesSales(changes) {
		p.current.Store(present.next(changes))
	}
	return changes, nil
}

// touchesSales reports whether changes contain sales or buckets, and not only rules.
func touchesSales(changes sale.Changes) bool {
	return len(changes.Sales) > 0 || len(changes.Buckets) > 0
}
