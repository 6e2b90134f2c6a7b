package loadtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/loadtest/client"
)

// ErrNothingSent means that no press reached a gateway, so nothing was measured.
var ErrNothingSent = errors.New("nothing was sent")

// ErrAllRefused means that every press got the one refusal that depends only on the sale, the SKU or the token in the
// options, and on nothing that happens during a sale, so the figures measure nothing.
var ErrAllRefused = errors.New("every press was refused")

// Rush runs an open-loop rush to its end, or until ctx is done, and returns the report. Answers with errors are part of
// the measurement. Rush returns an error for invalid options and, with the report, for a history that cannot be
// written, for a rush without any sent press (ErrNothingSent) and for one refused as a whole (ErrAllRefused).
func Rush(ctx context.Context, opts RushOptions) (*Report, error) {
	opts.setDefaults(time.Now())
	if err := opts.validate(); err != nil {
		return nil, err
	}
	r := &rush{opts: &opts}
	for _, base := range opts.Servers {
		server, err := client.ParseServer(base)
		if err != nil {
			return nil, err
		}
		r.servers = append(r.servers, server)
	}
	return r.run(ctx)
}

type rush struct {
	opts     *RushOptions
	servers  []client.Server
	schedule *schedule
	recorder *recorder
	workers  sync.WaitGroup
	count    atomic.Int64 // number of workers
}

func (r *rush) run(ctx context.Context) (*Report, error) {
	start := time.Now()
	r.schedule = newSchedule(r.opts, start)
	r.recorder = newRecorder(r.opts.History, r.opts.Timeline, start)
	r.recorder.each = r.opts.Each
	stopped := context.AfterFunc(ctx, r.schedule.stop)
	defer stopped()
	for range min(r.opts.Connections, len(r.opts.Crowd)) {
		r.addWorker(ctx)
	}
	stopProgress := r.showProgress()
	stopBooks := r.readBooks(ctx, start)
	r.workers.Wait()
	took := time.Since(start)
	stopProgress()
	report := r.recorder.report(took, int(r.count.Load()))
	report.Seed, report.Nonce, report.opts = r.opts.Seed, r.opts.Nonce, r.opts
	report.Asked, report.Reached = r.opts.Rate, r.recorder.reached()
	report.Books = stopBooks()
	return report, errors.Join(r.recorder.nothingSent(), r.recorder.allRefused(), r.recorder.flush())
}

// addWorker starts one more worker unless the bound is reached.
func (r *rush) addWorker(ctx context.Context) {
	if r.count.Add(1) > int64(r.opts.MaxConnections) {
		r.count.Add(-1)
		return
	}
	r.workers.Go(func() { r.work(ctx) })
}
