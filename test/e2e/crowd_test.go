package e2e

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
)

// crowd is the crowd that presses Buy in one sale of a stack.
type crowd struct {
	*buyers.Crowd
	s      *stack
	sale   string
	buyers int
	spare  int // buyers taken from the end of the crowd
}

func newCrowd(s *stack, sale string, size int) *crowd {
	return &crowd{Crowd: buyers.NewCrowd(buyers.Of(s.Stack), &history.Recorder{}), s: s, sale: sale, buyers: size}
}

// presses makes the list for a rush.
func (c *crowd) presses(seed uint64, repeats int, skus []string, quantity func(*rand.Rand) int) []history.Question {
	rush := buyers.Rush{Sale: c.sale, SKUs: skus, Buyers: c.buyers, Repeats: repeats, Quantity: quantity}
	return rush.Presses(seed, len(c.Gateways))
}

// press is a purchase of a phone without a key and with an empty body.
func (c *crowd) press(buyer, gateway int) history.Question {
	return history.Question{Verb: history.Buy, Sale: c.sale, SKU: "phone", Buyer: buyers.Name(buyer), Gateway: gateway}
}

// rush presses until nothing is left to repeat.
func (c *crowd) rush(list []history.Question) {
	c.s.t.Helper()
	require.NoError(c.s.t, c.Rush(list))
}

// paced keeps up a steady traffic until stop is closed.
func (c *crowd) paced(perSecond int, sku string, stop <-chan struct{}) {
	c.Paced(perSecond, c.sale, sku, c.buyers, stop)
}

// purchases returns what was pressed so far, without the questions that other checks ask.
func (c *crowd) purchases() []history.Op {
	return slices.DeleteFunc(c.Out.Ops(), func(op history.Op) bool { return op.Verb != history.Buy })
}

// codes counts what the answers said.
func (c *crowd) codes() map[string]int { return history.Words(c.purchases()) }

// heard waits until so many answers have come.
func (c *crowd) heard(n int) {
	c.s.t.Helper()
	require.Eventually(c.s.t, func() bool { return c.Out.Ended() >= n }, 30*time.Second, 10*time.Millisecond)
}

// said reports whether an answer that came after a moment said this word.
func (c *crowd) said(word string, after time.Time) bool {
	return c.Out.Any(func(op *history.Op) bool { return op.Word() == word && op.Got().After(after) })
}
