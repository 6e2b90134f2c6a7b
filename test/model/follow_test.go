package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// follow takes the steps whose labels begin with the words, the first such step each time, and returns where they lead.
func follow(t *testing.T, s Setup, words ...string) (*expansion, State) {
	t.Helper()
	x := newExpansion(&s)
	x.tracing = true
	state := s.start()
	for _, word := range words {
		var next *State
		var others []string
		x.visit = func(_ bool, to *State) {
			others = append(others, x.label)
			if next == nil && strings.HasPrefix(x.label, word) {
				copied := *to
				next = &copied
			}
		}
		from := state
		x.all(&from)
		require.NotNil(t, next, "no step %q among\n%s", word, strings.Join(others, "\n"))
		state = *next
		require.Empty(t, x.always(&state), word)
	}
	return x, state
}

// settled follows fair steps until none is left, the first one each time.
func settled(x *expansion, state State) State {
	for {
		var next *State
		x.visit = func(fair bool, to *State) {
			if fair && next == nil {
				copied := *to
				next = &copied
			}
		}
		from := state
		x.all(&from)
		if next == nil {
			return state
		}
		state = *next
	}
}

// TestDuplicateIsWhole: a call that is asked again after a loss may take more than the first time, at the same sequence and
// under the same first order. The way there is too long for a search of the small size, so it is followed.
func TestDuplicateIsWhole(t *testing.T) {
	for _, whole := range []bool{true, false} {
		setup := Setup{Buckets: 1, Stock: 3, Limit: 2, Batch: 2, Buyers: [][]Press{{{1, 0}}, {{1, 0}}, {{2, 0}, {1, 0}}}}.
			With(Unknown, Blind, Crash)
		if !whole {
			setup.Off = Without(DuplicateIsWhole)
		}
		x, state := follow(t, setup,
			"[0] (the replica",
			"[0] calls: order 1 of 2 for c",
			"[0] publishes", "[0] the gateway dies",
			"[0] calls for two, the answer is lost: order 2 of 1 for a (", // b is refused
			"[0] the relay reads: order 2", "[0] the relay publishes", "[0] settles", "[0] settles", "[0] the relay trims",
			"[0] REDIS GOES BACK to",
			"[1] calls: order 4 of 1 for c",
			"[0] asks again: order 2 of 1 for a and order 3 of 1 for b", "[0] publishes", "[0] settles: order 2")
		end := settled(x, state)
		if whole {
			require.Empty(t, x.atRest(&end))
		} else {
			require.Equal(t, "lost: order 3 was queued and has no row", string(x.atRest(&end)))
		}
	}
}
