package settle

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// lag knows, for each partition that this process settles, how many records wait. It is a prometheus.Collector: a
// partition that was given away is not reported.
type lag struct {
	description *prometheus.Desc
	mu          sync.Mutex
	followed    map[int32]*followed
}

type followed struct {
	lag  *lag
	next int64 // offset of the first record that is not settled
	end  int64 // offset of the next record to be written, as last heard
}

func newLag() *lag {
	return &lag{
		description: prometheus.NewDesc("flashsale_settle_lag_records",
			"Records in the partition that are not settled yet.", []string{"partition"}, nil),
		followed: make(map[int32]*followed),
	}
}

func (l *lag) follow(partition int32, start, end int64) *followed {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &followed{lag: l, next: start, end: max(start, end)}
	l.followed[partition] = f
	return f
}

func (l *lag) leave(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.followed, partition)
}

func (f *followed) settledTo(next, end int64) {
	f.lag.mu.Lock()
	defer f.lag.mu.Unlock()
	f.next, f.end = next, max(f.end, end, next)
}

func (l *lag) partitions() []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]int32, 0, len(l.followed))
	for partition := range l.followed {
		list = append(list, partition)
	}
	return list
}

func (l *lag) heard(partition int32, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.followed[partition]; f != nil {
		f.end = max(f.end, end)
	}
}

// Describe is part of prometheus.Collector.
func (l *lag) Describe(out chan<- *prometheus.Desc) { out <- l.description }

// Collect is part of prometheus.Collector.
func (l *lag) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition, f := range l.followed {
		label := strconv.FormatInt(int64(partition), 10)
		out <- prometheus.MustNewConstMetric(l.description, prometheus.GaugeValue, float64(f.end-f.next), label)
	}
}
