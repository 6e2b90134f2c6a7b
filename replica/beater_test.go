package replica

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
)

// table is a table with one lease, and a beat.
type table struct {
	owner atomic.Value
	beats atomic.Int64
}

func (t *table) AcquireLease(_ context.Context, name, owner string, _ time.Duration) (bool, error) {
	if name != string(lease.Replica) {
		return false, nil
	}
	return t.owner.CompareAndSwap("", owner) || t.owner.Load() == owner, nil
}

func (t *table) ReleaseLease(_ context.Context, _, owner string) error {
	t.owner.CompareAndSwap(owner, "")
	return nil
}

func (t *table) Beat(context.Context) error { t.beats.Add(1); return nil }

// Of two processes one beats, ten times a second, and the other goes on when it ends.
func TestOneProcessBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &table{}
		shared.owner.Store("")
		run := func(owner string) (end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			b := NewBeater(BeaterOptions{Beats: shared, Leases: shared, Owner: owner, Log: slog.New(slog.DiscardHandler)})
			go func() { defer close(ended); b.Run(ctx) }()
			synctest.Wait()
			return func() { cancel(); <-ended }
		}
		first, second := run("first"), run("second")
		<-time.After(10 * time.Second)
		assert.InDelta(t, 100, shared.beats.Load(), 2)
		require.Equal(t, "first", shared.owner.Load())
		first()
		<-time.After(11 * time.Second)
		require.Equal(t, "second", shared.owner.Load())
		assert.InDelta(t, 200, shared.beats.Load(), 12)
		second()
	})
}
