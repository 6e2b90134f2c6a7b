package settle

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"flashsale/faults"
	"flashsale/sale"
)

// maxDetailBytes bounds the explanation that is kept with a dead letter.
const maxDetailBytes = 1000

// bury puts a record into the dead letters: first into the dead-letter topic, then into the database, so that a row
// never stands for a record of which no copy exists. Both repeat until they succeed; a second burial changes nothing
// in the database and adds a second copy to the topic.
func (s *settling) bury(ctx context.Context, d *sale.Delivery, reason string, cause error) error {
	letter := newLetter(d, reason, cause)
	err := s.persist(ctx, "publish dead letter", func(ctx context.Context) error {
		return s.grave.publish(ctx, &letter)
	})
	if err != nil {
		return err
	}
	faults.Point("settle.dead-letter-published")
	err = s.persist(ctx, "keep dead letter", func(ctx context.Context) error {
		return s.books.AddDeadLetter(ctx, letter)
	})
	if err != nil {
		return err
	}
	faults.Point("settle.dead-letter-kept")
	s.metrics.deadLetters.WithLabelValues(reason).Inc()
	s.log.Error("record cannot settle and waits in the dead letters",
		"dead_letter", letter.ID, "reason", reason, "detail", letter.Detail, "orders", len(letter.Orders))
	return nil
}

func newLetter(d *sale.Delivery, reason string, cause error) sale.DeadLetter {
	letter := sale.DeadLetter{
		ID:        fmt.Sprintf("%d-%d", d.Partition, d.Offset),
		Reason:    reason,
		Detail:    clip(cause.Error(), maxDetailBytes),
		State:     sale.DeadLetterWaiting,
		Partition: d.Partition,
		Offset:    d.Offset,
		Raw:       d.Raw,
		Batch:     d.Record.Batch,
	}
	if letter.Batch != nil {
		letter.Orders = letter.Batch.Orders
	}
	return letter
}

// clip shortens text to at most limit bytes of valid UTF-8: what a broken record brought along must not break the row
// that describes it.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}

// deadTopic is the dead-letter topic. Its records carry the bytes of the record as it was received.
type deadTopic struct {
	producer sarama.SyncProducer
	topic    string
	refused  func(error)
}

// publish returns when every replica has the letter, with an error when that is not known.
func (t *deadTopic) publish(ctx context.Context, letter *sale.DeadLetter) error {
	message := &sarama.ProducerMessage{
		Topic:     t.topic,
		Key:       sarama.StringEncoder(letter.ID),
		Value:     sarama.ByteEncoder(letter.Raw),
		Timestamp: time.Now(),
		Headers: []sarama.RecordHeader{
			header("reason", letter.Reason),
			header("detail", letter.Detail),
			header("partition", strconv.FormatInt(int64(letter.Partition), 10)),
			header("offset", strconv.FormatInt(letter.Offset, 10)),
		},
	}
	return await(ctx, func() error {
		if _, _, err := t.producer.SendMessage(message); err != nil {
			t.refused(err)
			return fmt.Errorf("publish dead letter %s: %w", letter.ID, err)
		}
		return nil
	})
}

func header(name, value string) sarama.RecordHeader {
	return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
}

// await runs a call of sarama, which knows no contexts, and returns early when ctx ends. The call then ends by sarama's
// own timeouts.
func await(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
