package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errAway = errors.New("the database is away")

// fakeTable is the table of leases; its clock is the bubble's.
type fakeTable struct {
	mu     sync.Mutex
	owners map[string]string
	until  map[string]time.Time
	asked  int
	away   bool
	hangs  bool // calls end with their context
}

func newFakeTable() *fakeTable {
	return &fakeTable{owners: map[string]string{}, until: map[string]time.Time{}}
}

func (f *fakeTable) AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if f.get(func() bool { f.asked++; return f.hangs }) {
		<-ctx.Done()
		return false, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return false, errAway
	}
	if f.owners[name] != "" && f.owners[name] != owner && time.Now().Before(f.until[name]) {
		return false, nil
	}
	f.owners[name], f.until[name] = owner, time.Now().Add(ttl)
	return true, nil
}

func (f *fakeTable) ReleaseLease(_ context.Context, name, owner string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errAway
	}
	if f.owners[name] == owner {
		delete(f.owners, name)
	}
	return nil
}

func (f *fakeTable) get(read func() bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read()
}

func (f *fakeTable) set(write func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	write()
}

func (f *fakeTable) ownerOf(name Name) (owner string) {
	f.set(func() { owner = f.owners[string(name)] })
	return owner
}

func (f *fakeTable) questions() (asked int) {
	f.set(func() { asked = f.asked })
	return asked
}

// left is how long a lease still lasts in the database.
func (f *fakeTable) left(name Name) (left time.Duration) {
	f.set(func() { left = time.Until(f.until[string(name)]) })
	return left
}

// steal gives a lease to another owner.
func (f *fakeTable) steal(name Name) {
	f.set(func() { f.owners[string(name)], f.until[string(name)] = "thief", time.Now().Add(TTL) })
}

func (f *fakeTable) lease(owner string) *Lease {
	return &Lease{Leases: f, Name: "x", Owner: owner, Log: slog.New(slog.DiscardHandler)}
}

// after lets time go by in a bubble.
func after(d time.Duration) { <-time.After(d) }

func TestTimesOfALease(t *testing.T) {
	require.Less(t, renewEvery+callTimeout, usable, "one renewal that hangs loses nothing")
	require.Less(t, usable, TTL)
}

// The names are rows of a database that older processes use too.
func TestNamesNeverChange(t *testing.T) {
	require.Equal(t, []Name{"relay", "outbox", "events", "expiry", "gauges"}, []Name{Relay, Outbox, Events, Expiry, Gauges})
	require.Equal(t, Name("sale/s"), Sale("s"))
}
