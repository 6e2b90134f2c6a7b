package settle

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/test/harness"
)

func (b *bench) ends() *Ends {
	b.Helper()
	e, err := NewEnds(b.Kafka, b.Namespace)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Close()) })
	return e
}

func TestEndsOfEveryPartition(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		e := b.ends()
		before, err := e.Ends(b.Context())
		require.NoError(b, err)
		require.Equal(b, map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0}, before)
		b.produceOrders(1, 6)
		after, err := e.Ends(b.Context())
		require.NoError(b, err)
		require.Equal(b, map[int32]int64{0: 2, 1: 2, 2: 1, 3: 1}, after)
	})
}

// A broker that stands still costs a reading and no goroutine; the next reading after it is back finds the ends.
func TestEndsOfABrokerThatStandsStill(t *testing.T) {
	server := harness.Kafka(t)
	b := newBench(t, server.Brokers)
	e := b.ends()
	b.produceOrders(1, 4)
	ends, err := e.Ends(b.Context())
	require.NoError(t, err)
	require.Len(t, ends, partitions)

	server.Pause()
	ctx, cancel := context.WithTimeout(b.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = e.Ends(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 5*time.Second, "no call waits for the timeouts of the library")
	require.Nil(t, e.client)
	server.Continue()
	b.Eventually("the ends again", func() bool {
		ends, err = e.Ends(b.Context())
		return err == nil
	})
	require.Equal(t, map[int32]int64{0: 1, 1: 1, 2: 1, 3: 1}, ends)
}

func TestEndsWithoutABroker(t *testing.T) {
	e, err := NewEnds(kafka.Options{Brokers: []string{"127.0.0.1:1"}}, "nobody")
	require.NoError(t, err)
	for range 2 {
		_, err = e.Ends(t.Context())
		require.ErrorContains(t, err, "read the ends of topic nobody.orders: reach kafka at [127.0.0.1:1]")
	}
	require.NoError(t, e.Close())
}
