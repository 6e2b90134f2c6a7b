package settle

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flashsale/sale"
	"flashsale/test/harness"
	"flashsale/test/kafkabench"

	"flashsale/kafka"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	soon       = kafkabench.Soon
	often      = kafkabench.Often
	partitions = kafkabench.Partitions
)

// bench is a broker with the topics and the group of one namespace.
type bench struct{ *kafkabench.Bench }

// onEveryKafka runs a test against the embedded broker and a real one, at the same time.
func onEveryKafka(t *testing.T, test func(*bench)) {
	t.Helper()
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) { test(&bench{b}) })
}

func newBench(t testing.TB, brokers []string) *bench {
	t.Helper()
	return &bench{kafkabench.New(t, brokers)}
}

// produceOrders appends count records of two orders each over the partitions, with ids from first on.
func (b *bench) produceOrders(first int64, count int) {
	b.Helper()
	for i := range count {
		b.Produce(int32(i%partitions), recordBytes("demo", first+int64(i)*10, 2))
	}
}

// committed returns the committed offset of every partition, noOffset where there is none.
func (b *bench) committed() map[int32]int64 {
	b.Helper()
	all := []int32{0, 1, 2, 3}
	response, err := b.Admin.ListConsumerGroupOffsets(kafka.GroupOf(b.Namespace), map[string][]int32{b.Topics.Orders: all})
	offsets := make(map[int32]int64)
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // what kfake answers for a group without a member so far
		return map[int32]int64{0: noOffset, 1: noOffset, 2: noOffset, 3: noOffset}
	}
	require.NoError(b, err)
	for _, partition := range all {
		block := response.GetBlock(b.Topics.Orders, partition)
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

// process is a running Settler, as in one process.
type process struct {
	*Settler
	bench    *bench
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan error
}

func (b *bench) start(store Store) *process {
	b.Helper()
	p := &process{bench: b, registry: prometheus.NewRegistry(), ended: make(chan error, 1)}
	var err error
	p.Settler, err = New(Options{
		Kafka: b.Kafka, Namespace: b.Namespace, Partitions: partitions, Log: b.Logger(),
	}, store, p.registry)
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

// stop ends the process gracefully and returns what Run returned.
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

// deadRecords returns the records of the dead-letter topic by key.
func (b *bench) deadRecords(count int) map[string]*sarama.ConsumerMessage {
	b.Helper()
	found := make(map[string]*sarama.ConsumerMessage)
	b.Read(b.Topics.Dead, func(message *sarama.ConsumerMessage) bool {
		found[string(message.Key)] = message
		return len(found) < count
	})
	return found
}

func TestRecordsBecomeRowsOnce(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.produceOrders(1000, 40) // before the first process starts: the group begins at the oldest record
		p := b.start(store)
		b.Eventually("first orders", func() bool { return store.settledOrders() == 80 })
		require.Empty(b, p.Ready())
		b.produceOrders(9000, 40)
		b.Produce(2, sale.AppendFence(nil, "fence-1"))
		b.Eventually("later orders", func() bool { return store.settledOrders() == 160 })
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 81 })
		require.NoError(b, p.stop())
		b.Eventually("readiness off", func() bool { return p.Ready()["kafka"] == "draining" })
		require.Equal(b, []string{"fence-1"}, store.fences())
		before := len(store.order)
		b.produceOrders(20000, 4)
		again := b.start(store)
		b.Eventually("orders after a restart", func() bool { return store.settledOrders() == 168 })
		require.NoError(b, again.stop())
		require.Len(b, store.order, before+4, "nothing that was committed arrives again")
	})
}

// A database that comes back without its last rows, as after a failover to a replica that lagged, gets them again from the
// running process, with or without further records.
func TestRowsThatTheDatabaseLostAreSettledAgain(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.produceOrders(1000, 40)
		p := b.start(store)
		b.Eventually("orders", func() bool { return store.settledOrders() == 80 && b.totalCommitted() == 40 })
		store.renew()
		b.Eventually("the same orders", func() bool { return store.settledOrders() == 80 })
		store.renew()
		b.Produce(1, recordBytes("demo", 9000, 2))
		b.Eventually("the same orders and a new one", func() bool { return store.settledOrders() == 82 })
		require.NoError(b, p.stop())
		positions, err := store.Positions(b.Context())
		require.NoError(b, err)
		require.Len(b, positions, partitions)
	})
}

