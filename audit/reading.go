package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// reading is one pass over the stores.
type reading struct {
	auditor *Auditor
	words   *words
	whole   bool // read on where a sale is in motion
	before  map[int32]int64
	sales   []*saleReading
	bySale  map[string]*saleReading
	from    time.Time // the start of the earliest sale

	records    int64
	unreadable int64
	resting    bool
	facts      []*facts // of all sales, once they are read
}

// saleReading is one sale of a reading. Each store has facts of its own, because the stores are read at the same time.
type saleReading struct {
	saleRow
	numbers  []int // of its buckets
	entries  int   // about how many orders Redis has
	redis    *facts
	topic    *facts
	snapshot *snapshot
}

// errMoving ends a reading that finds a sale in motion.
var errMoving = errors.New("the sale is in motion")

// read passes over the stores once: the end offsets of the topic and Redis's epochs and sequence numbers, then the database,
// Redis and the topic up to those ends, all three at the same time, then the sequence numbers and the ends again. When nothing
// has moved in between and nothing is in flight, the sale was at rest. A reading that is not whole ends where it finds a sale in
// motion.
func (a *Auditor) read(ctx context.Context, sales []saleRow, whole bool) (*reading, error) {
	r := &reading{auditor: a, words: newWords(), whole: whole, bySale: map[string]*saleReading{}, from: time.Now(), resting: true}
	if err := r.begin(ctx, sales); err != nil {
		return nil, err
	}
	if err := r.readStores(ctx); errors.Is(err, errMoving) {
		r.resting = false
		return r, nil
	} else if err != nil {
		return nil, err
	}
	shortened, err := a.shortened(ctx, r.from)
	if err != nil {
		return nil, a.options.kafkaFault(err)
	}
	if r.resting, err = r.unmoved(ctx); err != nil {
		return nil, err
	}
	for _, s := range r.sales {
		f := s.snapshot.facts
		f.adopt(s.redis)
		f.records, f.orders = s.topic.records, s.topic.orders
		f.resting, f.shortened = r.resting, shortened
		f.sort()
		r.facts = append(r.facts, f)
	}
	slices.SortFunc(r.facts, func(a, b *facts) int { return cmp.Compare(a.sale, b.sale) })
	return r, nil
}

// begin reads what must not change until the end: the ends of the topic, and Redis's epochs and sequence numbers.
func (r *reading) begin(ctx context.Context, sales []saleRow) (err error) {
	a := r.auditor
	if r.before, err = a.ends(ctx); err != nil {
		return a.options.kafkaFault(err)
	}
	for _, row := range sales {
		s := &saleReading{saleRow: row, redis: newFacts(row.id, r.words), topic: newFacts(row.id, r.words)}
		if s.numbers, err = a.database.buckets(ctx, s.id); err != nil {
			return a.databaseFault(fmt.Errorf("read the buckets of sale %s: %w", s.id, err))
		}
		if s.entries, err = a.readBuckets(ctx, s.redis, s.numbers); err != nil {
			return a.options.redisFault(err)
		}
		r.sales, r.bySale[s.id] = append(r.sales, s), s
		if s.starts.Before(r.from) {
			r.from = s.starts
		}
	}
	return nil
}

