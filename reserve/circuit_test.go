package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// Only published records count for Kafka's circuit: refusals do not, and neither does a Redis that is away.
func TestKafkasCircuitHearsOfDeliveriesAlone(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 1, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	require.Equal(t, 1, w.breaker.results(sale.ResourceKafka))
	require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, "anna").Outcome)
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "bert").Outcome)
	asked := w.breaker.results(sale.ResourceRedis)
	require.GreaterOrEqual(t, asked, 3)
	node := w.engine.IDs.lease.Swap(nil)
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "carl").Outcome)
	w.engine.IDs.lease.Store(node)
	require.Equal(t, asked, w.breaker.results(sale.ResourceRedis), "without an order id Redis is not asked")
	server.Kill()
	require.NotEqual(t, sale.OutcomeQueued, w.Buy(b, "dora").Outcome)
	require.Positive(t, w.breaker.failures(sale.ResourceRedis))
	require.Equal(t, 1, w.breaker.results(sale.ResourceKafka), "nothing was published")
}

// Kafka's open circuit refuses no purchase: a buyer who has bought already is told so, and a taken purchase is held at once and
// left to the relay.
func TestKafkasOpenCircuitHoldsWhatIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 2, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	before := len(w.Kafka.Attempted())
	w.breaker.open = map[string]bool{sale.ResourceKafka: true}
	require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, "anna").Outcome)
	began := time.Now()
	require.Equal(t, sale.OutcomeHeld, w.Buy(b, "bert").Outcome)
	require.Less(t, time.Since(began), w.engine.AckTimeout, "no answer waits for a record that is not sent")
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "carl").Outcome)
	require.Len(t, w.Kafka.Attempted(), before)
	require.Zero(t, w.engine.unacked.bytes.Load())
	w.breaker.open = nil
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, int64(2), w.DB.Settled(b), "the journal had it")
}

// A record beyond the bound of bytes is not sent and does not count for Kafka's circuit.
func TestKafkasCircuitHearsNothingOfWhatIsNotSent(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	require.True(t, w.engine.unacked.reserve(maxUnackedBytes))
	began := time.Now()
	require.Equal(t, sale.OutcomeHeld, w.Buy(b, "anna").Outcome)
	require.Less(t, time.Since(began), w.engine.AckTimeout, "no answer waits for a record that is not sent")
	w.engine.unacked.release(maxUnackedBytes)
	require.Zero(t, w.breaker.results(sale.ResourceKafka))
}

// While Kafka is away a refusal does not wait with the held purchases.
func TestRefusalDoesNotWaitForKafka(t *testing.T) {
	w := newWorld(t, func(o *EngineOptions) { o.AckTimeout = 3 * time.Second })
	b := w.Stock("phone", 3, 1)
	w.Kafka.GoAway()
	held := make(chan sale.Answer, 2)
	for _, buyer := range []string{"anna", "bert"} {
		go func() { held <- w.Buy(b, buyer) }()
	}
	fakes.Eventually(t, func() bool { return w.Shelf(b).Available == 1 }, "two are taken")
	began := time.Now()
	require.Equal(t, sale.OutcomeAlreadyBought, w.Buy(b, "anna").Outcome)
	go func() { held <- w.Buy(b, "carl") }()
	fakes.Eventually(t, func() bool { return w.Shelf(b).Available == 0 }, "the last one is taken")
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "dora").Outcome)
	require.Less(t, time.Since(began), w.engine.AckTimeout/3)
	require.Empty(t, held, "they still wait for Kafka")
	for range 3 {
		require.Equal(t, sale.OutcomeHeld, (<-held).Outcome)
	}
	queue := w.engine.queue(w.Purchase(b, "anna"))
	fakes.Eventually(t, func() bool {
		queue.mu.Lock()
		defer queue.mu.Unlock()
		return queue.waitingAside+queue.workers == 0
	}, "all workers ended")
}

// The time that one store has used up does not count as a failure of another store.
func TestEachStoreHasItsOwnTime(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 1, 1)
	phone := []string{"phone"}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.engine.readDatabase(over, []sale.Bucket{b}, phone)
	require.ErrorIs(t, err, context.Canceled)
	_, err = w.engine.readRedis(over, []sale.Bucket{b}, phone)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, w.breaker.results(sale.ResourceMySQL)+w.breaker.results(sale.ResourceRedis))
	short, cancel := context.WithCancel(context.Background())
	w.engine.Buckets = lateReader{w.DB, cancel}
	_, err = w.engine.readDatabase(short, []sale.Bucket{b}, phone)
	require.NoError(t, err)
	require.Zero(t, w.breaker.failures(sale.ResourceMySQL))
}

// lateReader answers after its caller's time is over, and returns the error of its own context.
type lateReader struct {
	BucketReader
	over context.CancelFunc
}

func (l lateReader) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	l.over()
	counters, err := l.BucketReader.StockCounters(ctx, buckets, skus)
	if err == nil {
		err = ctx.Err()
	}
	return counters, err
}
