package settle

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Times of a lease. Work that began under it ends before the lease does, by the clock of this process alone; a holder that
// died is followed after leaseTTL.
const (
	leaseTTL         = 9 * time.Second
	leaseRenew       = 3 * time.Second // age from which it is renewed before the next work
	leaseWork        = leaseTTL * 2 / 3
	leaseCallTimeout = 4 * time.Second
	leaseAskEvery    = time.Second // while another process holds it
)

// tenure is one process's hold on a lease, over many units of work. It is used by one goroutine.
type tenure struct {
	leases Leases
	name   string
	holder string
	since  time.Time // when the lease was asked for that is held; zero when it is not held
}

// hold acquires or renews the lease where that is due and reports whether it is held. The context ends in time for the
// next holder; call its cancel after the work.
func (t *tenure) hold(ctx context.Context) (work context.Context, cancel context.CancelFunc, held bool, err error) {
	if time.Since(t.since) >= leaseRenew {
		if err := t.acquire(ctx); err != nil {
			return nil, nil, false, fmt.Errorf("acquire lease %s: %w", t.name, err)
		}
	}
	if t.since.IsZero() {
		return nil, nil, false, nil
	}
	work, cancel = context.WithDeadline(ctx, t.since.Add(leaseWork))
	return work, cancel, true, nil
}

func (t *tenure) acquire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseCallTimeout)
	defer cancel()
	asked := time.Now()
	held, err := t.leases.AcquireLease(ctx, t.name, t.holder, leaseTTL)
	t.since = time.Time{} // also after an error: what is not known to be held is not held
	if held && err == nil {
		t.since = asked
	}
	return err
}

// release gives the lease back, so that another process need not wait for its end.
func (t *tenure) release(ctx context.Context, log *slog.Logger) {
	if t.since.IsZero() {
		return
	}
	t.since = time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseCallTimeout)
	defer cancel()
	if err := t.leases.ReleaseLease(ctx, t.name, t.holder); err != nil {
		log.Warn("a lease could not be released and runs out", "lease", t.name, "error", err)
	}
}

// duty is a role that one process at a time has: units of work, one after the other, under a lease.
type duty struct {
	name  string        // of the lease
	what  string        // for the log: what cannot be done when a unit fails
	every time.Duration // between two units when the last one found nothing more to do
	unit  func(ctx context.Context) (more bool, err error)
}

// run does units of work until ctx ends. A unit that has begun when ctx ends may go on for drainTimeout and is then cut
// off: each can be repeated.
func (d *duty) run(ctx context.Context, leases Leases, holder string, log *slog.Logger, held func(bool)) {
	t := &tenure{leases: leases, name: d.name, holder: holder}
	defer func() { held(false); t.release(ctx, log) }()
	for try := 0; ctx.Err() == nil; {
		wait, err := d.turn(ctx, t, held)
		if err == nil {
			try = 0
			sleep(ctx, wait)
			continue
		}
		if ctx.Err() == nil && noteworthy(try) {
			log.Warn(d.what, "try", try+1, "error", err)
		}
		pause(ctx, try)
		try++
	}
}

// turn does one unit if this process has the lease, and returns how long to wait before the next.
func (d *duty) turn(ctx context.Context, t *tenure, held func(bool)) (wait time.Duration, err error) {
	lingers, end := lingering(ctx, drainTimeout)
	defer end()
	work, cancel, mine, err := t.hold(lingers)
	held(mine)
	if err != nil || !mine {
		return leaseAskEvery, err
	}
	defer cancel()
	more, err := d.unit(work)
	if more {
		return 0, err
	}
	return d.every, err
}