// readStores reads all three stores at the same time. The first error ends the others.
func (r *reading) readStores(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var running sync.WaitGroup
	for _, read := range []func(context.Context) error{r.readDatabase, r.readRedis, r.readTopic} {
		running.Go(func() {
			if err := read(ctx); err != nil {
				end(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

func (r *reading) readDatabase(ctx context.Context) error {
	for i, s := range r.sales {
		moving := false
		snap, err := r.auditor.database.read(ctx, snapshotOf{sale: s.saleRow, words: r.words, rows: s.entries, loose: i == 0,
			goOn: func(snap *snapshot) bool {
				moving = !s.quiet(snap, r.before)
				return !moving || r.whole
			}})
		if err != nil {
			return r.auditor.databaseFault(err)
		}
		if moving && !r.whole {
			return errMoving
		}
		if i > 0 {
			snap.loose = r.sales[0].snapshot.loose // lines without an order belong to no sale
		}
		s.snapshot = snap
		r.resting = r.resting && !moving
	}
	return nil
}

// quiet reports whether nothing of the sale is in flight, by its counters in the database and what Redis had before.
func (s *saleReading) quiet(snap *snapshot, ends map[int32]int64) bool {
	for number := range snap.buckets {
		if s.redis.buckets[number] == nil {
			return false // the bucket is younger than this reading
		}
		snap.buckets[number].journal = s.redis.buckets[number].journal
	}
	return snap.quiet(snap.moved, ends)
}

func (r *reading) readRedis(ctx context.Context) error {
	for _, s := range r.sales {
		s.redis.entries = make([]seen, 0, s.entries)
		if err := r.auditor.readUnits(ctx, s.redis); err != nil {
			return r.auditor.options.redisFault(err)
		}
	}
	return nil
}

func (r *reading) readTopic(ctx context.Context) error {
	for _, s := range r.sales {
		s.topic.orders = make([]seen, 0, s.entries)
	}
	parser := newRecordParser(r.words, func(saleID string) bool { return r.bySale[saleID] != nil })
	err := r.auditor.readTopic(ctx, r.from, r.before, func(value []byte) { r.note(parser, value) })
	return r.auditor.options.kafkaFault(err)
}

// note files one record of the topic. It skips records of sales that are not audited.
func (r *reading) note(parser *recordParser, text []byte) {
	found, ok := parser.parse(text)
	if !ok {
		if !isFence(text) {
			r.unreadable++
		}
		return
	}
	s := r.bySale[found.sale]
	if s == nil {
		return
	}
	r.records++
	f := s.topic
	f.records = append(f.records, mark{found.at, found.id})
	for i := range found.orders {
		found.orders[i].turn = uint32(len(f.orders))
		f.orders = append(f.orders, found.orders[i])
	}
}

// unmoved reports whether Redis and the topic have not changed since the reading began.
func (r *reading) unmoved(ctx context.Context) (bool, error) {
	if !r.resting {
		return false, nil
	}
	after, err := r.auditor.ends(ctx)
	if err != nil {
		return false, r.auditor.options.kafkaFault(err)
	}
	for partition, end := range after {
		if r.before[partition] != end {
			return false, nil
		}
	}
	for _, s := range r.sales {
		for _, number := range s.numbers {
			var again bucketFacts
			if err := r.auditor.readMeta(ctx, s.id, number, &again); err != nil {
				return false, r.auditor.options.redisFault(fmt.Errorf("read bucket %s:%d: %w", s.id, number, err))
			}
			if b := s.redis.buckets[number]; again.redisEpoch != b.redisEpoch || again.redisSequence != b.redisSequence {
				return false, nil
			}
		}
	}
	return true, nil
}

// report judges a reading.
func (r *reading) report(servers Servers) *Report {
	report := &Report{Verdict: Holds, At: sale.Time{Time: time.Now()}, Servers: servers, Invariants: []Line{}}
	report.Counts = Counts{Records: r.records, Unreadable: r.unreadable, Rows: map[string]int64{}}
	for _, f := range r.facts {
		report.Counts.add(f)
		report.Invariants = append(report.Invariants, judge(f)...)
	}
	for _, line := range report.Invariants {
		switch {
		case line.Verdict == Violated:
			report.Verdict = Violated
		case line.Verdict == NotJudged && report.Verdict == Holds:
			report.Verdict = NotJudged
		}
	}
	return report
}

func (c *Counts) add(f *facts) {
	c.Orders += int64(len(f.orders))
	for status, rows := range f.statusCounts() {
		c.Rows[string(status)] += rows
	}
	c.Entries += int64(len(f.entries))
	for _, b := range f.buckets {
		c.Journal += b.journal
	}
	c.DeadLetters += int64(len(f.dead))
	c.Forks += int64(len(f.forks))
	c.SequenceGaps += f.gaps()
}
