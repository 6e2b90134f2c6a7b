package settle

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"flashsale/kafka"
	"flashsale/role"
)

// connection is every open connection to Kafka. A broker answers the requests of one connection in their order, and a
// fetch waits for records: requests that must not wait for a fetch use the side client.
type connection struct {
	giveUp context.CancelFunc // ends every connection, so that every pending request fails at once
	client *groupClient       // of the group
	group  sarama.ConsumerGroup
	side   sarama.Client // of the admin, the offsets and the dead letters
	admin  sarama.ClusterAdmin
}

// connect repeats tryConnect until it succeeds; it returns nil when ctx ends first.
func (s *Settler) connect(ctx context.Context) (conn *connection) {
	failures := 0
	role.Until(ctx, role.Backoff, func() (done bool) {
		if ctx.Err() != nil {
			return true
		}
		opened, err := s.tryConnect(ctx)
		if err == nil {
			conn = opened
			return true
		}
		if failures++; role.Noteworthy(failures) {
			s.log.Warn("kafka cannot be used yet", "try", failures, "error", err)
		}
		return false
	})
	return conn
}

// tryConnect opens the connection and checks the topics once.
func (s *Settler) tryConnect(ctx context.Context) (*connection, error) {
	conn := &connection{}
	var until context.Context
	until, conn.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	opened := make(chan struct{})
	err := kafka.Await(ctx, func() error {
		defer close(opened)
		return conn.open(until, s)
	})
	if err == nil {
		return conn, nil
	}
	conn.giveUp()
	<-opened
	s.setKafka(err.Error())
	s.progress.failed(err)
	return nil, errors.Join(err, conn.close())
}

func (c *connection) open(until context.Context, s *Settler) (err error) {
	brokers, config := s.options.Kafka.Brokers, kafka.BoundTo(until, s.config)
	if c.side, err = sarama.NewClient(brokers, kafka.Prompt(config)); err != nil {
		return fmt.Errorf("reach kafka at %v: %w", brokers, err)
	}
	if c.admin, err = sarama.NewClusterAdminFromClient(c.side); err != nil {
		return fmt.Errorf("reach the kafka controller: %w", err)
	}
	if err = s.topics.Check(c.admin, s.options.Partitions); err != nil {
		return err
	}
	client, err := sarama.NewClient(brokers, groupConfig(config))
	if err != nil {
		return fmt.Errorf("reach kafka at %v: %w", brokers, err)
	}
	c.client = &groupClient{Client: client}
	if c.group, err = sarama.NewConsumerGroupFromClient(kafka.GroupOf(s.options.Namespace), c.client); err != nil {
		return fmt.Errorf("start the consumer group: %w", err)
	}
	return nil
}

// close leaves the group and closes the clients; the admin uses the side client.
func (c *connection) close() error {
	var err error
	if c.group != nil {
		err = errors.Join(err, c.group.Close())
	}
	if c.client != nil {
		err = errors.Join(err, c.client.Close())
	}
	if c.side != nil {
		err = errors.Join(err, c.side.Close())
	}
	c.giveUp()
	return err
}
