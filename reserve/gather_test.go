package reserve

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// gatherer is a flow on a shelf whose batches hold eight, without any server.
func gatherer() *flow {
	e := &Engine{EngineOptions: EngineOptions{BatchMaxOrders: 8, BatchMaxWait: 5 * time.Millisecond}, gate: newGate()}
	return &flow{shelf: &shelf{engine: e, flows: 1, enough: make(chan struct{}, 1)}}
}

func (f *flow) lay(t *testing.T, n int) {
	t.Helper()
	for range n {
		_, refused := f.put(&request{done: make(chan struct{}, 1)})
		require.False(t, refused)
	}
}

// A flow waits while three quarters of a batch are under way, until seven eighths of those wait or its time is over, and it
// counts the time since its last batch began.
func TestGather(t *testing.T) {
	for _, c := range []struct {
		name                  string
		last, waiting, coming int
		since, want           time.Duration
	}{
		{name: "few are under way", last: 4, waiting: 1},
		{name: "three quarters are under way and come back", last: 4, waiting: 2, coming: 3, want: time.Millisecond},
		{name: "those under way do not come back", last: 6, want: 5 * time.Millisecond},
		{name: "not all of them come back", last: 6, coming: 4, want: 5 * time.Millisecond},
		{name: "the last batch took a while", last: 6, since: 3 * time.Millisecond, want: 2 * time.Millisecond},
		{name: "the last batch took longer than anybody waits", last: 6, since: 6 * time.Millisecond},
		{name: "enough wait already", last: 1, waiting: 7},
		{name: "more than a batch is under way", last: 8, waiting: 4, coming: 4, want: time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := gatherer()
				f.lay(t, c.waiting)
				began := time.Now()
				go func() {
					pause(t.Context(), time.Millisecond)
					f.lay(t, c.coming)
				}()
				f.gather(c.last, began.Add(-c.since))
				require.Equal(t, c.want, time.Since(began))
				synctest.Wait()
				require.Zero(t, f.wanted)
				require.Empty(t, f.enough, "no word is left for the next time")
				require.Equal(t, 1, f.flows, "who comes meanwhile starts no other flow")
				pause(t.Context(), 2*time.Millisecond)
			})
		})
	}
}

// Where another flow works, or waiting is switched off, nothing waits.
func TestGatherAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := gatherer()
		f.flows = 2
		f.gather(8, began)
		f = gatherer()
		f.engine.BatchMaxWait = 0
		f.gather(8, began)
		require.Equal(t, began, time.Now())
	})
}

// The word that enough wait and the end of the time may come together: neither is lost, and none is left over.
func TestExpectNoMoreTakesTheWordBack(t *testing.T) {
	f := gatherer()
	require.True(t, f.expect(6))
	f.lay(t, 5)
	require.Len(t, f.enough, 1)
	f.expectNoMore()
	require.Empty(t, f.enough)
	require.True(t, f.expect(8))
	f.expectNoMore()
	require.Zero(t, f.wanted)
	f.lay(t, 2)
	require.Empty(t, f.enough)
}

// Buyers who press again as soon as they are answered fill their batches: of 64 that press at once, batches of 64 gather more
// than half a batch each, and everybody gets a unit.
func TestEngineGathersFullerBatches(t *testing.T) {
	const crowd, rounds = 64, 20
	w := newWorld(t, func(o *EngineOptions) { o.BatchMaxOrders, o.BatchMaxWait = crowd, 50*time.Millisecond })
	b := w.stock("phone", crowd*rounds, 1)
	taken := make(chan int, crowd)
	for _, buyer := range buyers("crowd", crowd) {
		go func() {
			n := 0
			for _, again := range buyers(buyer, rounds) {
				if w.buy(b, again).Outcome == sale.OutcomeQueued {
					n++
				}
			}
			taken <- n
		}()
	}
	total := 0
	for range crowd {
		total += <-taken
	}
	require.Equal(t, crowd*rounds, total)
	require.LessOrEqual(t, len(w.kafka.batches()), 2*rounds+2)
}
