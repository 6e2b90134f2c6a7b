package recovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/reserve"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// another returns a second gateway on the same Redis, Kafka and database.
func (w *world) another() *reserve.Engine {
	o := w.engine.EngineOptions
	o.Registerer = prometheus.NewRegistry()
	e := reserve.NewEngine(o)
	w.T.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(w.T, e.Drain(ctx))
	})
	return e
}

// press buys through one of the gateways, and again with the same key while the answer says to try again.
func (w *world) press(engines []*reserve.Engine, b sale.Bucket, buyer string, random *rand.Rand) sale.Answer {
	for {
		p := w.Purchase(b, buyer)
		p.Key = "press"
		a := engines[random.IntN(len(engines))].Reserve(p)
		switch a.Outcome {
		case sale.OutcomeFenced, sale.OutcomeUnavailable, sale.OutcomeUnknown:
			role.Pause(context.Background(), time.Duration(1+random.IntN(20))*time.Millisecond)
		default:
			return a
		}
	}
}

// TestStorm has two gateways, lost acknowledgements, a Kafka that is away now and then, scripts that are lost again and again,
// and buckets that are closed and rebuilt during the sale. At rest every unit is sold once, and every answer was true.
func TestStorm(t *testing.T) {
	const stock, crowd = 300, 450
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), func(o *reserve.EngineOptions) {
		o.AckTimeout = 30 * time.Millisecond
	})
	b := w.Stock("phone", stock, 1)
	w.control()
	engines := []*reserve.Engine{w.engine, w.another()}
	seed := stormSeed(t)
	answers := make([]sale.Answer, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			role.Pause(context.Background(), time.Duration(random.IntN(1500))*time.Millisecond)
			answers[i] = w.press(engines, b, fmt.Sprintf("buyer-%d", i), random)
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	w.trouble(server, b, rand.New(rand.NewPCG(seed, crowd)), over)
	w.Kafka.ComeBack()
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "everything is settled")
	w.checkStorm(b, answers, stock)
}

// trouble breaks something every 40 ms until the storm is over.
func (w *world) trouble(server *harness.RedisServer, b sale.Bucket, random *rand.Rand, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(40 * time.Millisecond):
		}
		switch random.IntN(5) {
		case 0:
			w.Kafka.Mu.Lock()
			w.Kafka.Failures = 3
			w.Kafka.Mu.Unlock()
		case 1:
			w.Kafka.GoAway()
		case 2, 3:
			w.Kafka.ComeBack()
		case 4:
			if random.IntN(2) == 0 {
				server.MustDo(w.T, "SCRIPT", "FLUSH")
			} else {
				w.CloseRow(b)
			}
		}
	}
}

func (w *world) checkStorm(b sale.Bucket, answers []sale.Answer, stock int64) {
	t := w.T
	rows := map[string]sale.OrderID{}
	stored := w.DB.Snapshot()
	for _, id := range w.DB.Owners(b) {
		buyer := stored.Orders[id].BuyerID
		require.NotContains(t, rows, buyer, "one order for each buyer")
		rows[buyer] = id
	}
	refused := map[sale.OrderID]bool{}
	for _, id := range w.DB.Refused() {
		refused[id] = true
	}
	for i, a := range answers {
		buyer := fmt.Sprintf("buyer-%d", i)
		switch a.Outcome {
		case sale.OutcomeQueued, sale.OutcomeHeld, sale.OutcomeReplayed:
			require.True(t, rows[buyer] == a.OrderID || refused[a.OrderID], "%s was told %+v and has row %d", buyer, a,
				rows[buyer])
		case sale.OutcomeSoldOut:
			require.NotContains(t, rows, buyer, "a refused buyer has no order")
		default:
			t.Errorf("%s was told %+v", buyer, a)
		}
	}
	require.LessOrEqual(t, int64(len(rows)), stock)
	reading := w.Reading(b)
	require.Equal(t, stock, w.Shelf(b).Available+w.DB.Settled(b), "nothing leaks")
	t.Logf("answers %v, epoch %d, refused %d", fakes.Outcomes(answers), reading.Epoch, len(refused))
}

