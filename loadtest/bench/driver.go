package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"flashsale/loadtest/client"
)

// Driver is a cheap client. Once and For are a closed loop: each connection sends its next request when the last one is
// answered, which suits the CPU time per request. At is an open loop, for latency under a given load.
type Driver struct {
	conns []*client.Conn
}

// NewDriver opens connections to http://address.
func NewDriver(ctx context.Context, address string, connections int) (*Driver, error) {
	server, err := client.ParseServer("http://" + address)
	if err != nil {
		return nil, err
	}
	d := &Driver{}
	for range connections {
		conn := client.NewConn(server)
		if err := conn.Dial(ctx); err != nil {
			d.Close()
			return nil, err
		}
		d.conns = append(d.conns, conn)
	}
	return d, nil
}

// Close closes the connections.
func (d *Driver) Close() {
	for _, conn := range d.conns {
		conn.Close()
	}
}

// Count is the number of answers of a run.
type Count struct {
	Answers  int64
	ByStatus map[int]int64
	Late     int64 // left more than lateAfter after their due time
	P50, P99 time.Duration
}

// Only returns an error unless every answer has the given status.
func (c Count) Only(status int) error {
	if c.ByStatus[status] != c.Answers || c.Answers == 0 {
		return fmt.Errorf("%d answers, expected only status %d: %v", c.Answers, status, c.ByStatus)
	}
	return nil
}

// Once sends every request once.
func (d *Driver) Once(ctx context.Context, requests *Requests) (Count, error) {
	n := int64(requests.Len())
	return d.run(ctx, requests, func(i int64) bool { return i < n }, nil, answerTimeout+time.Hour)
}

// lateAfter is the delay beyond which a request counts as late.
const lateAfter = 10 * time.Millisecond

// At sends every request once at a given rate, without waiting for earlier answers, as long as a connection is free.
// The latency of an answer counts from the moment at which its request was due.
func (d *Driver) At(ctx context.Context, requests *Requests, rate float64) (Count, error) {
	n, start := int64(requests.Len()), time.Now()
	due := func(i int64) time.Time { return start.Add(time.Duration(float64(i) / rate * float64(time.Second))) }
	return d.run(ctx, requests, func(i int64) bool { return i < n }, due, answerTimeout+time.Hour)
}

// For repeats the requests for the given duration.
func (d *Driver) For(ctx context.Context, requests *Requests, duration time.Duration) (Count, error) {
	end := time.Now().Add(duration)
	var over atomic.Bool
	timer := time.AfterFunc(time.Until(end), func() { over.Store(true) })
	defer timer.Stop()
	return d.run(ctx, requests, func(int64) bool { return !over.Load() }, nil, duration+answerTimeout)
}

// Range of the latency histograms, in µs.
const (
	longestAnswer    = int64(answerTimeout / time.Microsecond)
	histogramDigits  = 2
	statusesReserved = 1000
)

// lane is the counters of one connection. Each connection has its own, so that they do not share cache lines.
type lane struct {
	byStatus [statusesReserved]int64
	late     int64
	latency  *hdrhistogram.Histogram
	err      error
}

// run lets every connection send the next request, when it is due or at once, while more returns true for its number.
// The whole run has one deadline: setting it for each request would cost as much as the request.
func (d *Driver) run(ctx context.Context, requests *Requests, more func(int64) bool, due func(int64) time.Time,
	within time.Duration) (Count, error) {
	var next atomic.Int64
	deadline := time.Now().Add(within)
	lanes := make([]lane, len(d.conns))
	var running sync.WaitGroup
	for i := range d.conns {
		running.Go(func() {
			l := &lanes[i]
			l.latency = hdrhistogram.New(1, longestAnswer, histogramDigits)
			l.err = l.drive(ctx, d.conns[i], requests, func() (int64, bool) {
				n := next.Add(1) - 1
				return n, more(n) && ctx.Err() == nil
			}, due, deadline)
		})
	}
	running.Wait()
	return sum(lanes)
}

func (l *lane) drive(ctx context.Context, conn *client.Conn, requests *Requests, take func() (int64, bool),
	due func(int64) time.Time, deadline time.Time) error {
	var response client.Response
	count := int64(requests.Len())
	for {
		n, more := take()
		if !more {
			return nil
		}
		began := time.Now()
		if due != nil {
			began = due(n)
			time.Sleep(time.Until(began))
			if time.Since(began) > lateAfter {
				l.late++
			}
		}
		if err := conn.Do(ctx, requests.At(int(n%count)), deadline, &response); err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		l.byStatus[response.Status]++
		if err := l.latency.RecordValue(min(time.Since(began).Microseconds(), longestAnswer)); err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
	}
}

func sum(lanes []lane) (Count, error) {
	total := Count{ByStatus: map[int]int64{}}
	latency := hdrhistogram.New(1, longestAnswer, histogramDigits)
	var errs []error
	for i := range lanes {
		errs = append(errs, lanes[i].err)
		latency.Merge(lanes[i].latency)
		total.Late += lanes[i].late
		for status, n := range lanes[i].byStatus {
			if n > 0 {
				total.Answers += n
				total.ByStatus[status] += n
			}
		}
	}
	total.P50 = time.Duration(latency.ValueAtQuantile(50)) * time.Microsecond
	total.P99 = time.Duration(latency.ValueAtQuantile(99)) * time.Microsecond
	return total, errors.Join(errs...)
}
