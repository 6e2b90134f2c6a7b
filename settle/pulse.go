package settle

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"flashsale/sale"
)

// Pulse returns what this process has settled and what it has still to settle. Other roles add what they know.
func (s *Settler) Pulse() sale.SettlePulse {
	p := sale.SettlePulse{
		LagRecords: s.lag.records(), Rows: countOf(s.metrics.rows), StalledS: s.progress.stalledFor().Seconds(),
	}
	for _, reason := range poisonReasons() {
		p.DeadLetters += countOf(s.metrics.deadLetters.WithLabelValues(reason))
	}
	return p
}

// records returns the unsettled records of all partitions of this process.
func (l *lag) records() (sum int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.partitions {
		sum += p.end - p.next
	}
	return sum
}

// countOf returns the value of a counter.
func countOf(counter prometheus.Counter) int64 {
	var read dto.Metric
	if counter.Write(&read) != nil { // a counter of the library always writes
		return 0
	}
	return int64(read.GetCounter().GetValue())
}

func poisonReasons() []string {
	return []string{sale.PoisonDecode, sale.PoisonUnknownBucket, sale.PoisonData}
}
