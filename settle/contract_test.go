package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	soon       = 20 * time.Second // longer than a rebalance with a member that lets go late
	often      = 5 * time.Millisecond
	partitions = 4
)

// bench is a broker with the topics of one namespace, which no other test uses.
type bench struct {
	testing.TB
	kafka    KafkaOptions
	name     string
	topics   Topics
	client   sarama.Client
	admin    sarama.ClusterAdmin
	producer sarama.SyncProducer
}

// onEveryKafka runs a test against the embedded broker and against a real one, at the same time.
func onEveryKafka(t *testing.T, test func(*bench)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) {
		t.Parallel()
		test(newBench(t, startFake(t)))
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		test(newBench(t, harness.SharedKafka(t).Brokers))
	})
}

func startFake(t *testing.T) (brokers []string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

func newBench(t testing.TB, brokers []string) *bench {
	t.Helper()
	b := &bench{TB: t, kafka: KafkaOptions{Brokers: brokers}}
	b.name = fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	b.topics = TopicsOf(b.name)
	require.NoError(t, CreateTopics(t.Context(), b.kafka, b.name, partitions, 1))
	require.Eventually(t, func() bool {
		return CheckTopics(t.Context(), b.kafka, b.name, partitions) == nil
	}, soon, often)
	config, err := b.kafka.config()
	require.NoError(t, err)
	config.Producer.Partitioner = sarama.NewManualPartitioner
	b.client, err = sarama.NewClient(brokers, config)
	require.NoError(t, err)
	b.admin, err = sarama.NewClusterAdminFromClient(b.client)
	require.NoError(t, err)
	b.producer, err = sarama.NewSyncProducerFromClient(b.client)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.producer.Close())
		require.NoError(t, b.client.Close())
	})
	return b
}

// produce appends a record to a partition of the orders topic.
func (b *bench) produce(partition int32, raw []byte) {
	b.Helper()
	message := &sarama.ProducerMessage{Topic: b.topics.Orders, Partition: partition, Value: sarama.ByteEncoder(raw)}
	_, _, err := b.producer.SendMessage(message)
	require.NoError(b, err)
}

// produceOrders appends count records of two orders each, spread over the partitions, with ids from first on.
func (b *bench) produceOrders(first int64, count int) {
	b.Helper()
	for i := range count {
		b.produce(int32(i%partitions), recordBytes("demo", first+int64(i)*10, 2))
	}
}

// committed returns the committed offset of every partition, noOffset where there is none.
func (b *bench) committed() map[int32]int64 {
	b.Helper()
	all := []int32{0, 1, 2, 3}
	response, err := b.admin.ListConsumerGroupOffsets(GroupOf(b.name), map[string][]int32{b.topics.Orders: all})
	offsets := make(map[int32]int64)
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // kfake's word for a group that nobody has joined yet
		return map[int32]int64{0: noOffset, 1: noOffset, 2: noOffset, 3: noOffset}
	}
	require.NoError(b, err)
	for _, partition := range all {
		block := response.GetBlock(b.topics.Orders, partition)
		require.NotNil(b, block)
		require.Equal(b, sarama.ErrNoError, block.Err)
		offsets[partition] = block.Offset
	}
	return offsets
}

// totalCommitted returns how many records the group has committed.
func (b *bench) totalCommitted() int64 {
	var total int64
	for _, offset := range b.committed() {
		total += max(offset, 0)
	}
	return total
}

// process is a running Settler, as one process would have it.
type process struct {
	*Settler
	bench    *bench
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan error
}

func (b *bench) start(books Books) *process {
	b.Helper()
	p := &process{bench: b, registry: prometheus.NewRegistry(), ended: make(chan error, 1)}
	var err error
	p.Settler, err = New(Options{
		Kafka: b.kafka, Namespace: b.name, Partitions: partitions, Log: slog.New(slog.NewTextHandler(testLog{b}, nil)),
	}, books, p.registry)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.ended <- p.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-p.ended; err != nil {
			b.Logf("the process ended with: %v", err)
		}
	})
	return p
}

// stop ends the process in order and returns what Run returned.
func (p *process) stop() error {
	p.cancel()
	return p.wait()
}

// wait returns what Run returns by itself.
func (p *process) wait() error {
	p.bench.Helper()
	select {
	case err := <-p.ended:
		p.ended <- nil // for the cleanup
		return err
	case <-time.After(2 * soon):
		p.bench.Fatal("the settler did not end")
		return nil
	}
}

// testLog writes the settler's log into the test's.
type testLog struct{ testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}

func (b *bench) eventually(what string, condition func() bool) {
	b.Helper()
	require.Eventually(b, condition, soon, often, what)
}

// deadRecords returns the records of the dead-letter topic by key.
func (b *bench) deadRecords(count int) map[string]*sarama.ConsumerMessage {
	b.Helper()
	reader, err := sarama.NewConsumerFromClient(b.client)
	require.NoError(b, err)
	found := make(map[string]*sarama.ConsumerMessage)
	arrived := make(chan *sarama.ConsumerMessage)
	var readers []sarama.PartitionConsumer
	for partition := range int32(partitions) {
		r, err := reader.ConsumePartition(b.topics.Dead, partition, sarama.OffsetOldest)
		require.NoError(b, err)
		readers = append(readers, r)
		go func() {
			for message := range r.Messages() {
				arrived <- message
			}
		}()
	}
	for len(found) < count {
		select {
		case message := <-arrived:
			found[string(message.Key)] = message
		case <-time.After(soon):
			b.Fatalf("only %d of %d dead letters arrived", len(found), count)
		}
	}
	for _, r := range readers {
		require.NoError(b, r.Close())
	}
	return found
}

