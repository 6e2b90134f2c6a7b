package settle

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// lag counts, for each partition that this process settles, the unsettled records, and records since when none was
// settled. It is a prometheus.Collector. A partition stays after its session has ended, until another session begins
// without it.
type lag struct {
	description *prometheus.Desc
	mu          sync.Mutex
	partitions  map[int32]*partitionLag
}

// partitionLag is the lag of one partition. lag.mu guards it.
type partitionLag struct {
	lag     *lag
	claimed bool            // whether a claim settles it now
	next    int64           // offset of the first unsettled record
	end     int64           // offset of the next record to be written, by the last answer
	since   time.Time       // when next moved last, or when the first unsettled record arrived
	known   int64           // what the database has settled by its own answers; 0: nothing
	leave   func(why error) // ends the claim
}

func newLag() *lag {
	return &lag{
		description: prometheus.NewDesc("flashsale_settle_lag_records",
			"Records in the partition that are not settled yet.", []string{"partition"}, nil),
		partitions: make(map[int32]*partitionLag),
	}
}

// claim records that a claim settles the partition from start on. known is start if the database has settled up to it, else 0;
// leave ends the claim.
func (l *lag) claim(partition int32, start, known, end int64, leave func(why error)) *partitionLag {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &partitionLag{lag: l, claimed: true, next: start, end: max(start, end), since: time.Now(), known: known, leave: leave}
	if before := l.partitions[partition]; before != nil && before.next == start && before.end > start {
		p.since = before.since // another session, and nothing was settled in between
	}
	l.partitions[partition] = p
	return p
}

// endClaim records that no claim settles the partition for now.
func (l *lag) endClaim(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.partitions[partition]; p != nil {
		p.claimed = false
	}
}

// keepOnly removes every other partition, because a session has begun with these.
func (l *lag) keepOnly(partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.partitions, func(partition int32, _ *partitionLag) bool { return !slices.Contains(partitions, partition) })
}

func (p *partitionLag) settledTo(next, end int64) {
	p.lag.mu.Lock()
	defer p.lag.mu.Unlock()
	p.next, p.end, p.since, p.known = next, max(p.end, end, next), time.Now(), next
}

// settled returns, for each partition that a claim settles, up to which offset the database has said that it has settled it.
func (l *lag) settled() map[int32]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	settled := map[int32]int64{}
	for partition, p := range l.partitions {
		if p.claimed && p.known > 0 {
			settled[partition] = p.known
		}
	}
	return settled
}

// rewind ends the claim of a partition that has settled up to known at least, because the database has settled only up to next.
func (l *lag) rewind(partition int32, known, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.partitions[partition]
	if p == nil || !p.claimed || p.known < known {
		return // another claim, which began where the database is
	}
	p.leave(sale.LostTail(next, p.known))
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

// noteEnd records the end of a partition.
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

// noteSettled records how far the database has settled a partition that no claim of this process settles.
func (l *lag) noteSettled(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.partitions[partition]; p != nil && !p.claimed && next > p.next {
		p.next, p.end = next, max(p.end, next)
	}
}

// stalledFor returns how long the partition that has stalled longest has had unsettled records without progress.
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
