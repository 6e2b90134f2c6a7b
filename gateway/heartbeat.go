package gateway

import (
	"context"
	"fmt"
	"time"
)

// heartbeat writes to the database which version of the catalogue this gateway uses. It writes at once when the version
// changes, so that an operator who changes a sale can wait until every gateway uses the change. It writes again every
// heartbeatEvery, so that the last heartbeat of a dead gateway becomes old and an operator does not wait for it.
type heartbeat struct {
	write   func(ctx context.Context, version int64) error // nil: no heartbeat
	timeout time.Duration
	version int64     // the version written last
	next    time.Time // when beat writes the same version again
}

// Periods of the heartbeat. heartbeatEvery must stay well below the time after which operators no longer wait for a gateway.
const (
	heartbeatEvery = 10 * time.Second
	heartbeatRetry = time.Second // after a failure, so that a database that refuses writes does not delay the polls
)

// beat writes a version, unless it wrote the same version less than a period ago.
func (h *heartbeat) beat(ctx context.Context, version int64) error {
	now := time.Now()
	if h.write == nil || version == h.version && now.Before(h.next) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	h.version, h.next = version, now.Add(heartbeatEvery)
	if err := h.write(ctx, version); err != nil {
		h.next = now.Add(heartbeatRetry)
		return fmt.Errorf("write that this gateway uses version %d of the catalogue: %w", version, err)
	}
	return nil
}
