package brake

import (
	"context"
	"sync"
	"time"
)

// Times of readings.
const (
	// patience is how long a unit of work waits for the readings that it has begun. A later answer counts in the next unit,
	// so a store that hangs delays no decision about the others.
	patience = 300 * time.Millisecond
	// readTimeout ends a reading, and staleAfter is the age at which an answer counts as not known: a slow store still
	// answers often enough.
	readTimeout = 4 * time.Second
	staleAfter  = 5 * time.Second
)

// reading is a number that is read from a store again and again, once at a time.
type reading[T any] struct {
	read func(ctx context.Context) (T, error)

	mu     sync.Mutex
	done   chan struct{} // closed when the reading under way has ended; nil before the first
	busy   bool
	known  bool
	value  T
	at     time.Time // when value was answered, on the monotonic clock
	failed error     // of the last reading
}

// begin begins a reading, unless one is under way, and returns what is closed at its end.
func (r *reading[T]) begin(ctx context.Context, running *sync.WaitGroup) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return r.done
	}
	done := make(chan struct{})
	r.busy, r.done = true, done
	running.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		value, err := r.read(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.busy, r.failed = false, err; err == nil {
			r.known, r.value, r.at = true, value, time.Now()
		}
	})
	return done
}

// last returns the last answer, unless it is stale or a later reading has failed, and the error of that one.
func (r *reading[T]) last(now time.Time) (value timed[T], failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known && r.failed == nil && now.Sub(r.at) <= staleAfter {
		value = timed[T]{true, r.value, r.at}
	}
	return value, r.failed
}

// forget drops the last answer.
func (r *reading[T]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.failed = false, nil
}

// timed is an answer with its time. The zero value is not known.
type timed[T any] struct {
	known bool
	value T
	at    time.Time
}

// awaitAll waits until all are closed, for patience at most.
func awaitAll(ctx context.Context, all ...<-chan struct{}) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, done := range all {
		select {
		case <-done:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
