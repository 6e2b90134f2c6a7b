package brake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

var begin = time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)

// rowsOf is a measurement of rows alone, the other levels are known and empty.
func rowsOf(waiting int64, drain float64) levels {
	return levels{{true, waiting, drain}, {true, 0, 0}, {true, 0, 0}}
}

func TestTheLaw(t *testing.T) {
	all := Bounds{Rows: 1000, Events: 2000, Journal: 500}
	missing := level{drain: unknown}
	for _, c := range []struct {
		what     string
		bounds   Bounds
		gateways int64
		steps    []levels // one a second
		want     []int64  // of all gateways; 0: no brake
		reason   sale.BrakeReason
	}{
		{"without bounds nothing is slowed", Bounds{}, 2, []levels{{{true, 1e9, 1}, {true, 1e9, 1}, {true, 1e9, 1}}},
			[]int64{0}, ""},
		{"at the bound nothing is slowed", all, 2, []levels{rowsOf(1000, 100)}, []int64{0}, ""},
		{"above the bound it is", all, 1, []levels{rowsOf(1001, 100)}, []int64{79}, sale.BrakeRows},
		{"twice the bound: half the rate", all, 1, []levels{rowsOf(2000, 100)}, []int64{40}, sale.BrakeRows},
		{"it needs to know what drains", all, 2, []levels{rowsOf(5000, unknown), rowsOf(2000, 100)},
			[]int64{0, 40}, sale.BrakeRows},
		{"until half of the bound", all, 2, []levels{
			rowsOf(1001, 100), rowsOf(900, 100), rowsOf(700, 100), rowsOf(600, 100), rowsOf(500, 100), rowsOf(500, 100),
			rowsOf(499, 100),
		}, []int64{78, 80, 80, 80, 80, 80, 0}, sale.BrakeRows},
		{"for five seconds at least, and then not any more", all, 1, []levels{
			rowsOf(1001, 100), rowsOf(0, 100), rowsOf(0, 100), rowsOf(0, 100), rowsOf(0, 100), rowsOf(0, 100), rowsOf(0, 100),
		}, []int64{79, 79, 79, 79, 79, 0, 0}, sale.BrakeRows},
		{"what lags again within the hold", all, 1, []levels{rowsOf(1001, 100), rowsOf(0, 100), rowsOf(4000, 100)},
			[]int64{79, 79, 20}, sale.BrakeRows},
		{"nothing drains: one a second for each gateway", all, 3, []levels{rowsOf(1e6, 0)}, []int64{3}, sale.BrakeRows},
		{"no gateway reports: as for one", all, 0, []levels{rowsOf(1e6, 0), rowsOf(2000, 100)}, []int64{1, 40}, sale.BrakeRows},
		{"the gateways share", all, 3, []levels{rowsOf(1000, 200), rowsOf(1001, 200)}, []int64{0, 159}, sale.BrakeRows},
		{"events", all, 1, []levels{{{true, 0, 0}, {true, 4000, 100}, {true, 0, 0}}}, []int64{40}, sale.BrakeEvents},
		{"a journal", all, 1, []levels{{{true, 0, 0}, {true, 0, 0}, {true, 501, 0}}}, []int64{1}, sale.BrakeJournal},
		{"the lowest rate counts", all, 1, []levels{{{true, 2000, 100}, {true, 4000, 10}, {true, 1000, 50}}},
			[]int64{4}, sale.BrakeEvents},
		{"what has no bound does not count", Bounds{Rows: 1000}, 1,
			[]levels{{{true, 2000, 100}, {true, 9000, 1}, {true, 900, 1}}}, []int64{40}, sale.BrakeRows},
		{"what is not measured stays as it is", all, 1, []levels{
			rowsOf(2000, 100), {missing, missing, missing}, {missing, {true, 0, 0}, {true, 0, 0}}, rowsOf(3000, 60),
		}, []int64{40, 40, 40, 16}, sale.BrakeRows},
		{"what was never measured slows nothing", all, 1, []levels{{missing, missing, missing}}, []int64{0}, ""},
		{"a bound of one order", Bounds{Rows: 1}, 1, []levels{
			rowsOf(1, 9), rowsOf(2, 9), rowsOf(1, 9), rowsOf(1, 9), rowsOf(1, 9), rowsOf(1, 9), rowsOf(0, 9),
		}, []int64{0, 3, 7, 7, 7, 7, 0}, sale.BrakeRows},
	} {
		t.Run(c.what, func(t *testing.T) {
			l := law{bounds: c.bounds}
			var last *sale.Brake
			for i, seen := range c.steps {
				b := l.next(begin.Add(time.Duration(i)*time.Second), seen, c.gateways)
				if c.want[i] == 0 {
					require.Nil(t, b, "step %d", i)
					continue
				}
				require.NotNil(t, b, "step %d", i)
				require.Equal(t, c.want[i], b.PerSecond, "step %d", i)
				require.Equal(t, b.PerSecond, b.PerGateway*max(1, c.gateways), "step %d", i)
				last = b
			}
			if c.reason != "" {
				require.Equal(t, c.reason, last.Reason)
			}
		})
	}
}

