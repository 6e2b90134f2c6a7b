package bench

import (
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Histogram is the sum and the count of a Prometheus histogram over all labels.
type Histogram struct {
	Sum   float64
	Count float64
}

// MeanSince returns the mean of the observations since an earlier reading, 0 when there were none.
func (h Histogram) MeanSince(earlier Histogram) float64 {
	if h.Count == earlier.Count {
		return 0
	}
	return (h.Sum - earlier.Sum) / (h.Count - earlier.Count)
}

// ScrapeHistogram reads one histogram from a metrics page.
func ScrapeHistogram(url, name string) (Histogram, error) {
	client := http.Client{Timeout: answerTimeout}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	if err != nil {
		return Histogram{}, fmt.Errorf("scrape %s: %w", name, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Histogram{}, fmt.Errorf("scrape %s: %s", name, response.Status)
	}
	return readHistogram(response.Body, name)
}

func readHistogram(page io.Reader, name string) (Histogram, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	if err != nil {
		return Histogram{}, fmt.Errorf("scrape %s: %w", name, err)
	}
	var all Histogram
	for _, metric := range families[name].GetMetric() {
		all.Sum += metric.GetHistogram().GetSampleSum()
		all.Count += float64(metric.GetHistogram().GetSampleCount())
	}
	if families[name] == nil {
		return Histogram{}, fmt.Errorf("scrape %s: the page does not have the histogram", name)
	}
	return all, nil
}
