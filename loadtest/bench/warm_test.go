package bench

import (
	"context"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerJVM is how Kafka's own start script runs a broker: every compiler, its collector, its heap.
var brokerJVM = []string{
	"-XX:TieredStopAtLevel=4", "-Xms1g", "-Xmx1g",
	"-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
}

const (
	warmProducers = 4
	warmRecords   = 20_000 // of each producer, a request each: a broker gets one for some hundred orders
	warmOrders    = 50_000 // in one round
	warmRounds    = 12     // at most
	warmPatience  = 2      // rounds that are hardly cheaper than the cheapest before them: it has stopped falling
	warmHardly    = 0.97
)

// warm works the engine until the broker's CPU an order has stopped falling. The compilers of its Java machine wait for
// thousands of calls, and batching leaves a broker few: small records of our own to another topic come first.
func (s *stack) warm(saleID string) {
	s.b.Helper()
	if s.warmed {
		return
	}
	s.warmed = true
	began := time.Now()
	s.warmBroker()
	say("%d requests to the broker took %s", warmProducers*warmRecords, time.Since(began).Round(time.Second))
	best, vain := math.Inf(1), 0
	for round := 0; round < warmRounds && vain < warmPatience; round++ {
		requests := s.presses(saleID, warmOrders)
		whole, err := StartMeter(s.kafka.PID())
		require.NoError(s.b, err)
		count, took := s.take(requests, nil)
		s.finish(saleID)
		used, _, err := whole.Stop()
		require.NoError(s.b, err)
		cost := perRequest(used[0], count.Answers)
		say("warm-up %d: %.0f orders/s, Kafka %.2f CPU µs an order until its event is told", round+1,
			float64(count.Answers)/took.Seconds(), cost)
		if vain++; cost < best*warmHardly {
			vain = 0
		}
		best = min(best, cost)
	}
}

// warmBroker writes and reads small records of a topic that nobody else knows.
func (s *stack) warmBroker() {
	s.b.Helper()
	const topic = "bench-warm"
	ctx, cancel := context.WithTimeout(s.b.Context(), time.Minute)
	defer cancel()
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Brokers...), kgo.ConsumeTopics(topic))
	require.NoError(s.b, err)
	defer reader.Close()
	s.createTopic(topic, warmProducers)
	var producers sync.WaitGroup
	for partition := range int32(warmProducers) {
		producers.Go(func() {
			client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Brokers...), kgo.DefaultProduceTopic(topic),
				kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				s.b.Error(err)
				return
			}
			defer client.Close()
			for range warmRecords {
				record := kgo.Record{Partition: partition, Value: make([]byte, 256)}
				if err := client.ProduceSync(ctx, &record).FirstErr(); err != nil {
					s.b.Error(err)
					return
				}
			}
		})
	}
	for read := 0; read < warmProducers*warmRecords; {
		fetched := reader.PollFetches(ctx)
		require.NoError(s.b, fetched.Err())
		read += fetched.NumRecords()
	}
	producers.Wait()
}

// createTopic creates a topic beside those of the engine.
func (s *stack) createTopic(topic string, partitions int32) {
	s.b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Brokers...))
	require.NoError(s.b, err)
	defer client.Close()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, partitions, 1
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, wanted)
	_, err = create.RequestWith(s.b.Context(), client)
	require.NoError(s.b, err)
}

// say tells whoever waits how far it is: a benchmark's own log comes at its end, and shortened.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
