package gateway

import (
	"context"
	"fmt"
	"time"
)

// heartbeat writes into the database which version of the catalogue this gateway sells by. It writes at once when the version
// changes, so that an operator who has changed a sale can wait until every gateway sells by the change, and again every
// heartbeatEvery, so that an operator does not wait for a gateway that has died: its last heartbeat is
// old.
type heartbeat struct {
	write   func(ctx context.Context, version int64) error // nil: no heartbeat
	timeout time.Duration
	version int64     // written last
	next    time.Time // when the same version is written again
}

// Periods of the heartbeat. heartbeatEvery must stay well below the time after which a silent gateway is not waited for.
const (
	heartbeatEvery = 10 * time.Second
	heartbeatRetry = time.Second // after a failure, so that a database that cannot be written is still read in time
)

// beat writes a version, unless it was written a short while ago.
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
		return fmt.Errorf("write that this gateway sells by version %d of the catalogue: %w", version, err)
	}
	return nil
}
