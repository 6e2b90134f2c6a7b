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
	partitions  map[int32]*partitionLag
}

// partitionLag is the lag of one partition. lag.mu guards it.
type partitionLag struct {
	lag     *lag
	claimed bool      // whether a claim settles it at present
	next    int64     // offset of the first record that is not settled
	end     int64     // offset of the next record to be written, by the last answer
	since   time.Time // when next moved last, or when the first record that waits arrived
}

func newLag() *lag {
	return &lag{
		description: prometheus.NewDesc("flashsale_settle_lag_records",
			"Records in the partition that are not settled yet.", []string{"partition"}, nil),
		partitions: make(map[int32]*partitionLag),
	}
}

// claim notes that a claim settles the partition from start on.
func (l *lag) claim(partition int32, start, end int64) *partitionLag {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &partitionLag{lag: l, claimed: true, next: start, end: max(start, end), since: time.Now()}
	if before := l.partitions[partition]; before != nil && before.next == start && before.end > start {
		p.since = before.since // another session, and nothing was settled in between
	}
	l.partitions[partition] = p
	return p
}

// endClaim notes that no claim settles the partition for now.
func (l *lag) endClaim(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.partitions[partition]; p != nil {
		p.claimed = false
	}
}

// keepOnly forgets every other partition, because a session has begun with these.
func (l *lag) keepOnly(partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.partitions, func(partition int32, _ *partitionLag) bool { return !slices.Contains(partitions, partition) })
}

func (p *partitionLag) settledTo(next, end int64) {
	p.lag.mu.Lock()
	defer p.lag.mu.Unlock()
	p.next, p.end, p.since = next, max(p.end, end, next), time.Now()
}

// claims returns the partitions that a claim settles, and those of the last session that no claim settles for now.
func (l *lag) claims() (claimed, left []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition, p := range l.partitions {
		if p.claimed {
			claimed = append(claimed, partition)
		} else {
			left = append(left, partition)
		}
	}
	return claimed, left
}

// noteEnd notes where a partition ends.
func (l *lag) noteEnd(partition int32, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.partitions[partition]; p != nil {
		p.noteEnd(end)
	}
}

func (p *partitionLag) noteEnd(end int64) {
	if p.next == p.end && end > p.end {
		p.since = time.Now()
	}
	p.end = max(p.end, end)
}

// noteSettled notes how far the database has settled a partition that no claim of this process settles.
func (l *lag) noteSettled(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.partitions[partition]; p != nil && !p.claimed && next > p.next {
		p.next, p.end = next, max(p.end, next)
	}
}

// stalledFor returns for how long the partition with the oldest standstill has had records that wait.
func (l *lag) stalledFor() (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.partitions {
		if p.end > p.next {
			longest = max(longest, time.Since(p.since))
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
	for partition, p := range l.partitions {
		label := strconv.FormatInt(int64(partition), 10)
		out <- prometheus.MustNewConstMetric(l.description, prometheus.GaugeValue, float64(p.end-p.next), label)
	}
}
