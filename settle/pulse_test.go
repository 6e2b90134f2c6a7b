package settle

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/sale"
)

func TestPulseOfASettler(t *testing.T) {
	s, err := New(Options{
		Kafka: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Namespace: "n", Log: slog.New(slog.DiscardHandler),
	}, newDatabase(), prometheus.NewRegistry())
	require.NoError(t, err)
	s.progress.sessionBegan()
	require.Equal(t, sale.SettlePulse{}, s.Pulse())
	s.lag.claim(1, 10, 0, 15, nil)
	s.lag.claim(2, 0, 0, 2, nil)
	s.metrics.rows.Add(3000)
	s.metrics.deadLetters.WithLabelValues(sale.PoisonData).Inc()
	s.metrics.deadLetters.WithLabelValues(sale.PoisonDecode).Inc()
	p := s.Pulse()
	require.Equal(t, int64(7), p.LagRecords)
	require.Equal(t, int64(3000), p.Rows)
	require.Equal(t, int64(2), p.DeadLetters)
	require.GreaterOrEqual(t, p.StalledS, 0.0)
}
