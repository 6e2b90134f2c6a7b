package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMovesAnswerWhenEveryGatewayHasThem: after the operator's answer no buyer is answered by the earlier state.
func TestMovesAnswerWhenEveryGatewayHasThem(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for _, move := range []string{"preload", "open", "pause", "resume", "close"} {
		reads := 0
		slow := b.store.version()
		b.store.gateways(map[string]int64{"one": slow, "two": slow})
		b.store.set(func() {
			b.store.onBehind = func() { // one gateway is slower than the other
				if reads++; reads == 3 {
					slow = b.store.version()
				}
				b.store.gateways(map[string]int64{"one": b.store.version(), "two": slow})
			}
		})
		b.ask("POST", "/admin/v1/sales/s/"+move, "").is(200)
		require.Equal(t, b.store.version(), b.store.Snapshot().Gateways["two"].Version, move)
		require.Equal(t, 3, reads, move)
	}
}

// TestMovesDoNotWaitLongForAGateway: a gateway that stalls does not block an operator.
func TestMovesDoNotWaitLongForAGateway(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	b.store.gateways(map[string]int64{"stalled": 0})
	began := time.Now()
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
	require.GreaterOrEqual(t, time.Since(began), gatewaysWait)
	require.Less(t, time.Since(began), gatewaysWait+500*time.Millisecond)
}

// TestMoveIsAnsweredWithoutWordOfTheGateways: the move is already made when the database goes away.
func TestMoveIsAnsweredWithoutWordOfTheGateways(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload")
	b.store.gateways(map[string]int64{"one": 0})
	b.store.set(func() {
		b.store.onBehind = func() { b.store.set(func() { b.store.away = true }) }
	})
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
}