// Another governor goes on with the brake that it finds, also before it knows what drains.
func TestTheLawGoesOn(t *testing.T) {
	l := law{bounds: Bounds{Rows: 1000}}
	l.goOn(begin, &sale.Brake{Reason: sale.BrakeRows, PerSecond: 60, PerGateway: 20})
	b := l.next(begin, rowsOf(800, unknown), 3)
	require.Equal(t, &sale.Brake{Reason: sale.BrakeRows, PerSecond: 60, PerGateway: 20}, b)
	require.EqualValues(t, 30, l.next(begin.Add(time.Second), rowsOf(800, 40), 3).PerSecond)
	require.Nil(t, l.next(begin.Add(5*time.Second), rowsOf(400, 40), 3))

	l = law{bounds: Bounds{Rows: 1000}}
	l.goOn(begin, &sale.Brake{Reason: sale.BrakeEvents, PerSecond: 60})
	require.NotNil(t, l.next(begin, rowsOf(0, 10), 1))
	require.Nil(t, l.next(begin.Add(minHold), rowsOf(0, 10), 1), "its reason has no bound any more")
}

// queue is a model of one place where orders wait: buyers add what demand and brake allow, and the place drains by its
// capacity. Gateways let up to a half more pass than the brake says.
type queue struct {
	waiting  float64
	drained  float64 // in the last second
	capacity float64
}

func (q *queue) second(demand float64, b *sale.Brake, excess float64) {
	inflow := demand
	if b != nil {
		inflow = min(demand, float64(b.PerSecond)*excess)
	}
	q.drained = min(q.waiting+inflow, q.capacity)
	q.waiting += inflow - q.drained
}

// TestTheLawBoundsAQueue: whatever the demand and the capacity, the brake never stops a sale, lasts its hold, begins only
// above the bound, and ends only after less than half of it has waited and no more than the bound has since. Beyond five
// quarters of the bound the queue shrinks from second to second, but for the one purchase of each gateway that always passes.
// When demand ends and something drains, the brake ends.
func TestTheLawBoundsAQueue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &model{
			r: r, bound: rapid.Int64Range(10, 1_000_000).Draw(r, "bound"), gateways: rapid.Int64Range(1, 9).Draw(r, "gateways"),
			excess: rapid.Float64Range(0.5, 1.5).Draw(r, "excess"),
		}
		m.law.bounds.Rows = m.bound
		for range rapid.IntRange(1, 5).Draw(r, "phases") {
			demand := rapid.Float64Range(0, 50_000).Draw(r, "demand")
			m.capacity = rapid.Float64Range(0, 50_000).Draw(r, "capacity")
			m.second(demand)
			for range rapid.IntRange(0, 60).Draw(r, "seconds") {
				before, braked := m.waiting, m.brake != nil
				m.second(demand)
				if braked && before > 1.25*float64(m.bound) {
					require.LessOrEqual(r, m.waiting, before+float64(m.gateways)*m.excess)
				}
			}
		}
		for m.capacity = float64(m.bound)/4 + 50_000; m.brake != nil; {
			m.second(0)
			require.Less(r, m.at, 1000, "it ends")
		}
	})
}

// TestAReasonEndsWithinTheHold: less than half of the bound has waited, so the reason is gone; that a few more wait when the hold
// is over does not bring it back.
func TestAReasonEndsWithinTheHold(t *testing.T) {
	l := law{bounds: Bounds{Rows: 10}}
	for second, waiting := range []int64{11, 4, 6, 6, 6} {
		require.NotNil(t, l.next(begin.Add(time.Duration(second)*time.Second), rowsOf(waiting, 2), 1), "second %d", second)
	}
	require.Nil(t, l.next(begin.Add(minHold), rowsOf(6, 2), 1))
	require.NotNil(t, l.next(begin.Add(minHold+time.Second), rowsOf(11, 2), 1), "more than the bound does")
}

// model is the law with a queue of rows.
type model struct {
	queue
	r               *rapid.T
	bound, gateways int64
	excess          float64
	law             law
	brake           *sale.Brake
	at, began       int  // seconds
	low             bool // less than half of the bound has waited since more than it did
}

func (m *model) second(demand float64) {
	m.queue.second(demand, m.brake, m.excess)
	before, waiting := m.brake, int64(m.waiting)
	m.low = waiting <= m.bound && (m.low || 2*waiting < m.bound+1)
	m.at++
	m.brake = m.law.next(begin.Add(time.Duration(m.at)*time.Second), rowsOf(waiting, m.drained), m.gateways)
	switch {
	case before == nil && m.brake != nil:
		require.Greater(m.r, waiting, m.bound)
		m.began = m.at
	case before != nil && m.brake == nil:
		require.True(m.r, m.low, "%d wait", waiting)
		require.GreaterOrEqual(m.r, time.Duration(m.at-m.began)*time.Second, minHold)
	case m.brake == nil:
		require.LessOrEqual(m.r, waiting, m.bound)
	}
	if m.brake == nil {
		return
	}
	require.GreaterOrEqual(m.r, m.brake.PerGateway, int64(1))
	if waiting > m.bound {
		require.LessOrEqual(m.r, float64(m.brake.PerSecond), max(share*m.drained, float64(m.gateways)), "less than what drains")
	}
}
