package settle

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lag knows, for each partition that this process settles, how many records wait, and since when none was settled. It is a
// prometheus.Collector. A partition stays when its session ends: it goes when another session has begun without it.
type lag struct {
	description *prometheus.Desc
	mu          sync.Mutex
	followed    map[int32]*followed
}

type followed struct {
	lag     *lag
	claimed bool      // whether a claim settles it at present
	next    int64     // offset of the first record that is not settled
	end     int64     // offset of the next record to be written, as last heard
	since   time.Time // when next moved last, or records came that wait
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
	f := &followed{lag: l, claimed: true, next: start, end: max(start, end), since: time.Now()}
	if before := l.followed[partition]; before != nil && before.next == start && before.end > start {
		f.since = before.since // another session, and nothing was settled in between
	}
	l.followed[partition] = f
	return f
}

// leave notes that no claim settles the partition for now.
func (l *lag) leave(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.followed[partition]; f != nil {
		f.claimed = false
	}
}

// keep forgets every other partition: a session has begun with these.
func (l *lag) keep(partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.followed, func(partition int32, _ *followed) bool { return !slices.Contains(partitions, partition) })
}

func (f *followed) settledTo(next, end int64) {
	f.lag.mu.Lock()
	defer f.lag.mu.Unlock()
	f.next, f.end, f.since = next, max(f.end, end, next), time.Now()
}

// partitions returns those that a claim settles, and those of the last session that none does for now.
func (l *lag) partitions() (claimed, left []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition, f := range l.followed {
		if f.claimed {
			claimed = append(claimed, partition)
		} else {
			left = append(left, partition)
		}
	}
	return claimed, left
}

// heard notes where a partition ends.
func (l *lag) heard(partition int32, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.followed[partition]; f != nil {
		f.hear(end)
	}
}

func (f *followed) hear(end int64) {
	if f.next == f.end && end > f.end {
		f.since = time.Now()
	}
	f.end = max(f.end, end)
}

// seen notes how far the database has settled a partition that no claim of this process settles.
func (l *lag) seen(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.followed[partition]; f != nil && !f.claimed && next > f.next {
		f.next, f.end = next, max(f.end, next)
	}
}

// standing returns for how long the partition that stands longest has had records that wait.
func (l *lag) standing() (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.followed {
		if f.end > f.next {
			longest = max(longest, time.Since(f.since))
		}
	}
	return longest
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
