package bench

import (
	"context"
	"fmt"
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
	warmRecords   = 20_000 // of each producer, a request each
	warmCompiling = 0.1    // of the broker's CPU: below that its compilers count as done
	warmOrders    = 50_000 // in a round as it will be measured
)

// warmth is a kind of round that is repeated until the compilers are done in some rounds in a row.
type warmth struct {
	orders, connections int
	calm                int // rounds in a row
	most                int // rounds
}

// warmths: few connections make small batches, and so ten times as many requests a second as the rounds after them, which
// are what will be measured.
var warmths = []warmth{{20_000, 16, 2, 15}, {warmOrders, acceptConnection, 3, 20}}

// warm works the engine until the compilers of the broker's Java machine are done. They wait for thousands of calls, of
// which batching leaves few, and take a quarter of the broker's CPU for a minute: small records of our own to another topic
// come first.
func (s *stack) warm(saleID string) {
	s.b.Helper()
	if s.warmed {
		return
	}
	s.warmed = true
	began := time.Now()
	s.warmBroker()
	say("%d requests to the broker took %s", warmProducers*warmRecords, time.Since(began).Round(time.Second))
	for _, w := range warmths {
		for round, calm := 0, 0; round < w.most && calm < w.calm; round++ {
			if calm++; s.warmRound(saleID, w) > warmCompiling {
				calm = 0
			}
		}
	}
	say("warm after %s", time.Since(began).Round(time.Second))
}

// warmRound sells some orders and returns which part of the broker's CPU went to its compilers.
func (s *stack) warmRound(saleID string, w warmth) float64 {
	s.b.Helper()
	requests := s.presses(saleID, w.orders)
	compilers := func() time.Duration {
		used, err := ThreadCPUTime(s.Kafka.PID(), "C1 Compiler", "C2 Compiler")
		require.NoError(s.b, err)
		return used
	}
	whole, err := StartMeter(s.Kafka.PID())
	require.NoError(s.b, err)
	before := compilers()
	count, _, _ := s.driveOn(w.connections, s.gateway.Listen, requests)
	s.finish(saleID)
	compiling := compilers() - before
	used, _, err := whole.Stop()
	require.NoError(s.b, err)
	part := compiling.Seconds() / used[0].Seconds()
	say("warm-up, %d connections: Kafka %.2f CPU µs an order until its event is told, %.0f %% of it for compilers", w.connections,
		perRequest(used[0], count.Answers), 100*part)
	return part
}

// warmBroker writes and reads small records of a topic that nobody else knows.
func (s *stack) warmBroker() {
	s.b.Helper()
	const topic = "bench-warm"
	ctx, cancel := context.WithTimeout(s.b.Context(), time.Minute)
	defer cancel()
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(topic))
	require.NoError(s.b, err)
	defer reader.Close()
	s.createTopic(topic, warmProducers)
	var producers sync.WaitGroup
	for partition := range int32(warmProducers) {
		producers.Go(func() {
			client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.DefaultProduceTopic(topic),
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
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...))
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
