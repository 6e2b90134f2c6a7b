package pulse

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

// hands is a recorder and the pulses of some processes that count at a steady rate.
type hands struct {
	*Recorder
	at time.Time
}

func newHands() *hands {
	h := &hands{Recorder: NewRecorder(), at: noon}
	h.advance(h.at)
	return h
}

// gatewayPulse is the pulse of a gateway that began at noon.
func (h *hands) gatewayPulse(name string, presses map[string]sale.Presses) sale.Pulse {
	return sale.Pulse{
		Process: name, Role: sale.ProcessGateway, Version: "v1", Started: sale.Time{Time: noon.Add(-time.Hour)},
		At: sale.Time{Time: h.at}, Gateway: &sale.GatewayPulse{Sales: presses},
	}
}

func (h *hands) settlePulse(name string, s sale.SettlePulse) sale.Pulse {
	return sale.Pulse{
		Process: name, Role: sale.ProcessSettle, Started: sale.Time{Time: noon.Add(-time.Hour)}, At: sale.Time{Time: h.at},
		Settle: &s,
	}
}

// each lets a second pass before every one of n units of work.
func (h *hands) each(n int, unit func(second int64)) {
	for i := range n {
		h.at = h.at.Add(time.Second)
		h.advance(h.at)
		unit(int64(i + 1))
	}
}

// presses is what a gateway counts in so many seconds: 10 queued, 2 held, 30 sold out, 1 replayed a second.
func presses(seconds int64) map[string]sale.Presses {
	return map[string]sale.Presses{
		"s": {"queued": 1000 + 10*seconds, "held": 2 * seconds, "sold_out": 30 * seconds, "replayed": seconds},
	}
}

func TestRatesOfAllGatewaysTogether(t *testing.T) {
	h := newHands()
	none := h.Rates("s")
	require.False(t, none.PressesPerS.Known())
	require.Nil(t, none.RefusedPerS)
	require.False(t, none.RowsPerS.Known())
	h.each(3, func(second int64) {
		h.hear(h.gatewayPulse("a", presses(second)))
		h.hear(h.gatewayPulse("b", presses(second)))
		h.hear(h.settlePulse("c", sale.SettlePulse{LagRecords: 7, Rows: 500 * second}))
		waiting, oldest := int64(3), 1.5
		h.hear(h.settlePulse("d", sale.SettlePulse{LagRecords: 2, Rows: 100, EventsWaiting: &waiting, OldestJournalS: &oldest}))
	})
	rates := h.Rates("s")
	require.InDelta(t, 86, float64(rates.PressesPerS), 1e-9)
	require.InDelta(t, 24, float64(rates.OrdersPerS), 1e-9, "queued and held; a replayed answer is no new order")
	require.Equal(t, map[string]sale.Number{"sold_out": 60}, rates.RefusedPerS)
	require.InDelta(t, 60, float64(rates.RefusedTotal()), 1e-9)
	require.InDelta(t, 9, float64(rates.SettleLagRecords), 0)
	require.InDelta(t, 500, float64(rates.RowsPerS), 1e-9)
	require.InDelta(t, 3, float64(rates.EventsWaiting), 0)
	require.InDelta(t, 1.5, float64(rates.OldestHeldS), 0)
	require.Zero(t, h.Rates("another").PressesPerS, "nobody presses there, and that is known")
	h.each(4, func(int64) {})
	require.False(t, h.Rates("s").PressesPerS.Known(), "no pulse for longer than freshFor")
}

// A pulse that comes twice, late or after a gap neither repeats nor loses counts.
func TestPulsesInAnyRhythm(t *testing.T) {
	h := newHands()
	h.each(1, func(int64) { h.hear(h.gatewayPulse("a", presses(1))) })
	late := h.gatewayPulse("a", presses(1))
	h.each(2, func(int64) { h.hear(late) })
	h.each(1, func(int64) { h.hear(h.gatewayPulse("a", presses(4))) })
	require.InDelta(t, 43, float64(h.Rates("s").PressesPerS), 1e-9, "counts of three seconds, divided by three")
	h.hear(late)
	require.InDelta(t, 43, float64(h.Rates("s").PressesPerS), 1e-9)
}

func TestHistoryInSteps(t *testing.T) {
	h := newHands()
	h.each(21, func(second int64) {
		p := h.gatewayPulse("a", presses(second))
		if second > 10 {
			p.Gateway.Sales["s"]["paused"] = 5 * (second - 10)
		}
		p.Gateway.Latency = make(sale.Latency, sale.LatencyBuckets)
		p.Gateway.Latency[7] = 100 * second // 5 to 10 ms
		h.hear(p)
		h.hear(h.settlePulse("c", sale.SettlePulse{LagRecords: second}))
	})
	got := h.History("s")
	require.Equal(t, 5, got.StepS)
	require.Equal(t, noon.Add(20*time.Second-15*time.Minute), got.From.Time)
	require.Len(t, got.Presses, 180)
	require.False(t, got.Presses[175].Known(), "before the recorder began")
	for i, refused := range []float64{0, 0, 4, 5} {
		at := 176 + i
		require.InDelta(t, 12, float64(got.Orders[at]), 1e-9, at)
		require.InDelta(t, 30, float64(got.Refused["sold_out"][at]), 1e-9, at)
		require.InDelta(t, refused, float64(got.Refused["paused"][at]), 1e-9, at)
		require.InDelta(t, 7.5, float64(got.P50MS[at]), .01)
		require.InDelta(t, 9.95, float64(got.P99MS[at]), .01)
	}
	require.False(t, got.EventsWaiting[179].Known(), "no process said so")
	require.InDelta(t, 19, float64(got.SettleLag[179]), 0, "as the last pulse of the step says")
	other := h.History("other")
	require.Zero(t, other.Presses[179])
	require.Empty(t, other.Refused)

	encoded, err := json.Marshal(got)
	require.NoError(t, err)
	require.Contains(t, string(encoded), `"settle_lag_records":[null,null,`)
}

