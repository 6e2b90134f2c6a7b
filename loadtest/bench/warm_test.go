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

// brokerJVM is the options of Kafka's own start script: every compiler, its collector, its heap.
var brokerJVM = []string{
	"-XX:TieredStopAtLevel=4", "-Xms1g", "-Xmx1g",
	"-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
}

const (
	warmProducers = 4
	warmRecords   = 20_000 // of each producer, one request each
	warmCompiling = 0.1    // share of the broker's CPU: below it the compilers count as finished
	warmOrders    = 50_000 // in a round like the measured ones
)

// warmth is a kind of round that is repeated until the compilers are finished in several consecutive rounds.
type warmth struct {
	orders, connections int
	calm                int // consecutive rounds
	most                int // largest number of rounds
}

// warmths: few connections make small batches, and so ten times as many requests a second as the second kind, which is
// like the measured rounds.
var warmths = []warmth{{20_000, 16, 2, 15}, {warmOrders, acceptConnection, 3, 20}}

// warm runs the engine until the compilers of the broker's Java machine are finished. They start after thousands of
// calls, of which batching leaves few, and use a quarter of the broker's CPU for a minute; so small records to another
// topic precede the rounds.
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

// warmRound sells some orders and returns which share of the broker's CPU its compilers used.
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
	say("warm-up, %d connections: Kafka %.2f CPU µs an order until its event is published, %.0f %% of it for compilers",
		w.connections,
		perRequest(used[0], count.Answers), 100*part)
	return part
}

// warmBroker writes and reads small records of a topic of its own.
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

// createTopic creates a topic in addition to the engine's.
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

// say prints progress at once: a benchmark's own log appears at its end, and shortened.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
