package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/locked"
)

func up(store string) sale.StoreHealth { return sale.StoreHealth{Store: store, Up: true} }

// A store is asked at most once a second, only when somebody looks, and is not up when it answers late.
func TestStoresAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePulses()
		w := NewStoreWatch(slog.New(slog.DiscardHandler), f.probes()...)
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
		w := NewStoreWatch(slog.New(slog.DiscardHandler), f.probes()...)
		began := time.Now()
		all := w.look(t.Context())
		require.Equal(t, probeLimit, time.Since(began))
		require.True(t, all[0].Up)
		require.False(t, all[2].Up)
	})
}

// A store that goes away is told once, with its addresses, and so is its return.
func TestAStoreThatGoesAwayIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFakePulses(), &locked.Buffer{}
		probe := f.probes()[1]
		probe.At = "b1:9092,b2:9092"
		w := NewStoreWatch(slog.New(slog.NewJSONHandler(log, nil)), probe)
		look := func() (detail string) {
			for range 3 {
				detail = w.look(t.Context())[0].Detail
				<-time.After(time.Second)
			}
			return detail
		}
		require.Empty(t, look())
		require.Empty(t, log.String())
		f.set(func() { f.away["kafka"] = errAway })
		require.Equal(t, "b1:9092,b2:9092: the store is away", look())
		require.Equal(t, 1, strings.Count(log.String(), "\n"), "%s", log)
		require.Contains(t, log.String(), `"level":"WARN","msg":"a store is away","store":"kafka","error":"b1:9092,b2:9092: the `)
		f.set(func() { f.away["kafka"] = fmt.Errorf("reach kafka at b1:9092,b2:9092: %w", errAway) })
		require.Equal(t, "reach kafka at b1:9092,b2:9092: the store is away", look(), "named once")
		f.set(func() { f.away["kafka"] = nil })
		require.Empty(t, look())
		require.Contains(t, log.String(), `"level":"INFO","msg":"a store is back","store":"kafka","failures":6,"for":"6s"`)
	})
}

// The metric shows what was found last, under the names of the contract; a store that was not asked yet has no series.
func TestStoresAsMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePulses()
		w := NewStoreWatch(slog.New(slog.DiscardHandler), f.probes()...)
		require.Zero(t, testutil.CollectAndCount(w))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(ctx) }()
		shows := func(database string) {
			t.Helper()
			synctest.Wait()
			require.NoError(t, testutil.CollectAndCompare(w, strings.NewReader(`
# HELP flashsale_store_up 1 if the process reached the store at the last look, otherwise 0.
# TYPE flashsale_store_up gauge
flashsale_store_up{store="database"} `+database+`
flashsale_store_up{store="kafka"} 1
flashsale_store_up{store="redis"} 1
`)))
		}
		shows("1")
		f.set(func() { f.away["mysql"] = errAway })
		<-time.After(watchEvery)
		shows("0")
		f.set(func() { f.away["mysql"] = nil })
		<-time.After(watchEvery)
		shows("1")
		cancel()
		<-ended
	})
}

// Both processes show each store with its weight, whether it is up, and what its absence means; the status does not change.
func TestReadyShowsTheStores(t *testing.T) {
	f, checks := newFakePulses(), map[string]string{}
	f.away["kafka"] = errAway
	w := NewStoreWatch(slog.New(slog.DiscardHandler),
		StoreProbe{Store: "redis", Ping: f.probes()[0].Ping, Weight: WeightRequired, Means: "nothing is sold"},
		StoreProbe{Store: "kafka", Ping: f.probes()[1].Ping, Weight: WeightDegraded, Means: "orders are held"},
		StoreProbe{Store: "mysql", Ping: f.probes()[2].Ping, Weight: WeightDegraded, Means: "no payment"},
	)
	probes := listen(t, NewProbes(ProbesOptions{Ready: func() map[string]string { return checks }, Stores: w}))
	b := newBench(t)
	b.api.stores, b.api.mux = w, http.NewServeMux()
	for _, route := range b.api.routes() {
		b.api.mux.Handle(route.method+" "+route.path, b.api.serve(route))
	}
	ask := func(url string) *reply {
		request, err := http.NewRequest(http.MethodGet, url+"/readyz", nil)
		require.NoError(t, err)
		return do(t, request)
	}
	unknown := func(found any) {
		for _, one := range found.([]any) {
			require.Nil(t, one.(map[string]any)["up"], "not asked yet")
		}
	}
	unknown(ask(probes).is(200)["dependencies"])
	unknown(ask(b.url).is(200)["dependencies"])
	w.look(t.Context())
	want := []any{
		map[string]any{"name": "redis", "weight": "required", "up": true, "means": "nothing is sold"},
		map[string]any{"name": "kafka", "weight": "degraded", "up": false, "detail": errAway.Error(), "means": "orders are held"},
		map[string]any{"name": "database", "weight": "degraded", "up": true, "means": "no payment"},
	}
	require.Equal(t, want, ask(probes).is(200)["dependencies"])
	require.Equal(t, want, ask(b.url).is(200)["dependencies"])
	checks["node_id"] = "not reached yet"
	require.Equal(t, want, ask(probes).problem(503, "unavailable")["dependencies"])
}
