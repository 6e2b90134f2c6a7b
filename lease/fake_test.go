package lease

import (
	"context"
	"errors"
	"flashsale/test/memory"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errAway = errors.New("the database is away")

// fakeTable is the table of leases in memory, which may be away or hang; its clock is the bubble's.
type fakeTable struct {
	*memory.Database

	mu    sync.Mutex
	asked int
	away  bool
	hangs bool // calls that acquire end with their context
}

func newFakeTable() *fakeTable {
	f := &fakeTable{}
	f.Database = memory.New(memory.Options{Hooks: memory.Hooks{Before: f.before}})
	return f
}

func (f *fakeTable) before(ctx context.Context, method string) error {
	if method == "AcquireLease" && f.get(func() bool { f.asked++; return f.hangs }) {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.get(func() bool { return f.away }) {
		return errAway
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

func (f *fakeTable) ownerOf(name Name) string { return f.Snapshot().Leases[string(name)].Holder }

func (f *fakeTable) questions() (asked int) {
	f.set(func() { asked = f.asked })
	return asked
}

// left is how long a lease still lasts in the database.
func (f *fakeTable) left(name Name) time.Duration {
	return time.Until(f.Snapshot().Leases[string(name)].Until)
}

// steal gives a lease to another owner.
func (f *fakeTable) steal(name Name) {
	f.SeedLease(string(name), memory.Lease{Holder: "thief", Until: time.Now().Add(TTL)})
}

func (f *fakeTable) lease(owner string) *Lease {
	return &Lease{Leases: f, Name: "x", Owner: owner, Log: slog.New(slog.DiscardHandler)}
}

// after lets time pass in a bubble.
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
