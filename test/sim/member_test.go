package sim

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"flashsale/kafka"
	"flashsale/settle"
)

// member is a settle process's member of the consumer group. What happens between sessions and claims is the engine's own
// handler; the session, the claims and the broker are models.
type member struct {
	*process
	handler settle.Handler
}

func newMember(p *process, registerer prometheus.Registerer, log *slog.Logger) *member {
	broker := &broker{process: p}
	handler, err := settle.NewHandler(settle.Options{
		Kafka: kafka.Options{Brokers: []string{"model"}}, Namespace: namespace, Partitions: p.world.shape.partitions, Log: log,
	}, clerk{p}, settle.Links{
		Client: brokerClient{broker: broker}, Admin: brokerAdmin{broker: broker}, DeadLetters: brokerDeadLetters{broker: broker},
	}, func(err error) {
		p.world.watch.fault("settlement of %s has ended for good: %v", p.name, err)
	}, registerer)
	if err != nil {
		panic(err)
	}
	return &member{process: p, handler: handler}
}

// run takes part in one session after the other. A session ends when the group changes, which run checks now and then.
func (m *member) run(ctx context.Context) {
	for ctx.Err() == nil {
		mine := m.world.shares(m)
		if err := m.session(ctx, mine); err != nil {
			m.world.trace.add(m.name, "session failed: "+err.Error())
		}
		_ = hold(ctx, m.chance.span(20*time.Millisecond, 200*time.Millisecond)) // the loop looks at ctx
	}
}

func (m *member) session(ctx context.Context, mine []int32) error {
	s := &session{member: m, ctx: ctx, partitions: mine, marked: map[int32]int64{}}
	ctx, end := context.WithCancel(ctx)
	defer end()
	s.ctx = ctx
	if err := m.handler.Setup(s); err != nil {
		return errors.Join(err, m.handler.Cleanup(s)) // as the library does
	}
	var claims sync.WaitGroup
	for _, partition := range mine {
		c := &claim{session: s, partition: partition, messages: make(chan *sarama.ConsumerMessage, 8)}
		claims.Go(func() {
			if !m.handler.Found(partition) {
				return // the session is over
			}
			claims.Go(c.feed)
			_ = m.handler.ConsumeClaim(s, c) // nil by its contract
			end()
		})
	}
	claims.Go(func() {
		m.watchGroup(ctx, mine)
		end()
	})
	claims.Wait()
	return m.handler.Cleanup(s)
}

// watchGroup returns when the partitions are dealt anew, as a heartbeat would report.
func (m *member) watchGroup(ctx context.Context, mine []int32) {
	for ctx.Err() == nil {
		_ = hold(ctx, 300*time.Millisecond) // the loop looks at ctx
		if m.thaw(ctx) != nil || !slices.Equal(m.world.shares(m), mine) {
			return
		}
	}
}

// session is the model of a group session.
type session struct {
	*member
	ctx        context.Context
	partitions []int32

	lock   sync.Mutex
	starts map[int32]int64
	marked map[int32]int64
}

var _ sarama.ConsumerGroupSession = (*session)(nil)

func (s *session) Claims() map[string][]int32 {
	return map[string][]int32{kafka.TopicsOf(namespace).Orders: s.partitions}
}
func (s *session) MemberID() string         { return s.name }
func (s *session) GenerationID() int32      { return 1 }
func (s *session) Context() context.Context { return s.ctx }

func (s *session) MarkOffset(_ string, partition int32, offset int64, _ string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.marked[partition] = max(s.marked[partition], offset)
}

func (s *session) ResetOffset(_ string, partition int32, offset int64, _ string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.marked[partition] >= offset {
		s.marked[partition] = offset
	}
	if s.starts == nil {
		s.starts = map[int32]int64{}
	}
	s.starts[partition] = offset
}

func (s *session) MarkMessage(m *sarama.ConsumerMessage, metadata string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, metadata)
}

func (s *session) Commit() {
	s.lock.Lock()
	marked := map[int32]int64{}
	for partition, next := range s.marked {
		marked[partition] = next
	}
	s.lock.Unlock()
	ctx, cancel := s.patience(time.Second)
	defer cancel()
	_ = s.call(ctx, s.world.queue.place, "commit-offset", func() { // the next commit replaces one that fails
		for partition, next := range marked {
			s.world.queue.commit(partition, next)
		}
	})
}

// claim is the model of a partition in a session.
type claim struct {
	*session
	partition int32
	messages  chan *sarama.ConsumerMessage
}

var _ sarama.ConsumerGroupClaim = (*claim)(nil)

func (c *claim) Topic() string                            { return kafka.TopicsOf(namespace).Orders }
func (c *claim) Partition() int32                         { return c.partition }
func (c *claim) HighWaterMarkOffset() int64               { return c.world.queue.end(c.partition) }
func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

func (c *claim) InitialOffset() int64 {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.starts[c.partition]
}

const fetchTimeout = time.Second

// feed fetches records until the session ends.
func (c *claim) feed() {
	defer close(c.messages)
	for next := c.InitialOffset(); c.ctx.Err() == nil; {
		var records []record
		var grown <-chan struct{}
		from := next
		ctx, cancel := context.WithTimeout(c.ctx, fetchTimeout)
		err := c.call(ctx, c.world.queue.place, "fetch", func() {
			records, grown = c.world.queue.from(c.partition, from)
		})
		cancel()
		if err != nil {
			_ = hold(c.ctx, 50*time.Millisecond) // the loop looks at ctx
			continue
		}
		for _, r := range records {
			message := &sarama.ConsumerMessage{
				Topic: c.Topic(), Partition: c.partition, Offset: next, Key: r.key, Value: r.value,
			}
			select {
			case c.messages <- message:
				next++
			case <-c.ctx.Done():
				return
			}
		}
		if len(records) == 0 {
			await(c.ctx, grown)
		}
	}
}
