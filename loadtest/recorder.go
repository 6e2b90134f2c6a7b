package loadtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"flashsale/sale"
)

// Range of the latency histograms: 1 µs to 10 min, three significant digits.
const (
	histogramMax    = int64(10 * time.Minute / time.Microsecond)
	histogramDigits = 3
	historyBuffer   = 1 << 20
)

// recorder collects the answers of all workers.
type recorder struct {
	start time.Time

	mu       sync.Mutex
	attempts map[string]int64 // answers by code
	finals   map[string]int64 // presses by the code of their last answer
	latency  *hdrhistogram.Histogram
	decided  *hdrhistogram.Histogram
	second   *hdrhistogram.Histogram // latency since the last line of progress
	presses  int64
	retries  int64
	lates    int64
	arrivals int64         // first attempts
	arrived  time.Duration // from the start until the last first attempt left
	timeline *Timeline     // nil without one
	each     func(*Told)   // nil without one
	history  *bufio.Writer // nil without a history
	failure  error         // the first error of writing the history
	unsent   error         // the error of the last press that was not sent
}

func newRecorder(history io.Writer, timeline bool, start time.Time) *recorder {
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, histogramMax, histogramDigits) }
	r := &recorder{
		start: start, attempts: map[string]int64{}, finals: map[string]int64{},
		latency: histogram(), decided: histogram(), second: histogram(),
	}
	if timeline {
		r.timeline = newTimeline()
	}
	if history != nil {
		r.history = bufio.NewWriterSize(history, historyBuffer)
	}
	return r
}

// late counts a press that left later than lateAfter.
func (r *recorder) late() {
	r.mu.Lock()
	r.lates++
	r.mu.Unlock()
}

// answer records one answer. final: it is the press's last; took: the time since the press's first attempt was due.
func (r *recorder) answer(t *Told, final bool, took time.Duration) {
	var line []byte
	if r.history != nil {
		encoded, err := json.Marshal(t)
		if err != nil {
			panic(fmt.Sprintf("history line of buyer %s: %v", t.Buyer, err)) // only strings and numbers of this package
		}
		line = append(encoded, '\n')
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts[t.Code]++
	left := t.left.Sub(r.start)
	if t.Attempt == 1 {
		r.arrivals++
		r.arrived = max(r.arrived, left)
	}
	if r.timeline != nil {
		r.timeline.count(t, left, t.At.Sub(r.start))
	}
	record(r.latency, t.LatencyUS)
	record(r.second, t.LatencyUS)
	if final {
		r.presses++
		r.finals[t.Code]++
		record(r.decided, took.Microseconds())
	} else {
		r.retries++
	}
	if r.each != nil {
		r.each(t)
	}
	if line != nil && r.failure == nil {
		_, r.failure = r.history.Write(line)
	}
}

// record counts a latency, clipped to the histogram's range.
func record(h *hdrhistogram.Histogram, us int64) {
	if err := h.RecordValue(min(max(us, 1), histogramMax)); err != nil {
		panic(fmt.Sprintf("latency of %d µs: %v", us, err)) // clipped to the range just before
	}
}

// notSent records why a press was not sent.
func (r *recorder) notSent(why error) {
	r.mu.Lock()
	r.unsent = why
	r.mu.Unlock()
}

// nothingSent returns ErrNothingSent, with a reason if there is one, unless some press was sent.
func (r *recorder) nothingSent() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for code := range r.attempts {
		if code != CodeNotSent {
			return nil
		}
	}
	if r.unsent == nil {
		return ErrNothingSent // the rush ended before its first press
	}
	return fmt.Errorf("%w: %w", ErrNothingSent, r.unsent)
}

// allRefused returns ErrAllRefused with the code when every answer has the same code and that code means a mistake in
// the rush's options.
func (r *recorder) allRefused() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range []sale.Outcome{sale.OutcomeMalformed, sale.OutcomeNotFound, sale.OutcomeSaleNotFound,
		sale.OutcomeSKUNotFound,
		sale.OutcomeSaleEnded, sale.OutcomeUnauthenticated, sale.OutcomeNotEligible} {
		if code := o.String(); len(r.attempts) == 1 && r.attempts[code] > 0 {
			return fmt.Errorf("%w: %s", ErrAllRefused, code)
		}
	}
	return nil
}

// flush writes the rest of the history and returns the first error of writing it.
func (r *recorder) flush() error {
	if r.history == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.history.Flush(); r.failure == nil {
		r.failure = err
	}
	if r.failure != nil {
		return fmt.Errorf("write history: %w", r.failure)
	}
	return nil
}

// snapshot is one second of a rush.
type snapshot struct {
	elapsed  time.Duration
	presses  int64 // ended so far
	retries  int64
	rate     float64 // answers a second since the last snapshot
	p50, p99 time.Duration
	finals   map[string]int64
}

// snap reads the numbers of the line of progress and begins a new second.
func (r *recorder) snap(since time.Duration) snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := snapshot{
		elapsed: time.Since(r.start), presses: r.presses, retries: r.retries,
		rate: float64(r.second.TotalCount()) / since.Seconds(),
		p50:  micros(r.second.ValueAtQuantile(50)), p99: micros(r.second.ValueAtQuantile(99)),
		finals: make(map[string]int64, len(r.finals)),
	}
	for code, n := range r.finals {
		s.finals[code] = n
	}
	r.second.Reset()
	return s
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// report returns the totals of the rush.
func (r *recorder) report(took time.Duration, connections int) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Report{
		Seconds: took.Seconds(), Presses: r.presses, Retries: r.retries, Late: r.lates, Connections: connections,
		Rate:    float64(r.presses+r.retries) / took.Seconds(),
		Answers: r.attempts, Ended: r.finals, Timeline: r.timeline,
		Latency: percentiles(r.latency), Decided: percentiles(r.decided),
	}
}

// reached returns the rate of the arrivals in presses a second: of all gaps between the first and the last one.
func (r *recorder) reached() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arrivals < 2 || r.arrived <= 0 {
		return 0
	}
	return float64(r.arrivals-1) / r.arrived.Seconds()
}
