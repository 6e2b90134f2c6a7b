package role

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Loop is one background role. Name, Unit and Log are required, and one of Every, Rest and Wake.
type Loop struct {
	Name string                          // in the log
	Unit func(ctx context.Context) error // one unit of work
	Log  *slog.Logger

	// Every is the rest after a unit. A loop with Wake and without Every and Rest rests UntilWoken.
	Every time.Duration
	// Rest returns the rest after a unit that took a time, where the rest depends on what the unit found; it is used in
	// place of Every. 0 begins the next unit at once. A loop whose first rest, of no unit, is UntilWoken waits for a signal
	// before its first unit too; every other loop begins with a unit at once.
	Rest func(took time.Duration) time.Duration
	// Retry returns the rest after the unit has failed so many times in a row, from 1; nil: as after a success.
	Retry func(failures int) time.Duration
	// Wake ends a rest of UntilWoken. A channel of capacity 1 that is sent to without waiting loses no signal.
	Wake <-chan struct{}

	Limit   time.Duration // a unit's context ends after it; 0: no limit
	Linger  time.Duration // a unit under way when the loop's context ends may take so much longer
	Quiet   []error       // errors, compared with errors.Is, that the log does not mention: the unit had nothing to do
	Failing string        // the log message when the unit begins to fail; empty: "role fails"
}

// UntilWoken is a rest that only a signal ends.
const UntilWoken time.Duration = -1

// Steady returns a Rest that lets units begin a period apart, as a ticker does: after a unit that took longer than the
// period the next one begins at once.
func Steady(period time.Duration) func(took time.Duration) time.Duration {
	return func(took time.Duration) time.Duration { return max(0, period-took) }
}

// Run does units of work until ctx ends, and returns when the last unit has returned.
func (l *Loop) Run(ctx context.Context) {
	if l.Every <= 0 && l.Rest == nil && l.Wake == nil {
		panic("role " + l.Name + " has neither Every nor Rest nor Wake")
	}
	work, end := Linger(ctx, l.Linger)
	defer end()
	health := Health{Name: l.Name, Failing: l.Failing, Log: l.Log}
	if l.Wake != nil && l.rest(0, nil, 0) == UntilWoken {
		l.wait(ctx, UntilWoken)
	}
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		quiet, err := l.unit(work)
		if failures++; err == nil {
			failures = 0
		}
		if !quiet {
			health.Note(ctx, err)
		}
		l.wait(ctx, l.rest(time.Since(began), err, failures))
	}
}

// unit does one unit within its limit. A quiet error is not returned as one.
func (l *Loop) unit(ctx context.Context) (quiet bool, failed error) {
	if l.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, l.Limit)
		defer cancel()
		ctx = limited
	}
	err := l.Unit(ctx)
	for _, expected := range l.Quiet {
		if errors.Is(err, expected) {
			return true, nil
		}
	}
	return false, err
}

// rest returns how long to wait after a unit.
func (l *Loop) rest(took time.Duration, err error, failures int) time.Duration {
	switch {
	case err != nil && l.Retry != nil:
		return l.Retry(failures)
	case l.Rest != nil:
		return l.Rest(took)
	case l.Every > 0:
		return l.Every
	}
	return UntilWoken
}

func (l *Loop) wait(ctx context.Context, rest time.Duration) {
	if rest != UntilWoken {
		Pause(ctx, rest)
		return
	}
	select {
	case <-ctx.Done():
	case <-l.Wake:
	}
}
