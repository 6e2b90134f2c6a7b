package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// logLines returns the lines of a log whose message begins with a text.
func logLines(t *testing.T, log, message string) (found []map[string]any) {
	t.Helper()
	for _, text := range strings.Split(strings.TrimSpace(log), "\n") {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil {
			continue // a library's warning
		}
		if said, _ := line["msg"].(string); strings.HasPrefix(said, message) {
			found = append(found, line)
		}
	}
	return found
}

// Presses before the process was told to end are not counted as drained, and neither are refusals.
func TestEndingTellsWhatWasDrained(t *testing.T) {
	registry := prometheus.NewRegistry()
	presses := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flashsale_purchases_total"}, []string{"outcome"})
	rows := prometheus.NewCounter(prometheus.CounterOpts{Name: "flashsale_settle_rows_total"})
	registry.MustRegister(presses, rows)
	presses.WithLabelValues("queued").Add(100)
	var log bytes.Buffer
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := watchEnding(ctx, slog.New(slog.NewJSONHandler(&log, nil)), "gateway", registry)
	cancel(errors.New("terminated signal received"))
	ended(nil) // also when it is called before the watcher has run
	begins := logLines(t, log.String(), "ending: draining")
	require.Len(t, begins, 1)
	require.Equal(t, "terminated signal received", begins[0]["why"])
	ends := logLines(t, log.String(), "ended: drained")
	require.Len(t, ends, 1)
	require.Equal(t, []any{0.0, 0.0, "gateway"}, []any{ends[0]["orders"], ends[0]["rows"], ends[0]["process"]})
	require.NotContains(t, ends[0], "requests", "a count that this process does not have is not logged")

	log.Reset()
	e := &ending{log: slog.New(slog.NewJSONHandler(&log, nil)), role: "gateway", metrics: []prometheus.Gatherer{registry}}
	e.begin(context.Canceled)
	presses.WithLabelValues("queued").Add(3)
	presses.WithLabelValues("held").Inc()
	presses.WithLabelValues("sold_out").Add(50)
	rows.Add(7)
	e.end(errors.New("kafka is away"))
	ends = logLines(t, log.String(), "ended: not everything was drained")
	require.Len(t, ends, 1)
	require.Equal(t, []any{4.0, 7.0, "kafka is away"}, []any{ends[0]["orders"], ends[0]["rows"], ends[0]["error"]})
}

// An error that ends a process is reported as an error, not as a requested end.
func TestEndingIsSilentWhenNobodyAsked(t *testing.T) {
	var log bytes.Buffer
	watchEnding(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), "settle", prometheus.NewRegistry())(errors.New("fault"))
	require.Empty(t, log.String())
}
