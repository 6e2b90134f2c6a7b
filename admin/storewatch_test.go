package admin

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func up(store string) sale.StoreHealth { return sale.StoreHealth{Store: store, Up: true} }

// A store is asked at most once a second, only when somebody looks, and is not up when it answers late.
func TestStoresAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePulses()
		w := newStoreWatch(f.probes())
		require.Equal(t, []sale.StoreHealth{up("redis"), up("kafka"), up("mysql")}, w.look(t.Context()))
		for range 10 {
			w.look(t.Context())
		}
		require.Equal(t, 1, f.asked["kafka"])
		<-time.After(time.Hour)
		require.Equal(t, 1, f.asked["kafka"], "nobody looked")
		f.set(func() { f.away["kafka"] = errAway })
		require.Equal(t, sale.StoreHealth{Store: "kafka", Detail: "the store is away"}, w.look(t.Context())[1])

		hangs := make(chan struct{})
		f.set(func() { f.hangs["redis"], f.away["kafka"] = hangs, nil })
		<-time.After(time.Second)
		began := time.Now()
		require.Equal(t, []sale.StoreHealth{up("redis"), up("kafka"), up("mysql")}, w.look(t.Context()),
			"not known to be away yet")
		require.Equal(t, probeWait, time.Since(began), "a store that hangs delays a reading no longer")
		<-time.After(probeLimit)
		require.Equal(t, sale.StoreHealth{Store: "redis", Detail: "context deadline exceeded"}, w.look(t.Context())[0])
		f.set(func() { f.hangs["redis"] = nil })
		close(hangs)
		<-time.After(probeLimit)
		require.True(t, w.look(t.Context())[0].Up)
	})
}

// The first look waits for every store, as long as a probe may take.
func TestTheFirstLookWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePulses()
		f.hangs["mysql"] = make(chan struct{})
		w := newStoreWatch(f.probes())
		began := time.Now()
		all := w.look(t.Context())
		require.Equal(t, probeLimit, time.Since(began))
		require.True(t, all[0].Up)
		require.False(t, all[2].Up)
	})
}
