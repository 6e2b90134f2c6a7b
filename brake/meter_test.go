package brake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func known[T any](at time.Time, value T) timed[T] { return timed[T]{true, value, at} }

// sampleAt is a sample of one partition in which so many records with so many orders have settled.
func sampleAt(seconds float64, settled, orders, end, events, journal int64) sample {
	at := begin.Add(time.Duration(seconds * float64(time.Second)))
	return sample{
		at:      at,
		headway: known(at, map[int32]sale.Headway{0: {Partition: 0, Next: settled, Orders: orders}}),
		ends:    known(at, map[int32]int64{0: end}), events: known(at, events), journal: known(at, journal),
	}
}

// partitionsAt is a sample of settlement alone.
func partitionsAt(seconds int, headway map[int32]sale.Headway, ends map[int32]int64) sample {
	at := begin.Add(time.Duration(seconds) * time.Second)
	return sample{at: at, headway: known(at, headway), ends: known(at, ends)}
}

func TestTheFirstSampleKnowsNoDrain(t *testing.T) {
	var m meter
	require.Equal(t, levels{{true, 400, unknown}, {true, 70, unknown}, {true, 5, unknown}},
		m.add(sampleAt(0, 10, 200, 30, 70, 5)), "20 records wait, with 20 orders each as all before")
	var empty meter
	require.Equal(t, level{true, 30, unknown}, empty.add(partitionsAt(0, nil, map[int32]int64{0: 20, 1: 10}))[0],
		"nothing has settled: a record has an order at least")
}

func TestWhatDrains(t *testing.T) {
	var m meter
	m.add(sampleAt(0, 10, 200, 30, 100, 50))
	seen := m.add(sampleAt(2, 20, 1200, 70, 300, 40))
	require.Equal(t, level{true, 50 * 100, 500}, seen[0], "50 records wait, with the 100 orders each of those that settled last")
	require.Equal(t, level{true, 300, 400}, seen[1], "500 a second settled, and the events of 100 of them stayed")
	require.Equal(t, level{true, 40, 2000}, seen[2], "Kafka took 20 records a second")

	seen = m.add(sampleAt(2.5, 20, 1200, 70, 2300, 40))
	require.Equal(t, level{true, 5000, 400}, seen[0], "nothing settled lately: the mean of a record stays")
	require.Equal(t, level{true, 2300, 0}, seen[1], "the events of more orders than settled: those of payments")
	seen = m.add(sampleAt(5, 20, 1200, 70, 2300, 40))
	require.Zero(t, seen[0].drain, "the window has passed what settled before")
	require.Equal(t, 100.0, m.perRecord)
}

// A part that could not be read is not known, and the next reading of it counts from the last one that was read.
func TestPartsThatCouldNotBeRead(t *testing.T) {
	var m meter
	m.add(sampleAt(0, 10, 100, 20, 10, 1))
	require.Equal(t, levels{{false, 0, unknown}, {false, 0, unknown}, {false, 0, 0}}, m.add(sample{at: begin.Add(time.Second)}),
		"Kafka that does not answer takes nothing")
	seen := m.add(sampleAt(2, 14, 140, 24, 10, 1))
	require.Equal(t, levels{{true, 100, 20}, {true, 10, 20}, {true, 1, 20}}, seen)
}

func TestAMeterForgetsWhatIsLongAgo(t *testing.T) {
	var m meter
	m.add(sampleAt(0, 10, 100, 20, 10, 1))
	seen := m.add(sampleAt(60, 20, 200, 20, 10, 1))
	require.EqualValues(t, unknown, seen[0].drain, "the mean of a minute says nothing about now")
	for second := range 100 {
		m.add(sampleAt(61+float64(second), 20, 200, 20, 10, 1))
	}
	require.LessOrEqual(t, len(m.samples), 5)
}

func TestPartitionsComeAndGo(t *testing.T) {
	var m meter
	m.add(partitionsAt(0, nil, map[int32]int64{0: 8}))
	seen := m.add(partitionsAt(1, map[int32]sale.Headway{0: {Next: 4, Orders: 40}}, map[int32]int64{0: 8, 1: 3}))
	require.Equal(t, level{true, 70, 40}, seen[0])
	require.EqualValues(t, 30, seen[2].drain)
	seen = m.add(partitionsAt(2, map[int32]sale.Headway{0: {Next: 1, Orders: 5}}, map[int32]int64{0: 2}))
	require.GreaterOrEqual(t, seen[0].drain, 0.0, "another topic counts from its beginning")
	require.GreaterOrEqual(t, seen[2].drain, 0.0)
}

// A part of an earlier unit keeps its time: the rate is that between the answers, not between the units.
func TestALateAnswerKeepsItsTime(t *testing.T) {
	var m meter
	first := sampleAt(0, 10, 100, 20, 10, 1)
	m.add(first)
	late := sampleAt(1, 20, 200, 20, 10, 1)
	late.headway = first.headway
	require.EqualValues(t, unknown, m.add(late)[0].drain, "there is one answer only")
	late = sampleAt(2, 20, 200, 20, 10, 1)
	late.headway.at = begin.Add(time.Second)
	require.EqualValues(t, 100, m.add(late)[0].drain)
}
