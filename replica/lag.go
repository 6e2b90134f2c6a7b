package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flashsale/role"
)

// Beat reads the number that a server has, and whether the server is read-only.
type Beat interface {
	LastBeat(ctx context.Context) (beat int64, readOnly bool, err error)
}

const (
	lookTimeout = time.Second
	mostLooks   = 128 // kept: a replica that is behind by more looks, 12 s, is complete up to an older moment only
)

// look is one reading of the primary's number.
type look struct {
	asked time.Time // before the question was sent
	beat  int64
}

// Lag bounds what a replica lacks.
type Lag struct {
	primary, replica Beat
	log              *slog.Logger

	looks []look // the oldest first
	had   int64  // the replica's number at the look before

	mu     sync.Mutex
	proven time.Time // the replica has everything that was committed before; zero: unknown
}

// NewLag returns a Lag between two servers. It knows nothing before Run.
func NewLag(primary, replica Beat, log *slog.Logger) *Lag {
	return &Lag{primary: primary, replica: replica, log: log}
}

// Behind returns a bound of the time whose commits the replica may lack; known is false while there is none.
func (l *Lag) Behind() (bound time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.proven), !l.proven.IsZero()
}

// Run looks until ctx ends.
func (l *Lag) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "lag of the replica", Unit: l.look, Log: l.log, Limit: lookTimeout,
		Failing: "the replica of mysql.read_dsn cannot be compared with the primary, so orders are read from the primary",
		Rest:    role.Steady(beatEvery),
	}
	loop.Run(ctx)
}

// errAhead is a replica that has a later number than its primary: it does not follow this primary, or the primary went back.
var errAhead = errors.New("the replica has a later beat than the primary, so it does not follow it")

// errBack is a replica that has an earlier number than before: it was restored from a copy, or another server has its name. What
// it proved is gone.
var errBack = errors.New("the replica has an earlier beat than before, so it has lost commits or is another server")

// errDemoted is a primary that has become a replica. Its number may stand still while a new primary raises it, so it proves
// nothing of the time since.
var errDemoted = errors.New("the primary is read-only, so another server may be the primary")

// look reads both numbers, the replica's first: a replica that follows is then never ahead.
func (l *Lag) look(ctx context.Context) error {
	has, _, err := l.replica.LastBeat(ctx)
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	if had := l.had; has < had {
		l.had = has
		l.forget()
		return fmt.Errorf("%w: %d after %d", errBack, has, had)
	}
	l.had = has
	asked := time.Now()
	last, demoted, err := l.primary.LastBeat(ctx)
	if err == nil && demoted {
		err = errDemoted
	}
	if err != nil {
		return fmt.Errorf("primary: %w", err)
	}
	if has > last || len(l.looks) > 0 && last < l.looks[len(l.looks)-1].beat {
		l.forget()
		if has > last {
			return fmt.Errorf("%w: %d after %d", errAhead, has, last)
		}
	}
	if len(l.looks) == mostLooks {
		l.looks = append(l.looks[:0], l.looks[1:]...)
	}
	l.looks = append(l.looks, look{asked, last})
	for i := len(l.looks) - 1; i >= 0; i-- {
		if l.looks[i].beat < has {
			l.prove(l.looks[i].asked)
			break
		}
	}
	return nil
}

// forget drops what is known: it was proven about another history.
func (l *Lag) forget() {
	l.looks = nil
	l.prove(time.Time{})
}

// prove notes up to when the replica is complete. A later proof replaces an earlier one, and a zero time any.
func (l *Lag) prove(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.IsZero() || until.After(l.proven) {
		l.proven = until
	}
}
