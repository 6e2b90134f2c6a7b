package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"flashsale/kafka"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
)

const (
	// retentionEvery is how often the role looks for old records.
	retentionEvery = time.Minute
	// retentionTimeout bounds one look over all partitions of the three topics; the next look begins where it stopped.
	retentionTimeout = time.Minute
	// settledFor is how long a record must have been settled before it may be deleted. A database that loses its last
	// commits, as an asynchronous replica that becomes the primary does, settles their records again from the topic.
	settledFor = time.Hour
)

// Settled is the part of the database that retention needs.
type Settled interface {
	// Positions returns how far each partition has settled by the database's own count.
	Positions(ctx context.Context) ([]sale.Position, error)
}

// RetentionOptions are the parts of a Retention.
type RetentionOptions struct {
	Kafka      kafka.Options
	Namespace  string        // prefix of the topics and of the consumer group
	Keep       time.Duration // the age at which records are deleted; 0: none is
	Settled    Settled
	Leases     lease.Leases
	Owner      string // names this process in the lease
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Retention deletes old records from the three topics of a namespace. One process at a time does it.
//
// Brokers delete by age alone, so the engine sets no limit on its topics and deletes by itself: of the orders topic only
// records that have been settled for settledFor, and none that the group or an operator will read again. The records of
// the other topics are for others to read: their age alone counts.
type Retention struct {
	RetentionOptions
	config  *sarama.Config
	topics  kafka.Topics
	deleted *prometheus.CounterVec
	proven  provenPositions
}

// NewRetention checks the options and registers the metrics; Run does the work. Kafka need not be up.
func NewRetention(o RetentionOptions) (*Retention, error) {
	config, err := consumerConfig(o.Kafka)
	if err != nil {
		return nil, err
	}
	config.Consumer.MaxWaitTime = tailWait
	r := &Retention{
		RetentionOptions: o, config: kafka.Prompt(config), topics: kafka.TopicsOf(o.Namespace),
		proven: provenPositions{after: settledFor},
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashsale_retention_deleted_records_total",
			Help: "Records that this process has deleted from a topic because of their age.",
		}, []string{"topic"}),
	}
	for _, topic := range []string{"orders", "dead", "events"} {
		r.deleted.WithLabelValues(topic)
	}
	if err := o.Registerer.Register(r.deleted); err != nil {
		return nil, fmt.Errorf("register the metrics of retention: %w", err)
	}
	return r, nil
}

// Run deletes old records until ctx ends; it returns at once when all records are kept. A broker that cannot delete
// records, or does not allow it, costs a line in the log and nothing else.
func (r *Retention) Run(ctx context.Context) {
	if r.Keep <= 0 {
		return
	}
	own := &lease.Lease{Leases: r.Leases, Name: lease.Retention, Owner: r.Owner, Log: r.Log}
	own.Serve(ctx, role.Loop{
		Name: "retention", Failing: "old records could not be deleted from the topics and stay", Log: r.Log,
		Unit: r.look, Every: retentionEvery, Limit: retentionTimeout,
	})
}

// look deletes what is old now. A topic that fails does not delay the others.
func (r *Retention) look(ctx context.Context) error {
	now := time.Now()
	settled, err := r.Settled.Positions(ctx)
	if err != nil {
		return fmt.Errorf("read what has settled: %w", err)
	}
	settled = r.proven.note(now, settled)
	return kafka.Await(ctx, func() (err error) {
		client, err := sarama.NewClient(r.Kafka.Brokers, kafka.BoundTo(ctx, r.config))
		if err != nil {
			return fmt.Errorf("reach kafka at %v: %w", r.Kafka.Brokers, err)
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		admin, err := sarama.NewClusterAdminFromClient(client)
		if err != nil {
			return fmt.Errorf("reach the kafka controller: %w", err)
		}
		old := &oldRecords{client: client, admin: admin, before: now.Add(-r.Keep), deleted: r.deleted}
		return errors.Join(
			r.orders(ctx, old, settled),
			old.delete(ctx, r.topics.Dead, "dead", everything),
			old.delete(ctx, r.topics.Events, "events", everything),
		)
	})
}

// orders deletes from the orders topic up to what has settled, by the lower of the two counts at which settlement may
// start again. A partition stays whole when the database has settled none of it, or another topic of that name.
func (r *Retention) orders(ctx context.Context, old *oldRecords, settled []sale.Position) error {
	described, err := kafka.Describe(old.admin, r.topics.Orders)
	if err != nil {
		return err
	}
	limits := map[int32]int64{}
	var partitions []int32
	for _, at := range settled {
		if at.TopicID == described.Uuid.String() {
			limits[at.Partition], partitions = at.Next, append(partitions, at.Partition)
		}
	}
	if len(limits) == 0 {
		return nil
	}
	reader := &offsetReader{client: old.client, admin: old.admin, topic: r.topics.Orders, group: kafka.GroupOf(r.Namespace)}
	committed, err := reader.committed(partitions)
	if err != nil {
		return err
	}
	for partition := range limits {
		block := committed.GetBlock(r.topics.Orders, partition)
		switch {
		case block == nil:
			return fmt.Errorf("read the offset of partition %d: %w", partition, sarama.ErrIncompleteResponse)
		case block.Err != sarama.ErrNoError:
			return fmt.Errorf("read the offset of partition %d: %w", partition, block.Err)
		case block.Offset != noOffset:
			limits[partition] = min(limits[partition], block.Offset)
		}
	}
	return old.delete(ctx, r.topics.Orders, "orders", func(partition int32, _ int64) int64 { return limits[partition] })
}

// provenPositions remembers what had settled a while ago. Its zero value proves nothing.
type provenPositions struct {
	after time.Duration // positions that are so old are proven

	proven, noted []sale.Position
	notedAt       time.Time
}

// note takes the present positions and returns the lower of them and the proven ones, for each partition that has both.
func (p *provenPositions) note(now time.Time, present []sale.Position) (settled []sale.Position) {
	if p.notedAt.IsZero() {
		p.noted, p.notedAt = present, now
	}
	if now.Sub(p.notedAt) >= p.after {
		p.proven, p.noted, p.notedAt = p.noted, present, now
	}
	for _, before := range p.proven {
		for _, at := range present {
			if at.Partition == before.Partition && at.TopicID == before.TopicID {
				settled = append(settled, sale.Position{
					Partition: at.Partition, TopicID: at.TopicID, Next: min(at.Next, before.Next),
				})
			}
		}
	}
	return settled
}
