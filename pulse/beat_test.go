package pulse

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var errAway = errors.New("connection refused")

// board is Redis's hash in memory.
type board struct {
	mu     sync.Mutex
	pulses map[string]string
	away   error
	doubt  error
}

func newBoard() *board { return &board{pulses: map[string]string{}} }

func (b *board) SetPulse(_ context.Context, name string, pulse []byte) error {
	return b.do(func() { b.pulses[name] = string(pulse) })
}

func (b *board) Pulses(context.Context) (all map[string]string, err error) {
	err = b.do(func() { all = maps.Clone(b.pulses) })
	return all, err
}

func (b *board) DropPulses(_ context.Context, names []string) error {
	return b.do(func() {
		for _, name := range names {
			delete(b.pulses, name)
		}
	})
}

func (b *board) Doubt() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doubt
}

func (b *board) do(what func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away == nil {
		what()
	}
	return b.away
}

func (b *board) set(away, doubt error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away, b.doubt = away, doubt
}

func (b *board) names() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.pulses {
		all = append(all, name)
	}
	return all
}

// beating starts a process on a board. Its counter of queued presses of sale s rises by 10 with every pulse.
func beating(t *testing.T, b *board, name string, recorder *Recorder) (end func()) {
	t.Helper()
	count := int64(0)
	beat := NewBeat(BeatOptions{
		Board: b, Now: time.Now, Log: slog.New(slog.DiscardHandler), Recorder: recorder,
		Read: func() sale.Pulse {
			count += 10
			return sale.Pulse{Process: name, Role: sale.ProcessGateway, Gateway: &sale.GatewayPulse{
				Sales: map[string]sale.Presses{"s": {"queued": count}},
			}}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); beat.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func TestProcessesHearEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one, two := newBoard(), NewRecorder(), NewRecorder()
		endOne, endTwo := beating(t, b, "one", one), beating(t, b, "two", two)
		<-time.After(5500 * time.Millisecond)
		synctest.Wait()
		for _, r := range []*Recorder{one, two} {
			require.Len(t, r.Processes(), 2)
			require.InDelta(t, 20, float64(r.Rates("s").OrdersPerS), .1)
		}
		endTwo()
		require.Equal(t, []string{"gateway:one"}, b.names(), "a process that ends deletes its pulse")
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Len(t, one.Processes(), 1)
		endOne()
		require.Empty(t, b.names())
	})
}

// While Redis is away a gateway knows of itself, and says how long it has not heard the others.
func TestBeatWithoutRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one := newBoard(), NewRecorder()
		endOne, endTwo := beating(t, b, "one", one), beating(t, b, "two", nil)
		<-time.After(3500 * time.Millisecond)
		b.set(errAway, nil)
		<-time.After(10 * time.Second)
		synctest.Wait()
		require.InDelta(t, 10, float64(one.Rates("s").OrdersPerS), .1, "its own")
		seen := one.Processes()
		require.Equal(t, "two", seen[1].Name)
		require.GreaterOrEqual(t, seen[1].SeenMSAgo, int64(9000))
		b.set(nil, nil)
		<-time.After(3 * time.Second)
		synctest.Wait()
		require.InDelta(t, 20, float64(one.Rates("s").OrdersPerS), .1)
		endOne()
		endTwo()
	})
}

// A Redis that may be another engine's gets no pulse; before Redis's clock is known a gateway counts by its own.
func TestBeatInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, one := newBoard(), NewRecorder()
		b.set(nil, sale.ErrForeign)
		end := beating(t, b, "one", one)
		<-time.After(3500 * time.Millisecond)
		synctest.Wait()
		require.Empty(t, b.names())
		require.Len(t, one.Processes(), 1)
		end()
		unknown := NewBeat(BeatOptions{
			Board: newBoard(), Now: func() time.Time { return time.Time{} }, Recorder: one,
			Read: func() sale.Pulse { return sale.Pulse{} },
		})
		require.NoError(t, unknown.beat(t.Context()))
		own, known := unknown.own()
		require.False(t, known)
		require.WithinDuration(t, time.Now(), own.At.Time, time.Second)
	})
}

// A pulse of a process that died an hour ago, and what is not a pulse, are deleted.
func TestReadersDropOldPulses(t *testing.T) {
	b, r := newBoard(), NewRecorder()
	at := func(ago time.Duration) string {
		p := sale.Pulse{Process: "dead", Role: "settle", At: sale.Time{Time: noon.Add(-ago)}}
		encoded, err := json.Marshal(p)
		require.NoError(t, err)
		return string(encoded)
	}
	beat := NewBeat(BeatOptions{
		Board: b, Now: func() time.Time { return noon }, Recorder: r, Log: slog.New(slog.DiscardHandler),
		Read: func() sale.Pulse { return sale.Pulse{Process: "me", Role: "gateway"} },
	})
	b.pulses["settle:dead"], b.pulses["other"], b.pulses["broken"] = at(59*time.Minute), at(0), "{"
	require.NoError(t, beat.beat(t.Context()))
	require.ElementsMatch(t, []string{"settle:dead", "gateway:me"}, b.names())
	require.Len(t, r.Processes(), 2)
	b.pulses["settle:dead"] = at(61 * time.Minute)
	require.NoError(t, beat.beat(t.Context()))
	require.Equal(t, []string{"gateway:me"}, b.names())
}
