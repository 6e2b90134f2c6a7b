package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// ending logs that a process was told to end, and afterwards how much the process did until it ended.
type ending struct {
	log     *slog.Logger
	role    string
	metrics []prometheus.Gatherer
	once    sync.Once
	begun   time.Time
	before  map[string]int64 // the counts when the process was told to end
}

// drainCounts are the attributes of the last line: by how much each metric rose between the two lines.
var drainCounts = [...]struct{ attribute, metric string }{
	{"requests", "flashsale_http_request_duration_seconds"},
	{"orders", "flashsale_purchases_total"},
	{"rows", "flashsale_settle_rows_total"},
}

// watchEnding logs a line when ctx ends. The caller calls ended when the process has drained, and ended logs the last
// line. It logs nothing when ctx has not ended: then an error ended the process, and that error is reported.
func watchEnding(ctx context.Context, log *slog.Logger, role string, metrics ...prometheus.Gatherer) (ended func(error)) {
	e := &ending{log: log, role: role, metrics: metrics}
	begin := func() { e.once.Do(func() { e.begin(context.Cause(ctx)) }) }
	unwatch := context.AfterFunc(ctx, begin)
	return func(fault error) {
		unwatch()
		if ctx.Err() != nil {
			begin()
			e.end(fault)
		}
	}
}

func (e *ending) begin(why error) {
	e.begun, e.before = time.Now(), e.counts()
	e.log.Info("ending: draining", "process", e.role, "why", why.Error())
}

func (e *ending) end(fault error) {
	drained := []any{"process", e.role, "after", time.Since(e.begun).Round(time.Millisecond).String()}
	after := e.counts()
	for _, what := range drainCounts {
		if n, known := after[what.attribute]; known {
			drained = append(drained, what.attribute, n-e.before[what.attribute])
		}
	}
	if fault != nil {
		e.log.Error("ended: not everything was drained", append(drained, "error", fault.Error())...)
		return
	}
	e.log.Info("ended: drained", drained...)
}

// counts returns every count of this process by attribute.
func (e *ending) counts() map[string]int64 {
	sums := map[string]int64{}
	for _, what := range drainCounts {
		for _, metrics := range e.metrics {
			series, err := countsOf(metrics, what.metric)
			if err != nil {
				e.log.Warn("the drained work could not be counted", "error", err)
			}
			for _, one := range series {
				if outcome, has := one.labels["outcome"]; !has || slices.Contains(takenOutcomes(), outcome) {
					sums[what.attribute] += one.n
				}
			}
		}
	}
	return sums
}

// takenOutcomes are the outcomes of presses that made an order.
func takenOutcomes() []string {
	return []string{sale.OutcomeQueued.String(), sale.OutcomeHeld.String()}
}
