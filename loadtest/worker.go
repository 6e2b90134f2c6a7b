package loadtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"flashsale/loadtest/client"
	"flashsale/sale"
)

// work is one worker: it takes the press that is due first, waits until it is due, and sends it.
func (r *rush) work(ctx context.Context) {
	w := &worker{rush: r, conns: make([]*client.Conn, len(r.servers)), timer: time.NewTimer(time.Hour)}
	defer w.close()
	for {
		p, ok := r.schedule.next()
		if !ok {
			return
		}
		if !w.waitUntil(ctx, p.due) {
			r.schedule.finish()
			continue
		}
		if late := time.Since(p.due); late > lateAfter {
			r.recorder.late()
			r.addWorker(ctx)
		}
		told := w.send(ctx, &p)
		if again := told.comesBack() && p.attempt < r.opts.MaxAttempts; again {
			r.recorder.answer(&told, false, 0)
			r.schedule.retry(p, time.Now().Add(w.delay(&told)))
			continue
		}
		r.recorder.answer(&told, true, time.Since(p.first))
		r.schedule.finish()
	}
}

// worker owns one connection to each gateway and the memory of one request and one answer.
type worker struct {
	rush     *rush
	conns    []*client.Conn
	timer    *time.Timer
	request  []byte
	response client.Response
}

func (w *worker) close() {
	w.timer.Stop()
	for _, conn := range w.conns {
		if conn != nil {
			conn.Close()
		}
	}
}

// waitUntil returns true at the moment due, false when ctx is done first.
func (w *worker) waitUntil(ctx context.Context, due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		w.timer.Reset(wait)
		select {
		case <-w.timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// send makes one attempt of a press and returns the answer.
func (w *worker) send(ctx context.Context, p *press) Told {
	server := &w.rush.servers[p.server]
	if w.conns[p.server] == nil {
		w.conns[p.server] = client.NewConn(*server)
	}
	member := &w.rush.opts.Crowd[p.member]
	w.request = appendRequest(w.request[:0], server, w.rush.opts, p, member.Token)
	told := Told{Buyer: member.Buyer, Sale: w.rush.opts.Sale, Lines: p.lines, Key: p.key, Attempt: p.attempt}
	told.left = time.Now()
	err := w.conns[p.server].Do(ctx, w.request, deadline(told.left, w.rush.opts.Timeout), &w.response)
	now := time.Now()
	told.At = sale.Time{Time: now}
	told.LatencyUS = now.Sub(p.due).Microseconds()
	switch {
	case errors.Is(err, client.ErrNotSent):
		told.Code = CodeNotSent
		w.rush.recorder.notSent(err)
	case err != nil:
		told.Code = CodeNoAnswer
	default:
		told.readAnswer(w.response.Status, w.response.Body)
	}
	return told
}

// delay is how long the app waits before it presses again.
func (w *worker) delay(t *Told) time.Duration {
	if t.Status != 0 && w.response.RetryAfter > 0 {
		return min(time.Duration(w.response.RetryAfter)*time.Second, maxRetryAfter)
	}
	return perhapsDelay + rand.N(perhapsDelay)
}

// deadline is now + timeout, rounded up by a hundredth of the timeout: setting a new deadline for each request would be
// a notable part of a request's cost.
func deadline(now time.Time, timeout time.Duration) time.Time {
	step := max(timeout/100, 1)
	return now.Add(timeout + step).Truncate(step)
}
