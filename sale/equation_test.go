package sale

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEquation(t *testing.T) {
	for _, c := range []struct {
		name       string
		stock      Stock
		difference int64
		holds      bool
	}{
		{"nothing loaded", Stock{}, 0, true},
		{"all available", Stock{Loaded: 10, Available: 10}, 0, true},
		{"a unit everywhere", Stock{Loaded: 10, Available: 5, InFlight: 2, Settled: 4, Released: 1}, 0, true},
		{"sold twice over", Stock{Loaded: 10, Settled: 20, Released: 10}, 0, true},
		{"a unit is missing", Stock{Loaded: 10, Available: 9}, 1, false},
		{"a unit too many", Stock{Loaded: 10, Available: 9, Settled: 2}, -1, false},
		{"in flight below zero", Stock{Loaded: 10, Available: 9, InFlight: -1, Settled: 2}, 0, false},
		{"available below zero", Stock{Loaded: 10, Available: -1, Settled: 11}, 0, false},
		{"oversold but balanced", Stock{Loaded: 10, Available: 0, InFlight: -1, Settled: 11}, 0, false},
		{"released below zero", Stock{Loaded: 10, Available: 9, Released: -1}, 0, false},
		{"settled below zero", Stock{Loaded: 10, Available: 11, Settled: -1}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.difference, c.stock.Difference())
			assert.Equal(t, c.holds, c.stock.Holds())
		})
	}
}

// Difference must report one lost or doubled unit in any counter.
func TestEquationNoticesEverySingleUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawBalanced(t, "s")
		require.True(t, s.Holds())
		for name, counter := range map[string]*int64{
			"loaded": &s.Loaded, "available": &s.Available, "in flight": &s.InFlight, "settled": &s.Settled,
			"released": &s.Released,
		} {
			for _, by := range []int64{-1, 1} {
				*counter += by
				require.False(t, s.Holds(), "%s %+d", name, by)
				*counter -= by
			}
		}
	})
}

// A purchase, a settlement or a release of a unit does not change Difference.
func TestMovesKeepTheEquation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Stock{Loaded: rapid.Int64Range(0, 1000).Draw(t, "loaded")}
		s.Available = s.Loaded
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				n := rapid.Int64Range(0, s.Available).Draw(t, "n")
				s.Available, s.InFlight = s.Available-n, s.InFlight+n
			},
			"settle": func(t *rapid.T) {
				n := rapid.Int64Range(0, s.InFlight).Draw(t, "n")
				s.InFlight, s.Settled = s.InFlight-n, s.Settled+n
			},
			"release": func(t *rapid.T) {
				n := rapid.Int64Range(0, s.Settled-s.Released).Draw(t, "n")
				s.Released, s.Available = s.Released+n, s.Available+n
			},
			"raise": func(t *rapid.T) {
				n := rapid.Int64Range(0, 100).Draw(t, "n")
				s.Loaded, s.Available = s.Loaded+n, s.Available+n
			},
			"": func(t *rapid.T) { require.True(t, s.Holds(), "%+v", s) },
		})
	})
}

func TestSumOfBucketsHoldsWhenEachDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawBalanced(t, "a"), drawBalanced(t, "b")
		require.True(t, a.Add(b).Holds())
		require.Equal(t, a.Add(b), b.Add(a))
		require.Equal(t, a, a.Add(Stock{}))
		b.Available++
		require.Equal(t, int64(-1), a.Add(b).Difference())
	})
}

func TestStockAsJSON(t *testing.T) {
	text, err := json.Marshal(Stock{1, 2, 3, 4, 5})
	require.NoError(t, err)
	assert.JSONEq(t, `{"loaded":1,"available":2,"in_flight":3,"settled":4,"released":5}`, string(text))
}

func drawBalanced(t *rapid.T, label string) Stock {
	s := Stock{
		Available: rapid.Int64Range(0, MaxStock).Draw(t, label+" available"),
		InFlight:  rapid.Int64Range(0, MaxStock).Draw(t, label+" in flight"),
		Released:  rapid.Int64Range(0, MaxStock).Draw(t, label+" released"),
	}
	s.Settled = s.Released + rapid.Int64Range(0, MaxStock).Draw(t, label+" sold")
	s.Loaded = s.Available + s.InFlight + s.Settled - s.Released
	return s
}
