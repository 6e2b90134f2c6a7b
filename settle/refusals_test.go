package settle

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestRefusalsAreCountedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		registry := prometheus.NewRegistry()
		r, err := NewRefusals(registry, slog.New(slog.NewTextHandler(&said, nil)))
		require.NoError(t, err)
		orders, dead := r.Of("orders"), r.Of("dead")
		for range 3 {
			orders(sarama.ErrInvalidTimestamp)
		}
		dead(errAway)
		require.Equal(t, 2, strings.Count(said.String(), "kafka did not take records"), said.String())
		require.Contains(t, said.String(), sarama.ErrInvalidTimestamp.Error())
		<-time.After(faultInterval)
		orders(sarama.ErrInvalidTimestamp)
		require.Contains(t, said.String(), "topic=orders attempts=3")
		require.InDelta(t, 4, testutil.ToFloat64(r.counts.WithLabelValues("orders")), 0)
		require.InDelta(t, 1, testutil.ToFloat64(r.counts.WithLabelValues("dead")), 0)
		_, err = NewRefusals(registry, slog.New(slog.DiscardHandler))
		require.Error(t, err, "one for a process")
	})
}

// refusingProducer is a broker that takes no record.
type refusingProducer struct{ sarama.SyncProducer }

func (refusingProducer) SendMessage(*sarama.ProducerMessage) (int32, int64, error) {
	return 0, 0, sarama.ErrInvalidTimestamp
}

func TestRefusedDeadLetterIsHeardOf(t *testing.T) {
	var heard []error
	grave := deadTopic{producer: refusingProducer{}, topic: "dead", refused: func(err error) { heard = append(heard, err) }}
	require.ErrorIs(t, grave.publish(t.Context(), &sale.DeadLetter{ID: "0-1"}), sarama.ErrInvalidTimestamp)
	require.Equal(t, []error{sarama.ErrInvalidTimestamp}, heard)
}

func TestRefusedPageOfEventsIsHeardOf(t *testing.T) {
	out := &fakeOutgoing{}
	out.add(told(sale.StatusConfirmed, 1))
	p := newFakePublisher(t, "me", newFakeLeases(), out, &fakeEvents{failures: []error{errAway}})
	var heard []error
	p.Refused = func(err error) { heard = append(heard, err) }
	_, err := p.page(t.Context())
	require.ErrorIs(t, err, errAway)
	require.Len(t, heard, 1)
	require.ErrorIs(t, heard[0], errAway)
	_, err = p.page(t.Context())
	require.NoError(t, err)
	require.Len(t, heard, 1)
}
