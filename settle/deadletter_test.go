package settle

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/sale"
)

// refusingSender is a broker that accepts no record.
type refusingSender struct{}

func (refusingSender) Send([]kafka.Record) error { return sarama.ErrInvalidTimestamp }

func TestRefusedDeadLetterIsHeardOf(t *testing.T) {
	var refused []error
	topic := deadLetterTopic{sender: refusingSender{}, refused: func(err error) { refused = append(refused, err) }}
	require.ErrorIs(t, topic.publish(t.Context(), &sale.DeadLetter{ID: "0-1"}), sarama.ErrInvalidTimestamp)
	require.Equal(t, []error{sarama.ErrInvalidTimestamp}, refused)
}

// keptSender keeps the records that it is given.
type keptSender struct{ records []kafka.Record }

func (s *keptSender) Send(records []kafka.Record) error {
	s.records = append(s.records, records...)
	return nil
}

// A dead letter has the bytes as they were received, under its id, and the reason.
func TestADeadLetterCarriesItsRecordAndItsReason(t *testing.T) {
	kept := &keptSender{}
	topic := deadLetterTopic{sender: kept}
	letter := sale.DeadLetter{ID: "3-9", Reason: sale.PoisonData, Detail: "out of range", Partition: 3, Offset: 9,
		Raw: []byte("raw")}
	require.NoError(t, topic.publish(t.Context(), &letter))
	require.Len(t, kept.records, 1)
	require.Equal(t, "3-9", string(kept.records[0].Key))
	require.Equal(t, "raw", string(kept.records[0].Value))
	headers := map[string]string{}
	for _, h := range kept.records[0].Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	require.Equal(t, map[string]string{
		"reason": sale.PoisonData, "detail": "out of range", "partition": "3", "offset": "9",
	}, headers)
}
