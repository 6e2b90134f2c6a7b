package settle

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"flashsale/faults"
	"flashsale/kafka"
	"flashsale/sale"
)

// maxDetailBytes bounds the explanation stored with a dead letter.
const maxDetailBytes = 1000

// deadLetterPublisher stores a copy of a dead letter outside the database.
type deadLetterPublisher interface {
	publish(ctx context.Context, letter *sale.DeadLetter) error
}

// moveToDeadLetters puts a record into the dead letters: first into the dead-letter topic, then into the database, so
// that the database has no dead letter without a copy. Both steps repeat until they succeed. A second move of the same
// record changes nothing in the database and adds a second copy to the topic.
func (s *settling) moveToDeadLetters(ctx context.Context, d *sale.Delivery, reason string, cause error) error {
	letter := newLetter(d, reason, cause)
	err := s.persist(ctx, "publish dead letter", func(ctx context.Context) error {
		return s.deadLetters.publish(ctx, &letter)
	})
	if err != nil {
		return err
	}
	faults.Point("settle.dead-letter-published")
	err = s.persist(ctx, "store dead letter", func(ctx context.Context) error {
		return s.store.AddDeadLetter(ctx, letter)
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

// clip shortens text to at most limit bytes of valid UTF-8, because a database refuses a row whose text is not valid.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}

// RecordSender sends records to one topic. It returns nil when every replica has every record; after an error it is
// unknown which of them the topic has.
type RecordSender interface {
	Send(records []kafka.Record) error
}

// deadLetterTopic is the dead-letter topic. Its records carry the bytes of the record as it was received.
type deadLetterTopic struct {
	sender  RecordSender
	refused func(error)
}

// publish returns nil when every replica has the letter, and an error when that is unknown.
func (t *deadLetterTopic) publish(ctx context.Context, letter *sale.DeadLetter) error {
	record := kafka.Record{
		Key:   []byte(letter.ID),
		Value: letter.Raw,
		Headers: kafka.Headers{}.With("reason", letter.Reason).With("detail", letter.Detail).
			With("partition", strconv.FormatInt(int64(letter.Partition), 10)).
			With("offset", strconv.FormatInt(letter.Offset, 10)),
	}
	return kafka.Await(ctx, func() error {
		if err := t.sender.Send([]kafka.Record{record}); err != nil {
			t.refused(err)
			return fmt.Errorf("publish dead letter %s: %w", letter.ID, err)
		}
		return nil
	})
}
