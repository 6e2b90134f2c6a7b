package admin

import (
	"context"
	"net/http"
	"time"

	"flashsale/sale"
)

// live answers with what a live screen of a sale shows: once, or as events until the client disconnects.
func (a *API) live(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	query, err := c.liveQuery()
	if err != nil {
		return err
	}
	subject := subject{"sale/" + id, a.readSale(id)}
	if wantsEvents(c.r) {
		return a.stream(c, subject, &liveFeed{api: a, id: id, query: query})
	}
	return a.answerOnce(c, subject, func(value any) ([]byte, error) { return value.(*saleReading).page(query) })
}

// subject is what the hub reads.
type subject struct {
	name string
	read func(ctx context.Context, before any) reading
}

// answerOnce answers with one reading, which may be up to a second old when others watch.
func (a *API) answerOnce(c *call, s subject, encode func(value any) ([]byte, error)) error {
	w, err := a.hub.watch(s.name, s.read)
	if err != nil {
		return err
	}
	defer w.close()
	ctx, cancel := context.WithTimeout(c.r.Context(), a.opts.ReadLimit+time.Second)
	defer cancel()
	next, ok := w.next(ctx)
	switch {
	case !ok:
		return sale.ProblemOf(sale.OutcomeUnavailable, "the reading has taken too long")
	case next.value == nil:
		return next.err
	}
	body, err := encode(next.value)
	if err != nil {
		return err
	}
	send(c.w, http.StatusOK, "application/json", body)
	return nil
}

// feed turns readings into the events of one stream.
type feed interface {
	// refuses returns why no stream may begin with a reading, nil when it may.
	refuses(value any) error
	// first writes what a stream begins with; value is never nil.
	first(out *stream, value any) error
	// next writes the events of one reading.
	next(out *stream, value any) error
}

// commentEvery is the time between two comments, which keep proxies from closing a stream.
const commentEvery = 15 * time.Second

// stream sends a feed until the client disconnects or the process ends. When nothing can be read at the start, it answers with
// the problem; a later failure is the event problem, and the stream continues, so that a console shows when the store is back.
func (a *API) stream(c *call, s subject, f feed) error {
	release, err := a.takeStream()
	if err != nil {
		return err
	}
	defer release()
	w, err := a.hub.watch(s.name, s.read)
	if err != nil {
		return err
	}
	defer w.close()
	ctx, cancel := c.lasting()
	defer cancel()
	next, ok := w.next(ctx)
	switch {
	case !ok:
		return sale.ProblemOf(sale.OutcomeUnavailable, "the process is ending")
	case next.value == nil:
		return next.err
	}
	if err := f.refuses(next.value); err != nil {
		return err
	}
	out := newStream(c.w)
	if c.r.Method == http.MethodHead {
		out.start()
		return nil
	}
	_ = a.send(ctx, out, w, f, next) // the client is gone
	return nil
}

// lasting returns the context of an answer without an end: that of the request, until the session of the browser is over.
func (c *call) lasting() (context.Context, context.CancelFunc) {
	if c.session == nil {
		return context.WithCancel(c.r.Context())
	}
	return context.WithDeadline(c.r.Context(), c.session.Expires)
}

// send sends readings, the first one given, until the client, its session or the process ends.
func (a *API) send(ctx context.Context, out *stream, w *watcher, f feed, next *reading) error {
	if err := f.first(out, next.value); err != nil {
		return err
	}
	commented := time.Now()
	for ok := true; ; {
		if ok {
			if err := sendReading(out, f, next); err != nil {
				return err
			}
		}
		if a.over(ctx) {
			return nil
		}
		if time.Since(commented) >= commentEvery {
			if err := out.comment(); err != nil {
				return err
			}
			commented = time.Now()
		}
		waiting, cancel := context.WithTimeout(ctx, max(0, commentEvery-time.Since(commented)))
		next, ok = w.next(waiting)
		cancel()
	}
}

// over reports whether the client, its session or the process has ended.
func (a *API) over(ctx context.Context) bool { return ctx.Err() != nil || a.stopped() }

func sendReading(out *stream, f feed, next *reading) error {
	if next.value != nil {
		if err := f.next(out, next.value); err != nil {
			return err
		}
	}
	if next.err == nil {
		return nil
	}
	problem, _ := problemOf(next.err)
	return out.send("problem", problem.Append(nil))
}

// liveFeed is the events of the live screen of one sale.
type liveFeed struct {
	api   *API
	id    string
	query liveQuery
	trail trailSent
}

func (f *liveFeed) refuses(any) error { return nil }

func (f *liveFeed) first(out *stream, _ any) error {
	history, err := sale.JSON(f.api.deps.Pulses.History(f.id))
	if err != nil {
		return err
	}
	return out.send("history", history)
}

func (f *liveFeed) next(out *stream, value any) error {
	r := value.(*saleReading)
	page, err := r.page(f.query)
	if err != nil {
		return err
	}
	if err := out.send("live", page); err != nil {
		return err
	}
	for _, e := range f.trail.fresh(&r.trail) {
		if err := out.send("trail", e.data); err != nil {
			return err
		}
	}
	return nil
}
