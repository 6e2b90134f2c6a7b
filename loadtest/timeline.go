package loadtest

import (
	"math"
	"math/bits"
	"time"

	"flashsale/sale"
)

// Bounds of a timeline. When a rush lasts longer than its slots, every two slots become one of twice the time, so that a
// timeline takes at most a megabyte.
const (
	timelineSlots = 240
	timelineStep  = 100 * time.Millisecond // of the first slots
)

// Timeline is a rush in steps of equal time.
type Timeline struct {
	step   time.Duration
	slots  []slot
	orders map[sale.OrderID]struct{} // those that buyers were told, each once
}

// slot is what happened in one step.
type slot struct {
	sent     int64 // attempts that left
	answered int64
	orders   int64 // told to a buyer for the first time
	codes    map[string]int64
	latency  latencyBins // of the answers
}

func newTimeline() *Timeline {
	return &Timeline{step: timelineStep, orders: map[sale.OrderID]struct{}{}}
}

// at returns the slot of a moment after the start.
func (t *Timeline) at(since time.Duration) *slot {
	since = max(since, 0)
	for since >= t.step*timelineSlots {
		t.halve()
	}
	for n := int(since / t.step); len(t.slots) <= n; {
		t.slots = append(t.slots, slot{codes: map[string]int64{}})
	}
	return &t.slots[since/t.step]
}

// halve makes one slot of every two.
func (t *Timeline) halve() {
	t.step *= 2
	for i := range t.slots {
		if i%2 == 1 {
			t.slots[i/2].add(&t.slots[i])
		} else {
			t.slots[i/2] = t.slots[i]
		}
	}
	t.slots = t.slots[:(len(t.slots)+1)/2]
}

func (s *slot) add(other *slot) {
	s.sent += other.sent
	s.answered += other.answered
	s.orders += other.orders
	for code, n := range other.codes {
		s.codes[code] += n
	}
	s.latency.add(&other.latency)
}

// count adds one answer. left and arrived are the moments of its attempt after the start of the rush.
func (t *Timeline) count(told *Told, left, arrived time.Duration) {
	t.at(left).sent++
	s := t.at(arrived)
	if told.Status != 0 {
		s.answered++
	}
	s.codes[told.Code]++
	s.latency.record(told.LatencyUS)
	if _, known := t.orders[told.orderID]; told.orderID != 0 && !known && told.kind() == kindOrder {
		t.orders[told.orderID] = struct{}{}
		s.orders++
	}
}

// latencyBins count latencies in bins that grow by an eighth of a power of two: a value is read with an error of 6 % at most.
type latencyBins [binCount]uint32

const (
	binDigits = 3 // each power of two has 2^binDigits bins
	binCount  = 27 << binDigits
)

// binOf returns the bin of a latency in microseconds; the last bin has all that take more than eight minutes.
func binOf(us int64) int {
	v := uint64(max(us, 1))
	power := bits.Len64(v) - 1
	if power < binDigits {
		return int(v)
	}
	return min((power-binDigits+1)<<binDigits+int(v>>(power-binDigits))&(1<<binDigits-1), binCount-1)
}

// binStart returns the smallest latency of a bin in microseconds.
func binStart(bin int) float64 {
	if bin < 1<<binDigits {
		return float64(bin)
	}
	power, part := bin>>binDigits-1, bin&(1<<binDigits-1)
	return float64(uint64(1<<binDigits+part) << power)
}

func (b *latencyBins) record(us int64) { b[binOf(us)]++ }

func (b *latencyBins) add(other *latencyBins) {
	for i, n := range other {
		b[i] += n
	}
}

func (b *latencyBins) total() (n int64) {
	for _, in := range b {
		n += int64(in)
	}
	return n
}

// quantile returns a latency in milliseconds that at least the share q of the latencies do not exceed, by the middle of its
// bin; not a number without any latency.
func (b *latencyBins) quantile(q float64) float64 {
	total := b.total()
	if total == 0 {
		return math.NaN()
	}
	rank, seen := max(int64(math.Ceil(q*float64(total))), 1), int64(0)
	for bin, n := range b {
		if seen += int64(n); seen >= rank {
			return (binStart(bin) + binStart(bin+1)) / 2 / 1000
		}
	}
	return math.NaN() // not reached: the last rank is at most the total
}
