package kafka_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/test/harness"
	"flashsale/test/kafkabench"
)

func TestProbe(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		p := kafka.NewProbe(b.Kafka, b.Namespace)
		for range 3 {
			require.NoError(b, p.Ping(b.Context()))
		}
		require.NoError(b, p.Close())
		require.ErrorContains(b, p.Ping(b.Context()), "closed")
		nothing := kafka.NewProbe(b.Kafka, "no-topics")
		require.ErrorContains(b, nothing.Ping(b.Context()), "no-topics.orders")
		require.NoError(b, nothing.Close())
	})
}

func TestProbeOfAnAbsentBroker(t *testing.T) {
	p := kafka.NewProbe(kafka.Options{Brokers: []string{harness.Address(t)}}, "n")
	require.ErrorContains(t, p.Ping(t.Context()), "reach kafka at")
	require.ErrorContains(t, p.Ping(t.Context()), "reach kafka at", "it tries again")
	require.NoError(t, p.Close())
	wrong := kafka.NewProbe(kafka.Options{Brokers: []string{"127.0.0.1:1"}, SASLMechanism: "x"}, "n")
	require.ErrorContains(t, wrong.Ping(t.Context()), "SASL mechanism")
}

// A broker that takes the connection and says nothing keeps a caller no longer than the caller's own limit, and the end of the
// probe no longer than that: nothing of the questions before is left.
func TestProbeOfASilentBroker(t *testing.T) {
	wire := harness.NewWire(t, harness.SharedRedis(t).Addr)
	wire.Lose()
	p := kafka.NewProbe(kafka.Options{Brokers: []string{wire.Addr, wire.Addr, wire.Addr}}, "n")
	ask := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.Ping(ctx), context.DeadlineExceeded)
	}
	ask()
	before := runtime.NumGoroutine()
	for range 10 {
		ask()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+5 }, time.Second, 5*time.Millisecond)
	unbound := make(chan error, 1)
	go func() { unbound <- p.Ping(context.Background()) }()
	began := time.Now()
	require.NoError(t, p.Close())
	require.Error(t, <-unbound)
	require.Less(t, time.Since(began), time.Second)
}