func headersOf(message *sarama.ConsumerMessage) map[string]string {
	headers := make(map[string]string)
	for _, h := range message.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	return headers
}

func TestRecordsBecomeRowsOnce(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		b.produceOrders(1000, 40) // before anybody listens: the group begins at the oldest record
		p := b.start(books)
		b.eventually("first orders", func() bool { return books.settledOrders() == 80 })
		require.Empty(b, p.Ready())
		b.produceOrders(9000, 40)
		b.produce(2, sale.AppendFence(nil, "fence-1"))
		b.eventually("later orders", func() bool { return books.settledOrders() == 160 })
		b.eventually("offsets", func() bool { return b.totalCommitted() == 81 })
		require.NoError(b, p.stop())
		b.eventually("readiness off", func() bool { return p.Ready()["kafka"] == "draining" })
		books.requireOnce(b)
		require.Equal(b, []string{"fence-1"}, books.fences)
		before := len(books.order)
		b.produceOrders(20000, 4)
		again := b.start(books)
		b.eventually("orders after a restart", func() bool { return books.settledOrders() == 168 })
		require.NoError(b, again.stop())
		require.Len(b, books.order, before+4, "nothing that was committed arrives again")
	})
}

func TestRunLeavesNothingBehind(t *testing.T) {
	b := newBench(t, harness.SharedKafka(t).Brokers)
	books := newFakeBooks()
	b.produceOrders(1, 8)
	b.produce(0, []byte("poison"))
	b.committed() // opens the bench's own connections before the count
	leaks := goleak.IgnoreCurrent()
	p := b.start(books)
	b.eventually("all settled", func() bool { return books.settledOrders() == 16 && len(books.letterIDs()) == 1 })
	require.NoError(b, p.stop())
	goleak.VerifyNone(b, leaks,
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")) // one for the whole process
}

func TestPoisonEndsInTheDeadLettersAndReplayedTwiceSettlesOnce(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		books.unknown["no-such-sale"] = true
		whole := recordBytes("demo", 500, 3)
		poison := [][]byte{
			whole[:len(whole)-1],
			append([]byte("fs7"), whole[3:]...),
			recordBytes("no-such-sale", 600, 2),
			nil,
			recordBytes("demo", 1, 1)[:8],
		}
		for i, raw := range poison {
			b.produce(1, recordBytes("demo", int64(1000+i*10), 1))
			b.produce(1, raw)
		}
		b.produce(1, recordBytes("demo", 3000, 1))
		p := b.start(books)
		b.eventually("all that is sound", func() bool { return b.totalCommitted() == 11 })
		require.Equal(b, 6, books.requireOnce(b))

		dead := b.deadRecords(len(poison))
		reasons := []string{sale.PoisonDecode, sale.PoisonDecode, sale.PoisonUnknownBucket, sale.PoisonDecode, sale.PoisonDecode}
		for i, raw := range poison {
			id := fmt.Sprintf("1-%d", 2*i+1)
			letter, row := dead[id], books.letters[id]
			require.NotNil(b, letter, id)
			require.Equal(b, len(raw), len(letter.Value))
			require.Equal(b, string(raw), string(letter.Value))
			headers := headersOf(letter)
			require.Equal(b, reasons[i], headers["reason"])
			require.Equal(b, reasons[i], row.Reason)
			require.Equal(b, row.Detail, headers["detail"])
			require.Equal(b, "1", headers["partition"])
			require.Equal(b, fmt.Sprint(2*i+1), headers["offset"])
		}
		require.Equal(b, books.letters["1-5"].Batch.Orders, books.letters["1-5"].Orders)

		delete(books.unknown, "no-such-sale")
		for range 2 {
			_, err := Replay(b.Context(), books, "1-5")
			require.NoError(b, err)
		}
		require.Equal(b, 8, books.requireOnce(b))
		require.NoError(b, p.stop())
	})
}

func TestNothingIsCommittedWhileTheBooksAreAway(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		for range 24 {
			books.failures = append(books.failures, errAway)
		}
		b.produceOrders(100, 20)
		p := b.start(books)
		b.eventually("attempts", func() bool { return attempts(books) >= 12 })
		require.Zero(b, b.totalCommitted())
		b.eventually("the end of the fault", func() bool { return books.settledOrders() == 40 })
		b.eventually("offsets", func() bool { return b.totalCommitted() == 20 })
		require.NoError(b, p.stop())
		require.Empty(b, books.letters)
	})
}

func attempts(books *fakeBooks) int {
	books.mu.Lock()
	defer books.mu.Unlock()
	return len(books.sizes)
}

func TestARecordOfTheLargestSizePasses(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		broken := append(recordBytes("demo", 1, 1), make([]byte, sale.MaxRecordBytes)...)[:sale.MaxRecordBytes]
		b.produce(0, broken)
		b.produce(0, recordBytes("demo", 50_000, sale.MaxRecordOrders))
		p := b.start(books)
		b.eventually("all", func() bool { return b.totalCommitted() == 2 })
		require.Equal(b, sale.MaxRecordOrders, books.requireOnce(b))
		require.Len(b, books.letters["0-0"].Raw, sale.MaxRecordBytes)
		require.Len(b, b.deadRecords(1)["0-0"].Value, sale.MaxRecordBytes)
		require.NoError(b, p.stop())
	})
}
