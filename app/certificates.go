package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"flashsale/settings"
)

// certificateEnds shows when the files of certificates end. It is a prometheus.Collector.
type certificateEnds struct {
	files []settings.Certificate
	ends  *prometheus.Desc
}

func newCertificateEnds(files []settings.Certificate) *certificateEnds {
	return &certificateEnds{files: files, ends: prometheus.NewDesc("flashsale_certificate_not_after_seconds",
		"When a certificate by which a store is reached ends, in Unix seconds; of several in a file the first.",
		[]string{"store", "kind"}, nil)}
}

// Describe is part of prometheus.Collector.
func (c *certificateEnds) Describe(out chan<- *prometheus.Desc) { out <- c.ends }

// Collect is part of prometheus.Collector.
func (c *certificateEnds) Collect(out chan<- prometheus.Metric) {
	for _, file := range c.files {
		out <- prometheus.MustNewConstMetric(c.ends, prometheus.GaugeValue, float64(file.Ends().Unix()), file.Store, file.Kind)
	}
}
