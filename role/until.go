package role

import (
	"context"
	"time"
)

// Until makes attempts until one returns true, and then returns true; it returns false when ctx ends during a rest. rest
// returns the rest after so many attempts, from 1: Backoff for a store that is away, Always for a question that is repeated
// until its answer changes.
func Until(ctx context.Context, rest func(attempts int) time.Duration, attempt func() (done bool)) bool {
	for attempts := 1; !attempt(); attempts++ {
		if !Pause(ctx, rest(attempts)) {
			return false
		}
	}
	return true
}

// Always returns a rest that is the same after every attempt and every failure.
func Always(rest time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return rest }
}
