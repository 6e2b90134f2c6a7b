package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMovesHoldAtEveryGateway: whoever presses at any gateway after a move was answered hears of the sale as it is then.
func TestMovesHoldAtEveryGateway(t *testing.T) {
	s := newStack(t, servers{}).run(3, 1)
	for round := range 5 {
		id := fmt.Sprintf("sale-%d", round)
		s.create(id, lasting(phone(100)))
		hears := func(verb, code string) {
			t.Helper()
			began := time.Now()
			s.move(id, verb)
			took := time.Since(began)
			for g := range s.Gateways {
				answer := s.buy(ask{gateway: g, sale: id, buyer: fmt.Sprintf("buyer-%s-%d", verb, g)})
				if code == "" {
					require.Equal(t, 202, answer.status, "%s at gateway %d: %s", verb, g, answer.body)
				} else {
					require.Equal(t, code, answer.json(s)["code"], "%s at gateway %d", verb, g)
				}
			}
			t.Logf("%s took %s", verb, took)
		}
		hears("preload", "not_started")
		hears("open", "")
		hears("pause", "paused")
		hears("resume", "")
		hears("close", "sale_ended")
	}
}
