package lease

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

// tenure is the time during which an owner has a lease: from its acquisition until it is lost or released.
type tenure struct {
	lease   *Lease
	asked   time.Time     // when it was acquired: renewals count from it, on the monotonic clock
	until   atomic.Int64  // the end of the tenure without a further renewal, in time since asked
	renewed chan struct{} // closed when no renewal is under way any more

	alive context.Context // ends with the tenure
	over  context.CancelCauseFunc
}

// begin acquires the lease once and starts to renew it.
func (l *Lease) begin(ctx context.Context) (*tenure, error) {
	asked := time.Now()
	owned, err := l.acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire lease %s: %w", l.Name, err)
	}
	if !owned {
		return nil, fmt.Errorf("lease %s: %w", l.Name, sale.ErrLeaseHeld)
	}
	faults.Point("lease.acquired")
	t := &tenure{lease: l, asked: asked, renewed: make(chan struct{})}
	t.until.Store(int64(usable))
	// Work that has begun may continue after ctx, and so must the renewals.
	t.alive, t.over = context.WithCancelCause(context.WithoutCancel(ctx))
	l.tell(true)
	go t.renew()
	return t, nil
}

// renew renews the lease until the tenure ends. A timer ends it, so that a call which hangs cannot delay the loss.
func (t *tenure) renew() {
	defer close(t.renewed)
	defer t.lease.tell(false)
	end := time.AfterFunc(t.left(), func() { t.over(ErrLost) })
	defer end.Stop()
	for wait := renewEvery; role.Pause(t.alive, wait); {
		asked := time.Since(t.asked)
		owned, err := t.lease.acquire(t.alive)
		switch {
		case err != nil:
			wait = renewAgain
		case !owned:
			t.over(ErrLost)
		default:
			wait = renewEvery
			t.until.Store(int64(asked + usable))
			end.Reset(t.left())
		}
	}
}

// left is how long the lease is still usable without a renewal.
func (t *tenure) left() time.Duration { return time.Duration(t.until.Load()) - time.Since(t.asked) }

// owned reports whether work may begin. It does not rely on the timer: after a stop of the whole process both are late, and
// the work must not be first.
func (t *tenure) owned() bool {
	if t.left() <= 0 {
		t.over(ErrLost)
	}
	return t.alive.Err() == nil
}

// do does work whose context ends with the tenure, and none when the tenure has ended.
func (t *tenure) do(ctx context.Context, work func(context.Context) error) error {
	if !t.owned() {
		return fmt.Errorf("lease %s: %w", t.lease.Name, ErrLost)
	}
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	release := context.AfterFunc(t.alive, func() { cancel(context.Cause(t.alive)) })
	defer release()
	err := work(working)
	if cause := context.Cause(working); err != nil && errors.Is(cause, ErrLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// drop ends the tenure; the lease ends at its time.
func (t *tenure) drop() {
	t.over(nil)
	<-t.renewed
}

// end ends the tenure and releases the lease.
func (t *tenure) end(ctx context.Context) {
	t.drop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := t.lease.Leases.ReleaseLease(ctx, string(t.lease.Name), t.lease.Owner); err != nil {
		t.lease.Log.Warn("a lease could not be released and runs out", "lease", string(t.lease.Name), "error", err)
	}
}
