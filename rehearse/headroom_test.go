package rehearse

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
)

// gauge is a Redis whose memory and journal grow with each reading.
type gauge struct {
	reads int64
	err   error
}

func (g *gauge) Memory(context.Context) ([]scripts.Memory, error) {
	g.reads++
	return []scripts.Memory{{Addr: "a", Used: 100 * g.reads, Max: 1000}, {Addr: "b", Used: 50 - g.reads}}, g.err
}

func (g *gauge) Readings(context.Context, []sale.Bucket) ([]sale.Reading, error) {
	return []sale.Reading{{JournalOrders: 5}, {JournalOrders: 10 - g.reads}}, nil
}

func newMeters(g *gauge) *meters {
	return &meters{redis: g, start: time.Now(), memory: map[string]*RedisLoad{}, finished: make(chan struct{}),
		watched: []watchedProcess{{"crowd and payer", os.Getpid()}, {"gone", 1 << 30}}}
}

func TestMetersOfRedis(t *testing.T) {
	g := &gauge{}
	m := newMeters(g)
	for range 3 {
		m.read(t.Context())
	}
	g.err = errors.New("away")
	m.read(t.Context())
	require.ErrorIs(t, m.failed, g.err)
	h := m.headroom(time.Hour)
	require.Equal(t, []RedisLoad{{"a", 100, 300, 1000}, {"b", 49, 49, 0}}, h.Redis)
	require.EqualValues(t, 9, h.Journal)
	require.Positive(t, h.Cores)
	charts := m.charts()
	require.Len(t, charts, 2)
	require.Len(t, charts[1].Series[0].Points, 3, "a reading that failed is a gap")
	require.Empty(t, newMeters(g).headroom(time.Hour).Redis)
}

// Loads are averaged over the rush, without what followed it.
func TestLoadsOfTheRush(t *testing.T) {
	m := newMeters(&gauge{})
	m.samples = []sample{
		{0, 0, 0, []int64{0, 0}}, {time.Second, 150, 200, []int64{100, 10}}, {2 * time.Second, 200, 400, []int64{120, 20}},
		{time.Minute, 200, 40_000, []int64{9999, 20}},
	}
	h := m.headroom(2 * time.Second)
	require.InDelta(t, 0.5, h.Machine, 1e-9)
	require.InDelta(t, 0.6, h.Crowd, 1e-9)
	require.Equal(t, "crowd and payer", h.Processes[0].Name)
	require.InDelta(t, 0.6, h.Processes[0].Mean, 1e-9)
	require.InDelta(t, 1, h.Processes[0].Peak, 1e-9)
	require.InDelta(t, 0.1, h.Processes[1].Mean, 1e-9)
	require.Zero(t, cores(m.samples[1], m.samples[1], 0))
}

func TestRunningMetersEnd(t *testing.T) {
	m := newMeters(&gauge{})
	ctx, cancel := context.WithCancel(t.Context())
	go m.run(ctx)
	cancel()
	<-m.finished
	require.NotEmpty(t, m.samples, "at least one reading")
}

func TestTicks(t *testing.T) {
	busy, all := ticksIn("cpu  10 20 30 400 50 6 7 8 99 99\ncpu0 1 2\n")
	require.Equal(t, []int64{10 + 20 + 30 + 6 + 7 + 8, 10 + 20 + 30 + 400 + 50 + 6 + 7 + 8}, []int64{busy, all})
	busy, all = ticksIn("cpu x")
	require.Zero(t, busy+all)
	require.EqualValues(t, 7+8, ticksOf("42 (a b) c) S 1 1 1 0 -1 4 5 6 7 8 7 8 0 0 20"))
	require.Zero(t, ticksOf("42 (short) S 1"))
	require.Zero(t, ticksOf("42 (bad) S 1 1 1 0 -1 4 5 6 7 8 x 8"))
	require.Zero(t, processTicks(1<<30))
}
