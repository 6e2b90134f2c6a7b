package settle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"flashsale/kafka"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/tracing"
)

// Defaults for bounds that Options leaves 0: larger transactions were not faster, and fewer fetches did not save the
// broker much work.
const (
	DefaultMaxRows       = 1000
	DefaultMaxBytes      = 1 << 20
	DefaultFetchMinBytes = 128 << 10
	DefaultFetchMaxWait  = 50 * time.Millisecond
)

// shortSession is the length below which a session counts as failed: the consumer pauses before the next one.
const shortSession = time.Second

// Options of a Settler.
type Options struct {
	Kafka      kafka.Options
	Namespace  string          // prefix of the topics and of the consumer group
	Partitions int32           // the least number that the orders topic must have
	MaxRows    int             // orders in one transaction; a single record may have more
	MaxBytes   int             // bytes of records in one transaction; a single record may have more
	Log        *slog.Logger    // slog.Default() when nil
	Refused    func(error)     // called with the error of each dead letter that Kafka refused; may be nil
	Tracer     *tracing.Tracer // nil: no spans

	// A broker answers a fetch when it has FetchMinBytes of records, or after FetchMaxWait. Each answer costs the
	// broker as much as a produce request, so an answer per batch would double its work.
	FetchMinBytes int
	FetchMaxWait  time.Duration
}

// Settler is the consumer of one process.
type Settler struct {
	options  Options
	topics   kafka.Topics
	store    Store
	log      *slog.Logger
	config   *sarama.Config
	metrics  *metrics
	lag      *lag
	progress *progress

	pressure pressure

	knownID string // of the orders topic that earlier connections have read

	mu      sync.Mutex
	waiting map[string]string // what readiness waits for
}

// New checks the options and registers the metrics; Kafka need not be up.
func New(o Options, store Store, registerer prometheus.Registerer) (*Settler, error) {
	config, err := consumerConfig(o.Kafka)
	if err != nil {
		return nil, err
	}
	o.MaxRows = cmp.Or(o.MaxRows, DefaultMaxRows)
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	config.Consumer.Fetch.Min = int32(cmp.Or(o.FetchMinBytes, DefaultFetchMinBytes))
	config.Consumer.MaxWaitTime = cmp.Or(o.FetchMaxWait, DefaultFetchMaxWait)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Settler{
		options: o, topics: kafka.TopicsOf(o.Namespace), store: store, log: o.Log, config: config, lag: newLag(),
		waiting: map[string]string{"kafka": "not reached yet"},
	}
	s.progress = newProgress(s.lag)
	s.metrics, err = newMetrics(registerer, s.lag, s.progress)
	return s, err
}

// Pressed reports whether more rows are ready than a transaction takes.
func (s *Settler) Pressed() bool { return s.pressure.high() }

// Ready returns what the process waits for, by the name of the check; an empty map means ready. When a broker goes away
// later, Ready reports it only after settlement has stalled for stalledAfter.
func (s *Settler) Ready() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	checks := s.progress.checks()
	maps.Copy(checks, s.waiting)
	return checks
}

func (s *Settler) setKafka(waiting string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting == "" {
		delete(s.waiting, "kafka")
		return
	}
	s.waiting["kafka"] = waiting
}

// errStuck is the reason for rebuilding the clients.
var errStuck = fmt.Errorf("no session has begun within %s", beginWithin)

// Run settles until ctx ends, then finishes the running transactions, commits their offsets, leaves the group and
// returns nil. It waits for a broker that is away. It returns an *OffsetError when a partition cannot be continued, and
// an error that is sale.ErrBehind when the database has lost what the records depend on.
func (s *Settler) Run(ctx context.Context) error {
	s.progress.start()
	for {
		conn := s.connect(ctx)
		if conn == nil {
			return nil
		}
		s.setKafka("")
		err := s.settle(ctx, conn)
		if !errors.Is(err, errStuck) {
			return err
		}
		s.log.Warn("the kafka clients are being rebuilt", "error", err)
	}
}

// settle settles over a connection until ctx ends, and closes the connection. errStuck means that the connection must
// be replaced.
func (s *Settler) settle(ctx context.Context, conn *connection) error {
	offsets := &offsetReader{
		client: conn.side, admin: conn.admin, topic: s.topics.Orders, group: kafka.GroupOf(s.options.Namespace),
		knownID: s.knownID,
	}
	sessions, end := context.WithCancelCause(ctx)
	context.AfterFunc(sessions, func() {
		if !errors.Is(context.Cause(sessions), errStuck) {
			s.setKafka("draining")
		}
	})
	s.progress.waitForKafka()
	var roles sync.WaitGroup
	roles.Go(func() {
		if err := (&watcher{offsets: offsets, store: s.store, lag: s.lag, progress: s.progress}).run(sessions); err != nil {
			end(err)
		}
	})
	roles.Go(func() { s.rewinds().Rewind(sessions) })
	roles.Go(func() { s.logFaults(conn.group.Errors()) }) // ends when the group is closed
	roles.Go(func() {
		if s.waitUntilStuck(sessions) {
			end(errStuck)
			conn.giveUp()
		}
	})
	err := s.consume(sessions, end, conn, offsets)
	end(nil)
	if closing := conn.close(); closing != nil && !errors.Is(err, errStuck) {
		s.log.Warn("closing the kafka connections failed", "error", closing)
	}
	roles.Wait()
	s.knownID = offsets.known()
	return err
}

// waitUntilStuck returns true as soon as Kafka has delayed a session for too long; false when ctx ends first.
func (s *Settler) waitUntilStuck(ctx context.Context) bool {
	return role.Until(ctx, role.Always(watchInterval), s.progress.stuck)
}

// logFaults drains the faults that sarama repairs by itself. Their consequences are reported elsewhere: a session that
// fails, an offset that is committed later.
func (s *Settler) logFaults(faults <-chan error) {
	for err := range faults {
		s.log.Warn("kafka reports a fault of the consumer", "error", err)
	}
}

// final reports whether an error ends settling permanently: only an operator can repair its cause.
func final(err error) bool {
	var offset *OffsetError
	return errors.As(err, &offset) || errors.Is(err, sale.ErrBehind)
}

// consume runs session after session of the group until ctx ends. A session or a claim whose error only an operator can
// repair ends it through halt.
func (s *Settler) consume(ctx context.Context, halt context.CancelCauseFunc, conn *connection, offsets *offsetReader) error {
	member := s.member(kafka.NewSender(conn.side, s.topics.Dead), offsets, conn.client.starts.Store, halt)
	conn.client.member = member
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		err := conn.group.Consume(ctx, []string{s.topics.Orders}, member)
		if final(err) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			s.progress.failed(fmt.Errorf("join the group: %w", err))
		}
		if err != nil && ctx.Err() == nil && role.Noteworthy(failures+1) {
			s.log.Warn("the consumer group session failed and will be joined again", "try", failures+1, "error", err)
		}
		if err == nil && time.Since(began) > shortSession {
			failures = 0
			continue
		}
		failures++
		role.Pause(ctx, role.Backoff(failures))
	}
	if cause := context.Cause(ctx); final(cause) || errors.Is(cause, errStuck) {
		return cause
	}
	return nil
}
