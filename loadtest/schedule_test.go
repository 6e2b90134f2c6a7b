package loadtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var testNow = time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC)

func newTestSchedule(buyers int, change func(*RushOptions)) *schedule {
	opts := &RushOptions{
		Servers: []string{"http://a", "http://b"}, Sale: "spring", SKUs: []string{"phone", "case"},
		Crowd: make(Crowd, buyers), Rate: 100, Nonce: "n",
	}
	if change != nil {
		change(opts)
	}
	opts.setDefaults(testNow)
	return newSchedule(opts, testNow)
}

// drain takes every press and finishes it at once.
func drain(s *schedule) []press {
	var all []press
	for {
		p, ok := s.next()
		if !ok {
			return all
		}
		all = append(all, p)
		s.finish()
	}
}

func TestArrivalsKeepTheRateAndEveryBuyerPresses(t *testing.T) {
	presses := drain(newTestSchedule(1000, nil))
	require.Len(t, presses, 1000)
	skus := map[string]int{}
	for i, p := range presses {
		require.Equal(t, testNow.Add(time.Duration(i)*10*time.Millisecond), p.due)
		require.Equal(t, p.due, p.first)
		require.Equal(t, i, p.member)
		require.Equal(t, i%2, p.server)
		require.Equal(t, 1, p.attempt)
		require.Len(t, p.lines, 1)
		require.Equal(t, 1, p.lines[0].Quantity)
		skus[p.lines[0].SKU]++
	}
	require.InDelta(t, 500, skus["phone"], 100)
}

func TestRepeatsAreTheShareAskedForAndOfEveryKind(t *testing.T) {
	presses := drain(newTestSchedule(20_000, func(o *RushOptions) { o.Repeat, o.MaxQuantity = 1.0/3, 3 }))
	require.InDelta(t, 30_000, len(presses), 600)
	firsts := map[int]press{}
	var kinds [repeatKinds]int
	quantities := map[int]int{}
	for _, p := range presses {
		first, known := firsts[p.member]
		if !known {
			firsts[p.member] = p
			quantities[p.lines[0].Quantity]++
			continue
		}
		switch p.key {
		case first.key:
			kinds[repeatSameKey]++
			require.Equal(t, first.lines, p.lines, "the same press is the same request")
			require.NotEqual(t, first.server, p.server, "at another gateway")
		case "":
			kinds[repeatKeyless]++
		default:
			kinds[repeatNewKey]++
		}
		require.Equal(t, first.lines[0].SKU, p.lines[0].SKU)
	}
	require.Len(t, firsts, 20_000)
	for kind, n := range kinds {
		require.InDelta(t, 3333, n, 300, "kind %d", kind)
	}
	require.Len(t, quantities, 3)
}

func TestSameSeedSamePresses(t *testing.T) {
	mix := func(seed uint64) func(o *RushOptions) {
		return func(o *RushOptions) { o.Repeat, o.MaxQuantity, o.Seed = 0.5, 5, seed }
	}
	require.Equal(t, drain(newTestSchedule(500, mix(7))), drain(newTestSchedule(500, mix(7))))
	require.NotEqual(t, drain(newTestSchedule(500, mix(7))), drain(newTestSchedule(500, mix(8))))
}

func TestRetryComesBetweenArrivalsAtTheNextGateway(t *testing.T) {
	s := newTestSchedule(3, nil)
	first, ok := s.next()
	require.True(t, ok)
	s.retry(first, testNow.Add(15*time.Millisecond))
	rest := drain(s)
	require.Len(t, rest, 3)
	require.Equal(t, 1, rest[0].member)
	again := rest[1]
	require.Equal(t, first.key, again.key)
	require.Equal(t, 2, again.attempt)
	require.Equal(t, 1, again.server)
	require.Equal(t, first.first, again.first)
	require.Equal(t, testNow.Add(15*time.Millisecond), again.due)
	require.Equal(t, 2, rest[2].member)
}

func TestRushIsNotOverWhileAPressMayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSchedule(1, nil)
		p, ok := s.next()
		require.True(t, ok)
		taken := make(chan press)
		ended := make(chan struct{})
		go func() {
			for {
				again, ok := s.next()
				if !ok {
					close(ended)
					return
				}
				taken <- again
			}
		}()
		synctest.Wait() // the second worker waits: nothing is due, but one press is in flight
		s.retry(p, testNow)
		require.Equal(t, 2, (<-taken).attempt)
		synctest.Wait()
		s.finish()
		<-ended
	})
}

func TestStopEndsTheRush(t *testing.T) {
	s := newTestSchedule(100, nil)
	first, ok := s.next()
	require.True(t, ok)
	second, ok := s.next()
	require.True(t, ok)
	s.retry(first, testNow)
	s.stop()
	s.retry(second, testNow)
	require.Empty(t, drain(s), "neither arrivals nor retries")
}
