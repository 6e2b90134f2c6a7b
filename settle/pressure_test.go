package settle

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A full transaction is pressure, and the pressure ends when transactions are not full any more.
func TestFullTransactionsArePressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := recordBytes("demo", 1, 4)
		g := &recordBatcher{messages: feed(raw, raw, raw), maxRows: 8, maxBytes: 1 << 20, pressure: &pressure{}}
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