// The ring has the last 15 minutes, however long the process runs; steps in which it did not run are unknown.
func TestHistoryIsBounded(t *testing.T) {
	h := newHands()
	h.each(2000, func(second int64) { h.hear(h.gatewayPulse("a", presses(second))) })
	for i, n := range h.History("s").Presses {
		require.InDelta(t, 43, float64(n), 1e-9, i)
	}
	h.at = h.at.Add(5 * time.Minute) // stopped, and counting went on elsewhere
	h.each(11, func(second int64) { h.hear(h.gatewayPulse("a", presses(2301+second))) })
	got := h.History("s").Presses
	require.InDelta(t, 43, float64(got[179]), 1e-9)
	require.False(t, got[150].Known())
	require.InDelta(t, 43, float64(got[100]), 1e-9)
	h.at = noon
	h.advance(h.at)
	require.False(t, h.History("s").Presses[179].Known(), "the clock was set back: the steps begin anew")
	require.False(t, h.Rates("s").PressesPerS.Known())
}

// A process that began after the recorder counts from its start; one that was there before, from its first pulse. Counters that
// fall have begun anew.
func TestCountersThatBeginAnew(t *testing.T) {
	h := newHands()
	h.each(4, func(second int64) {
		if second < 3 {
			return
		}
		late := h.gatewayPulse("late", map[string]sale.Presses{"s": {"queued": 10 * (second - 1)}})
		late.Started = sale.Time{Time: noon.Add(time.Second)}
		h.hear(late)
		h.hear(h.gatewayPulse("early", map[string]sale.Presses{"s": {"queued": 5000}}))
	})
	h.each(1, func(int64) {})
	require.InDelta(t, 7.5, float64(h.History("s").Orders[179]), 1e-9,
		"30 by its pulse at second 4 of the step in which it began, and none of the early one's 5,000")
	require.Equal(t, int64(4), since(4, 9))
	require.Equal(t, int64(5), since(9, 4))
}

// A sale that moves between those with counts of their own and the others does not jump.
func TestSalesBeyondTheBusiest(t *testing.T) {
	before := sale.GatewayPulse{Sales: map[string]sale.Presses{"a": {"queued": 5}}, Other: sale.Presses{"queued": 1000}}
	now := sale.GatewayPulse{Sales: map[string]sale.Presses{"b": {"queued": 400}}, Other: sale.Presses{"queued": 700}}
	require.Empty(t, pressesSince(&now, &before, "b"), "it was among the others")
	require.Empty(t, pressesSince(&now, &before, "a"))
	before.Other = nil
	require.Equal(t, sale.Presses{"queued": 400}, pressesSince(&now, &before, "b"), "nobody had pressed before")
}

func TestProcesses(t *testing.T) {
	h := newHands()
	require.Empty(t, h.Processes())
	h.each(2, func(second int64) {
		waits := h.settlePulse("z", sale.SettlePulse{})
		waits.Waiting = map[string]string{"kafka": "not reached yet"}
		h.hear(waits)
		h.hear(h.gatewayPulse("b", nil))
		if second == 1 {
			h.hear(h.gatewayPulse("a", nil))
		}
	})
	require.Equal(t, []sale.Process{
		{Name: "a", Role: "gateway", Version: "v1", SeenMSAgo: 1000, Ready: true, Waiting: map[string]string{}},
		{Name: "b", Role: "gateway", Version: "v1", SeenMSAgo: 0, Ready: true, Waiting: map[string]string{}},
		{Name: "z", Role: "settle", SeenMSAgo: 0, Waiting: map[string]string{"kafka": "not reached yet"}},
	}, h.Processes())
	h.keepOnly("gateway:b", map[string]string{"settle:z": ""})
	require.Len(t, h.Processes(), 2, "a has deleted its pulse")
}

// Memory is bounded by processes and sales: a recorder of ten gateways with a hundred sales each, all pressed.
func TestMemoryOfARecorder(t *testing.T) {
	h := newHands()
	h.each(300, func(second int64) {
		for g := range 3 {
			sales := map[string]sale.Presses{}
			for i := range sale.MaxPulseSales {
				sales[fmt.Sprint("sale-", i)] = sale.Presses{"queued": second, "sold_out": second}
			}
			h.hear(h.gatewayPulse(fmt.Sprint(g), sales))
		}
	})
	for i := range h.steps {
		require.LessOrEqual(t, len(h.steps[i].sales), 3*sale.MaxPulseSales)
	}
	for _, p := range h.processes {
		require.LessOrEqual(t, len(p.recent), recentPulses)
	}
}
