package buyers

import (
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

func ofOne(*rand.Rand) int { return 1 }

func TestARushRepeatsAThirdOfItsPresses(t *testing.T) {
	rush := Rush{Sale: "s", SKUs: []string{"a", "b"}, Buyers: 1000, Repeats: 500, Quantity: ofOne}
	list := rush.Presses(1, 2)
	require.Len(t, list, 1500)
	seen := map[string]int{}
	for _, p := range list {
		seen[p.Buyer]++
	}
	require.Len(t, seen, 1000, "every buyer presses")
	require.Equal(t, list, rush.Presses(1, 2), "the seed decides")
}

// TestPressesOfSeveralLines: the SKUs of a press are distinct, and a repeat has the same lines.
func TestPressesOfSeveralLines(t *testing.T) {
	rush := Rush{Sale: "s", SKUs: []string{"a", "b", "c"}, Buyers: 300, Repeats: 100, Quantity: ofOne,
		Lines: func(random *rand.Rand) int { return 1 + random.IntN(5) }}
	counts := map[int]int{}
	of := map[string]string{}
	for _, p := range rush.Presses(1, 2) {
		skus := map[string]bool{}
		for _, line := range p.Wanted() {
			skus[line.SKU] = true
		}
		require.Len(t, p.Wanted(), len(skus))
		counts[len(skus)]++
		if of[p.Buyer] == "" {
			of[p.Buyer] = history.LinesText(p.Wanted())
		}
		require.Equal(t, of[p.Buyer], history.LinesText(p.Wanted()))
	}
	require.Len(t, counts, 3)
}

// TestAPressOfSeveralLinesAsksForLess: of the line that the refusal names.
func TestAPressOfSeveralLinesAsksForLess(t *testing.T) {
	op := history.Op{Question: history.Question{Verb: history.Buy, Sale: "s", Buyer: "b", Key: "k", Lines: "a:3,b:2"},
		Answer: history.Answer{End: history.Refused, Code: "not_enough", NamedSKU: "b", Available: 1}}
	require.Equal(t, history.Question{Verb: history.Buy, Sale: "s", Buyer: "b", Lines: "a:3,b:1", Gateway: 1}, next(&op, 2))
}

// TestARushEndsWhenNothingIsLeftToRepeat: perhaps is repeated with its key at the other gateway, fewer is asked for without
// it, and hooks run once each.
func TestARushEndsWhenNothingIsLeftToRepeat(t *testing.T) {
	g := newGateway(t)
	g.answers = []reply{
		{http.StatusGatewayTimeout, `{"code":"unknown","status":504,"order_id":"7"}`},
		{http.StatusConflict, `{"code":"not_enough","status":409,"available":1}`},
		{http.StatusAccepted,
			`{"order_id":"7","status":"queued","sku":"a","quantity":1,"created_at":"2026-01-02T03:04:05.678Z"}`},
	}
	c := NewCrowd(g.deployment(2), &history.Recorder{})
	taken := 0
	c.OnTaken(1, func() { taken++ })
	require.NoError(t, c.Rush([]history.Question{{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b", Key: "k", Quantity: 2}}))
	ops := c.Out.Ops()
	require.Len(t, ops, 3)
	assert.Equal(t, []int{0, 1, 0}, []int{ops[0].Gateway, ops[1].Gateway, ops[2].Gateway})
	assert.Equal(t, history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b", Quantity: 1}, ops[2].Question)
	assert.Equal(t, "7", ops[2].Order().Order)
	assert.Equal(t, 1, taken)
	assert.Equal(t, map[string]int{"unknown": 1, "not_enough": 1, "queued": 1}, history.Words(ops))
}

func TestARushRefusesWhatItCannotRead(t *testing.T) {
	g := newGateway(t)
	g.answers = []reply{{http.StatusAccepted, "no JSON"}}
	c := NewCrowd(g.deployment(1), &history.Recorder{})
	require.Error(t, c.Rush([]history.Question{{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b"}}))
}

func TestPacedTrafficEndsWithItsBuyers(t *testing.T) {
	g := newGateway(t)
	c := NewCrowd(g.deployment(1), &history.Recorder{})
	c.Connections = 2
	c.Paced(1000, "s", "a", 5, nil)
	assert.Equal(t, 5, c.Out.Ended())
	stop := make(chan struct{})
	close(stop)
	c.Paced(1, "s", "a", 5, stop)
	assert.Equal(t, 5, c.Out.Ended())
}
