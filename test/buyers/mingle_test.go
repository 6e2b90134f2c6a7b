package buyers

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// TestAMinglingCrowdDoesEverything: all that buyers and the shop can ask is asked, and an open press is repeated with its key.
func TestAMinglingCrowdDoesEverything(t *testing.T) {
	g := newGateway(t)
	g.answers = []reply{{http.StatusGatewayTimeout, `{"code":"unknown","status":504}`},
		{http.StatusAccepted, `{"order_id":"7","status":"queued","sku":"a","quantity":1}`}}
	c := NewCrowd(g.deployment(2), &history.Recorder{}, Target{Sale: "s", SKUs: []string{"a", "b"}, Limit: 2,
		Until: time.Now().Add(time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Mingle(ctx, 1)
	}()
	did := func(verb history.Verb) func() bool {
		return func() bool { return c.Out.Any(func(op *history.Op) bool { return op.Verb == verb }) }
	}
	for _, verb := range []history.Verb{history.Buy, history.Read, history.List, history.Cancel, history.ShopCancel,
		history.Pay} {
		require.Eventually(t, did(verb), 20*time.Second, 5*time.Millisecond, string(verb))
	}
	cancel()
	<-ended
	keys := map[string]int{}
	for _, op := range c.Out.Ops() {
		require.NotEqual(t, history.Open, op.End)
		if op.Key != "" {
			keys[op.Key]++
		}
	}
	assert.NotEmpty(t, keys)
	assert.True(t, c.Out.Any(func(op *history.Op) bool { return op.Verb == history.Buy && op.Lines != "" }))
}

func TestAnOpenPressIsRepeatedWithItsKey(t *testing.T) {
	g := newGateway(t)
	g.answers = []reply{{http.StatusGatewayTimeout, `{"code":"unknown","status":504}`}, {http.StatusConflict,
		`{"code":"sold_out","status":409}`}}
	c := NewCrowd(g.deployment(2), &history.Recorder{})
	person := &worker{Crowd: c, random: rand.New(rand.NewPCG(2, 1)), client: c.NewClient()}
	defer person.client.Close()
	person.press(history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b", Key: "k"})
	for person.again != nil {
		person.act()
	}
	ops := c.Out.Ops()
	require.Len(t, ops, 2)
	assert.Equal(t, []string{"k", "k"}, []string{ops[0].Key, ops[1].Key})
	assert.True(t, ops[1].Definite())
	assert.False(t, ops[0].Definite())
}

// TestDemandEndsWhenNothingIsLeft: refusals in a row end it.
func TestDemandEndsWhenNothingIsLeft(t *testing.T) {
	g := newGateway(t)
	c := NewCrowd(g.deployment(1), &history.Recorder{})
	c.Demand(Target{Sale: "s", SKUs: []string{"a", "b"}}, 1)
	assert.Equal(t, 2*enoughRefusals, c.Out.Ended())
}

// TestASaleIsResumedUntilThatIsAnswered: an unanswered resume is repeated; a sale that is not paused needs none.
func TestASaleIsResumedUntilThatIsAnswered(t *testing.T) {
	g := newGateway(t)
	g.answers = []reply{{http.StatusServiceUnavailable, `{"code":"unavailable","status":503}`}, {http.StatusConflict,
		`{"code":"wrong_state","status":409}`}}
	c := NewCrowd(g.deployment(1), &history.Recorder{}, Target{Sale: "s"})
	with := c.NewClient()
	defer with.Close()
	c.Resume(with, newRandom())
	assert.Equal(t, 2, c.Out.Ended())
}