// Two controllers rebuild the same bucket at once, again and again: by compare-and-set every epoch has one load.
func TestTwoControlRolesAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 40, 1)
	for i := range 20 {
		row := w.CloseRow(b)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				// either may lose
				_ = NewRebuilder(w.Redis, w.Kafka, w.DB).Rebuild(context.Background(), []sale.BucketRow{row}, nil)
			})
		}
		both.Wait()
		if present := w.DB.Row(b); present.State != sale.BucketOpen { // each left it to the other: a controller would try again
			w.Rebuild(present)
		}
		require.Equal(t, sale.OutcomeQueued, w.Buy(b, fmt.Sprintf("buyer-%d", i)).Outcome)
	}
	require.Equal(t, int64(20), w.Shelf(b).Available)
	require.Empty(t, w.DB.Refused())
}

// Two gateways share a bucket: either answers a key, and neither sells a unit that the other has taken.
func TestTwoGateways(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 1, 1)
	p := w.Purchase(b, "anna")
	p.Key = "k"
	taken := w.engine.Reserve(p)
	require.Equal(t, sale.OutcomeQueued, taken.Outcome)
	other := w.another()
	replay := other.Reserve(p)
	require.Equal(t, sale.OutcomeReplayed, replay.Outcome)
	require.Equal(t, taken.OrderID, replay.OrderID)
	require.Equal(t, sale.OutcomeSoldOut, other.Reserve(w.Purchase(b, "bert")).Outcome)
}

// The same code runs on the embedded Redis.
func TestEmbeddedEngine(t *testing.T) {
	embedded := miniredis.RunT(t)
	w := newWorldOn(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{embedded.Addr()}, Embedded: true}, nil)
	b := w.Stock("phone", 50, 1)
	w.control()
	require.Equal(t, map[string]int{"queued": 50, "sold_out": 30}, fakes.Outcomes(w.BuyAll(b, fakes.Buyers("buyer", 80))))
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
	embedded.FlushAll()
	require.NoError(t, w.Redis.LoadList(context.Background(), "sale", 1, 5, fakes.ListOf(5)))
	fakes.Eventually(t, func() bool { return w.Buy(b, "late").Outcome == sale.OutcomeSoldOut },
		"the bucket is rebuilt, sold out as before")
}

// The documentation promises at most 130 MB for a million buyers with ids of 36 characters, and 170 MB with keys of 36
// characters: so many bytes per buyer.
func TestBuyersFitTheMemoryPromised(t *testing.T) {
	const count, crowd = 120_000, 1000 // a busy machine answers so many in time
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	used := func() (bytes int) {
		_, rest, _ := strings.Cut(server.MustDo(t, "INFO", "memory").(string), "used_memory:")
		_, err := fmt.Sscanf(rest, "%d", &bytes)
		require.NoError(t, err)
		return bytes
	}
	for promised, key := range map[int]string{130: "", 170: "11112222-3333-4444-8555-666677778888"} {
		b := w.Stock(fmt.Sprint("phone-", promised), sale.MaxStock, 1)
		before := used()
		for from := 0; from < count; from += crowd {
			var queued atomic.Int64
			var all sync.WaitGroup
			for i := from; i < from+crowd; i++ {
				all.Go(func() {
					p := w.Purchase(b, fmt.Sprintf("%08x-0000-4000-8000-%012d", i, i))
					p.Key = key
					if w.engine.Reserve(p).Outcome == sale.OutcomeQueued {
						queued.Add(1)
					}
				})
			}
			all.Wait()
			require.EqualValues(t, crowd, queued.Load())
		}
		fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "the journal is trimmed")
		bytes := (used() - before) / count
		t.Logf("%d bytes a buyer, key %q", bytes, key)
		require.LessOrEqual(t, bytes, promised)
	}
}

// An engine that has drained leaves no goroutine.
func TestDrainLeavesNothingRunning(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 50, 1)
	w.BuyAll(b, fakes.Buyers("buyer", 100))
	w.end()
	w.ended = true
	fakes.Eventually(t, func() bool {
		stacks := make([]byte, 1<<20)
		text := string(stacks[:runtime.Stack(stacks, true)])
		return !slices.ContainsFunc([]string{"batchWorker)", "rebalancer)", "janitor)", "reporter)", "Engine).runClock"},
			func(role string) bool { return strings.Contains(text, "reserve.(*"+role) })
	}, "goroutines of the engine are left")
}

const stormVariable = "FLASHSALE_MODEL_SEED" // the seed of a storm

// stormSeed returns the seed of the environment, or a fresh one, and prints how to replay it.
func stormSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(stormVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("replay with: %s=%d go test ./recovery -run '^%s$'", stormVariable, seed, t.Name())
	return seed
}
