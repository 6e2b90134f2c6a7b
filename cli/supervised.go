package cli

import (
	"context"
	"errors"
	"io"
)

// supervised is the flag of a process that a rehearsal starts.
type supervised struct {
	UntilStdinEnds bool `hidden:"" help:"End when standard input ends, as when the process that started this one has died."`
}

// errOrphaned is why a supervised process ends.
var errOrphaned = errors.New("standard input has ended")

// until returns the context in which the process runs.
func (s supervised) until(inv *invocation) context.Context {
	if !s.UntilStdinEnds {
		return inv.ctx
	}
	ctx, cancel := context.WithCancelCause(inv.ctx)
	go func() {
		_, _ = io.Copy(io.Discard, inv.stdin) // an error is an end too
		cancel(errOrphaned)
	}()
	return ctx
}
