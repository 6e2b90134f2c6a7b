package settle

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Pressure is what a transaction leaves over, and it passes when transactions are not full any more.
func TestFullTransactionsArePressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := recordBytes("demo", 1, 4)
		g := &gatherer{messages: feed(raw, raw, raw), maxRows: 8, maxBytes: 1 << 20, pressure: &pressure{}}
		require.False(t, g.pressure.high())
		_, ok := g.next(nil)
		require.True(t, ok)
		require.True(t, g.pressure.high(), "a record is left")
		<-time.After(pressedFor)
		require.False(t, g.pressure.high())
		_, ok = g.next(nil)
		require.True(t, ok)
		require.False(t, g.pressure.high(), "nothing is left")
	})
}

// Under pressure events are told slowly, but they are told, and without it at once.
func TestEventsGiveWayToRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic := &fakeOutgoing{}, &fakeEvents{}
		var pressed atomic.Bool
		pressed.Store(true)
		p := newFakePublisher(t, "me", newFakeLeases(), out, topic)
		p.Pressed = pressed.Load
		for id := range int64(14 * publishOrders) {
			out.add(told(sale.StatusConfirmed, id+1))
		}
		end := publishing(t, p)
		const seconds = 5
		<-time.After(seconds * time.Second)
		synctest.Wait()
		pages := len(topic.has()) / publishOrders
		require.LessOrEqual(t, pages, int(seconds*time.Second/publishPressed)+1)
		require.GreaterOrEqual(t, pages, int(seconds*time.Second/(publishPressed+publishEvery)))
		pressed.Store(false)
		<-time.After(publishEvery)
		synctest.Wait()
		require.Zero(t, out.waiting())
		end()
	})
}
