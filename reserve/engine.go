package reserve

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// Breaker is the circuit breaker of the stores. Enter is called before a store is used; ok is false when the store's circuit is
// open. exit takes the result of the use.
type Breaker interface {
	Enter(resource string) (exit func(error), ok bool)
}

// LossReporter tells the database that a bucket's stock in Redis is in doubt. The database closes the bucket if epoch is still
// its present one, and the closed bucket is rebuilt.
type LossReporter interface {
	ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error
}

// EngineOptions are the parts and bounds of an Engine. Zero bounds take the defaults in brackets.
type EngineOptions struct {
	Redis            *scripts.Redis
	Producer         Publisher
	IDs              *OrderIDs
	AckTimeout       time.Duration // longest wait for Kafka's acknowledgement; then the answer is held [1 s]
	JournalMaxOrders int           // orders in a bucket's journal; more are refused [100000]
	BatchMaxOrders   int           // purchases in one script call, up to 1000 [256]
	BatchMaxWait     time.Duration // longest wait for a fuller batch under load; 0 = none
	Breaker          Breaker
	Report           LossReporter
	Buckets          BucketReader // asked before a SKU of a sale of several buckets is called sold out
	Registerer       prometheus.Registerer
	Tracer           *tracing.Tracer // nil: no spans
	Topic            string          // of the orders, in the names of spans
	Log              *slog.Logger    // nil = silent
}

// Bounds that are not settings. Together they guarantee that every purchase is answered within 5 s: a purchase waits at most
// queueWait for its batch, and the batch is answered within answerWithin of the arrival of its oldest purchase.
const (
	answerWithin     = 4500 * time.Millisecond
	queueWait        = 1500 * time.Millisecond
	callTimeout      = time.Second           // one script call; its deadline inside Redis
	askMargin        = 20 * time.Millisecond // after the deadline, before the next call
	askPause         = 100 * time.Millisecond
	maxPending       = 16_384   // purchases that wait in one queue; more are overloaded
	maxWorkers       = 8        // batches of one bucket between script and acknowledgement
	maxAside         = 32       // batches besides, that wait to call again or for a slow Kafka
	maxTrims         = 64       // entries that one call deletes
	maxUnackedBytes  = 64 << 20 // bytes of records that wait for Kafka; the relay publishes what is beyond
	janitorEvery     = 100 * time.Millisecond
	clockEvery       = time.Second
	republishFirst   = 50 * time.Millisecond
	republishMost    = 2 * time.Second
	shortPatience    = 20 * time.Millisecond // wait for Kafka after patienceTimeouts
	patienceTimeouts = 2                     // timeouts in a row after which Kafka counts as away
)

// Engine takes stock for a gateway: purchase in, answer out.
type Engine struct {
	EngineOptions
	clock       *scripts.Clock
	mu          sync.RWMutex // guards queues and patience
	queues      map[sale.Bucket]*bucketQueue
	patience    map[int32]*patience // by partition
	requests    sync.Pool
	workers     sync.Pool
	gate        *gate // counts workers and unacknowledged publications
	rebalancers rebalancers
	janitor     *janitor
	reporter    *reporter
	unacked     unackedBytes
	draining    atomic.Bool // set by Drain: no new purchase is taken
	ended       atomic.Bool // set by Drain at its end: unacknowledged records are left to the relay
	orders      prometheus.Histogram
	stop        context.CancelFunc
	roles       sync.WaitGroup
}

// NewEngine starts an engine; Drain ends it. No server need be up.
func NewEngine(o EngineOptions) *Engine {
	o.setDefaults()
	e := &Engine{EngineOptions: o, clock: scripts.NewClock(nil), gate: newGate(),
		queues: map[sale.Bucket]*bucketQueue{}, patience: map[int32]*patience{}}
	e.requests.New = func() any { return &request{done: make(chan struct{}, 1)} }
	e.workers.New = func() any { return &batchWorker{arguments: scripts.NewArgumentBuffer()} }
	e.rebalancers = rebalancers{of: map[string]*rebalancer{}}
	e.janitor = newJanitor()
	e.reporter = newReporter(o.Report, o.Log)
	e.orders = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "flashsale_batch_orders", Help: "Orders taken by one call of the reserve script.",
		Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000},
	})
	o.Registerer.MustRegister(e.orders, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashsale_node_lease_seconds",
		Help: "Time for which the gateway can make order ids without a renewal of its node id's lease; 0 without a lease.",
	}, func() float64 { return o.IDs.LeaseLeft().Seconds() }))
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.roles.Go(func() { e.janitor.run(ctx, o.Log) })
	e.roles.Go(func() { e.reporter.run(ctx) })
	e.roles.Go(func() { e.runClock(ctx) })
	return e
}

