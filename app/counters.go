package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// counted is one series of a counter or histogram: its labels and its count.
type counted struct {
	labels map[string]string
	n      int64
}

// countsOf returns the series of one metric; before the first count there is no series.
func countsOf(metrics prometheus.Gatherer, name string) ([]counted, error) {
	families, err := metrics.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var all []counted
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			one := counted{labels: map[string]string{}, n: int64(metric.GetCounter().GetValue())}
			if family.GetType() == dto.MetricType_HISTOGRAM {
				one.n = int64(metric.GetHistogram().GetSampleCount())
			}
			for _, label := range metric.GetLabel() {
				one.labels[label.GetName()] = label.GetValue()
			}
			all = append(all, one)
		}
	}
	return all, nil
}
