package gateway

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// cataloguePoller keeps the snapshot up to date with the database. When nothing changed a poll costs one cheap query,
// whatever the number of sales.
type cataloguePoller struct {
	source  Catalogue
	timeout time.Duration
	current atomic.Pointer[snapshot] // nil until the first answer
}

// poll asks once for changes and publishes the next snapshot. It returns the changes, which may be empty.
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
		present = &snapshot{version: -1, grief: sale.DefaultGrief()}
	}
	if changes.Version != present.version || touchesSales(changes) {
		p.current.Store(present.next(changes))
	}
	return changes, nil
}

// touchesSales reports whether changes touch what is sold, and not only the rules.
func touchesSales(changes sale.Changes) bool {
	return len(changes.Sales) > 0 || len(changes.Buckets) > 0
}