func TestRunLeavesNothingBehind(t *testing.T) {
	b := newBench(t, harness.SharedKafka(t).Brokers)
	store := newDatabase()
	b.produceOrders(1, 8)
	b.Produce(0, []byte("poison"))
	b.committed() // opens the bench's own connections before the count
	leaks := goleak.IgnoreCurrent()
	p := b.start(store)
	b.Eventually("all settled", func() bool { return store.settledOrders() == 16 && len(store.letterIDs()) == 1 })
	require.NoError(b, p.stop())
	goleak.VerifyNone(b, leaks,
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")) // one for the whole process
}

func TestPoisonEndsInTheDeadLettersAndReplayedTwiceSettlesOnce(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		whole := recordBytes("demo", 500, 3)
		poison := [][]byte{
			whole[:len(whole)-1],
			append([]byte("fs7"), whole[3:]...),
			recordBytes("no-such-sale", 600, 2),
			nil,
			recordBytes("demo", 1, 1)[:8],
		}
		for i, raw := range poison {
			b.Produce(1, recordBytes("demo", int64(1000+i*10), 1))
			b.Produce(1, raw)
		}
		b.Produce(1, recordBytes("demo", 3000, 1))
		p := b.start(store)
		b.Eventually("all that is sound", func() bool { return b.totalCommitted() == 11 })
		require.Equal(b, 6, store.settledOrders())

		dead := b.deadRecords(len(poison))
		reasons := []string{sale.PoisonDecode, sale.PoisonDecode, sale.PoisonUnknownBucket, sale.PoisonDecode, sale.PoisonDecode}
		for i, raw := range poison {
			id := fmt.Sprintf("1-%d", 2*i+1)
			letter, row := dead[id], store.letter(id)
			require.NotNil(b, letter, id)
			require.Equal(b, len(raw), len(letter.Value))
			require.Equal(b, string(raw), string(letter.Value))
			headers := kafkabench.HeadersOf(letter)
			require.Equal(b, reasons[i], headers["reason"])
			require.Equal(b, reasons[i], row.Reason)
			require.Equal(b, row.Detail, headers["detail"])
			require.Equal(b, "1", headers["partition"])
			require.Equal(b, fmt.Sprint(2*i+1), headers["offset"])
		}
		require.Equal(b, store.letter("1-5").Batch.Orders, store.letter("1-5").Orders)

		store.preload("no-such-sale")
		for range 2 {
			_, err := Replay(b.Context(), store, "1-5")
			require.NoError(b, err)
		}
		require.Equal(b, 8, store.settledOrders())
		require.NoError(b, p.stop())
	})
}

func TestNothingIsCommittedWhileTheBooksAreAway(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		for range 24 {
			store.failures = append(store.failures, errAway)
		}
		b.produceOrders(100, 20)
		p := b.start(store)
		b.Eventually("attempts", func() bool { return attempts(store) >= 12 })
		require.Zero(b, b.totalCommitted())
		b.Eventually("the end of the fault", func() bool { return store.settledOrders() == 40 })
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 20 })
		require.NoError(b, p.stop())
		require.Empty(b, store.letterIDs())
	})
}

func attempts(store *database) int {
	store.mu.Lock()
	defer store.mu.Unlock()
	return len(store.sizes)
}

func TestARecordOfTheLargestSizePasses(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		broken := append(recordBytes("demo", 1, 1), make([]byte, sale.MaxRecordBytes)...)[:sale.MaxRecordBytes]
		b.Produce(0, broken)
		b.Produce(0, recordBytes("demo", 50_000, sale.MaxRecordOrders))
		p := b.start(store)
		b.Eventually("all", func() bool { return b.totalCommitted() == 2 })
		require.Equal(b, sale.MaxRecordOrders, store.settledOrders())
		require.Len(b, store.letter("0-0").Raw, sale.MaxRecordBytes)
		require.Len(b, b.deadRecords(1)["0-0"].Value, sale.MaxRecordBytes)
		require.NoError(b, p.stop())
	})
}
