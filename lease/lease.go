package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Leases is the table of leases.
type Leases interface {
	// AcquireLease acquires a lease for a time, or renews it where the owner has it already. It returns false when another
	// owner has it.
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)
	// ReleaseLease ends a lease at once; one that the owner does not have stays as it is.
	ReleaseLease(ctx context.Context, name, owner string) error
}

// Times of a lease. The package comment gives their reasons.
const (
	TTL         = 6 * time.Second // another process acquires the lease of an owner that died so much later
	AskEvery    = time.Second     // between two questions of Serve while another process has the lease
	renewEvery  = TTL / 6
	renewAgain  = renewEvery / 4 // after a renewal that failed
	usable      = TTL * 2 / 3    // after the last renewal; then the lease is lost
	callTimeout = TTL / 3        // of one call to the database
)

// Waits of Do between two questions while another owner has the lease, doubled from question to question.
const (
	firstWait   = 20 * time.Millisecond
	longestWait = 250 * time.Millisecond
)

// ErrLost is the cause with which the context of work ends when its lease was lost: another process may own it by now.
var ErrLost = errors.New("the lease was lost")

// Lease is one lease as one owner uses it. It is used by one goroutine at a time.
type Lease struct {
	Leases Leases
	Name   Name
	Owner  string // unique to the process; to the piece of work where two of them in one process exclude each other
	Log    *slog.Logger

	Wait  time.Duration // for how long Do asks again while another owner has the lease; 0: it asks once
	Owned func(bool)    // called when the lease is acquired, and when it is lost or released; nil: not called
}

// Do acquires the lease, does the work and releases the lease. The context of the work ends when the lease is lost; an
// error of the work then wraps ErrLost. Where another owner has the lease, Do returns an error that wraps
// sale.ErrLeaseHeld and does no work.
func (l *Lease) Do(ctx context.Context, work func(context.Context) error) error {
	t, err := l.await(ctx)
	if err != nil {
		return err
	}
	defer t.end(ctx)
	return t.do(ctx, work)
}

// await asks for the lease until it is acquired, the database fails or Wait is over. A question that the database has not
// answered in time is asked again as well.
func (l *Lease) await(ctx context.Context) (t *tenure, err error) {
	until, wait := time.Now().Add(l.Wait), firstWait/2
	rest := func(int) time.Duration {
		wait = min(2*wait, longestWait)
		return min(wait, time.Until(until))
	}
	done := role.Until(ctx, rest, func() bool {
		t, err = l.begin(ctx)
		again := errors.Is(err, sale.ErrLeaseHeld) || errors.Is(err, context.DeadlineExceeded)
		return !again || !time.Now().Before(until)
	})
	if !done {
		return nil, fmt.Errorf("acquire lease %s: %w", l.Name, context.Cause(ctx))
	}
	return t, err
}

// Serve runs a loop whose units are done under the lease, until ctx ends, and then releases the lease. It keeps the lease
// between the units. While another process has the lease it asks every AskEvery and does no unit. The context of a unit
// ends when the lease is lost; the next unit acquires it again.
func (l *Lease) Serve(ctx context.Context, loop role.Loop) {
	var t *tenure
	defer func() {
		if t != nil {
			t.end(ctx)
		}
	}()
	unit, served := loop.Unit, loop
	loop.Unit = func(ctx context.Context) (err error) {
		if t != nil && !t.owned() {
			t.drop()
			t = nil
		}
		if t == nil {
			if t, err = l.begin(ctx); err != nil {
				return err
			}
		}
		return t.do(ctx, unit)
	}
	loop.Rest = func(took time.Duration) time.Duration {
		switch {
		case t == nil:
			return AskEvery
		case served.Rest != nil:
			return served.Rest(took)
		case served.Every > 0:
			return served.Every
		}
		return role.UntilWoken
	}
	loop.Quiet = append([]error{sale.ErrLeaseHeld}, served.Quiet...)
	loop.Run(ctx)
}

// acquire asks the database once.
func (l *Lease) acquire(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.Leases.AcquireLease(ctx, string(l.Name), l.Owner, TTL)
}

func (l *Lease) tell(owned bool) {
	if l.Owned != nil {
		l.Owned(owned)
	}
}