func (o *EngineOptions) setDefaults() {
	if o.AckTimeout <= 0 {
		o.AckTimeout = time.Second
	}
	if o.JournalMaxOrders <= 0 {
		o.JournalMaxOrders = 100_000
	}
	if o.BatchMaxOrders <= 0 {
		o.BatchMaxOrders = 256
	}
	o.BatchMaxOrders = min(o.BatchMaxOrders, sale.MaxRecordOrders)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Reserve decides a purchase. It blocks, and always answers within 5 s. When the buyer's bucket has too few units and the
// sale has other buckets, the purchase waits for units from them before it is refused.
func (e *Engine) Reserve(p sale.Purchase) sale.Answer {
	arrivedAt := p.ArrivedAt
	if arrivedAt.IsZero() {
		arrivedAt = time.Now()
	}
	for again := false; ; again = true {
		r := e.requests.Get().(*request)
		r.purchase, r.arrivedAt, r.again = p, arrivedAt, again
		if refusal, refused := e.queue(p).put(r); refused {
			e.requests.Put(r)
			return sale.Answer{Outcome: refusal}
		}
		<-r.done
		answer := r.answer
		r.purchase, r.answer = sale.Purchase{}, sale.Answer{}
		e.requests.Put(r)
		if p.Buckets <= 1 || !lacking(answer) {
			return answer
		}
		if found := e.waitForUnits(p, arrivedAt); !found.again {
			return found.answer
		}
	}
}

// Now returns Redis's time, the zero time while the engine has never learned it.
func (e *Engine) Now() time.Time {
	now, _ := e.clock.Now()
	return now
}

// ClockAhead returns how far this machine's clock is ahead of Redis's, negative when it is behind, and whether the engine has
// learned Redis's time.
func (e *Engine) ClockAhead() (time.Duration, bool) { return e.clock.Ahead() }

// runClock keeps Redis's time while Redis answers; without answers the last offset stays the best guess. Until the first answer
// it asks more often.
func (e *Engine) runClock(ctx context.Context) {
	loop := role.Loop{
		Name: "clock", Log: e.Log,
		Unit: func(ctx context.Context) error {
			_ = e.clock.Poll(ctx, e.Redis) // the calls that need Redis report that it is away
			return nil
		},
		Rest: func(time.Duration) time.Duration {
			if _, known := e.clock.Now(); known {
				return clockEvery
			}
			return janitorEvery
		},
	}
	loop.Run(ctx)
}

// Drain ends the engine. It takes no new purchase, answers every waiting one, waits until every record is acknowledged, and
// trims the acknowledged journal entries. When ctx ends first it leaves the rest to the relay and returns an error.
func (e *Engine) Drain(ctx context.Context) error {
	e.draining.Store(true)
	err := e.gate.drain(ctx)
	e.ended.Store(true)
	e.stop()
	e.roles.Wait()
	e.janitor.sweepLast(ctx)
	return err
}

// queue returns the queue of the purchase's bucket. The number of queues is bounded by the buckets of the catalogue.
func (e *Engine) queue(p sale.Purchase) *bucketQueue {
	e.mu.RLock()
	found := e.queues[p.Bucket]
	e.mu.RUnlock()
	if found != nil {
		return found
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queues[p.Bucket] == nil {
		if e.patience[p.Partition] == nil {
			e.patience[p.Partition] = &patience{}
		}
		e.queues[p.Bucket] = newBucketQueue(e, p.Bucket, p.Partition, e.patience[p.Partition])
	}
	return e.queues[p.Bucket]
}
