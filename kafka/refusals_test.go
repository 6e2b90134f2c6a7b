package kafka

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
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
		dead(errors.New("connection refused"))
		require.Equal(t, 2, strings.Count(said.String(), "kafka refused records"), said.String())
		require.Contains(t, said.String(), sarama.ErrInvalidTimestamp.Error())
		<-time.After(sayEvery)
		orders(sarama.ErrInvalidTimestamp)
		require.Contains(t, said.String(), "topic=orders attempts=3")
		require.InDelta(t, 4, testutil.ToFloat64(r.counts.WithLabelValues("orders")), 0)
		require.InDelta(t, 1, testutil.ToFloat64(r.counts.WithLabelValues("dead")), 0)
		_, err = NewRefusals(registry, slog.New(slog.DiscardHandler))
		require.Error(t, err, "one for a process")
	})
}
