package admin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"flashsale/sale"
)

const (
	eventTimeout     = 10 * time.Second       // a client that takes an event more slowly is treated as gone
	progressInterval = 100 * time.Millisecond // at most ten progress events a second, for any number of buckets
)

// wantsEvents reports whether the client asked for Server-Sent Events.
func wantsEvents(r *http.Request) bool { return accepts(r, "text/event-stream") }

// accepts reports whether the client named a media type that a route answers on request only, unless with a weight of 0.
func accepts(r *http.Request, wanted string) bool {
	for _, accept := range r.Header.Values("Accept") {
		for choice := range strings.SplitSeq(accept, ",") {
			mediaType, parameters, _ := strings.Cut(choice, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), wanted) && !refuses(parameters) {
				return true
			}
		}
	}
	return false
}

// refuses reports whether the parameters of a media type have a weight of 0: the client does not take it (RFC 9110).
func refuses(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && weight == 0 {
			return true
		}
	}
	return false
}

// takeStream takes one of the maxStreams places, or refuses.
func (a *API) takeStream() (release func(), err error) {
	select {
	case a.streams <- struct{}{}:
		return func() { <-a.streams }, nil
	default:
		return nil, sale.ProblemOf(sale.OutcomeOverloaded, fmt.Sprintf("%d event streams are open already", maxStreams))
	}
}

// stream writes Server-Sent Events. The first event sends the header, so an error before it is answered as a plain
// problem.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
}

func newStream(w http.ResponseWriter) *stream {
	return &stream{w: w, control: http.NewResponseController(w)}
}

func (s *stream) start() {
	if s.started {
		return
	}
	s.started = true
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would buffer events
	s.w.WriteHeader(http.StatusOK)
}

// send writes one event; data is one line of JSON.
func (s *stream) send(event string, data []byte) error {
	return s.write(event, "event: "+event+"\ndata: ", string(data), "\n\n")
}

// comment writes a line that clients ignore.
func (s *stream) comment() error { return s.write("comment", ":\n\n") }

// write writes what belongs together within eventTimeout.
func (s *stream) write(what string, parts ...string) error {
	s.start()
	if err := s.control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return fmt.Errorf("bound the writing of an event: %w", err)
	}
	for _, part := range parts {
		if _, err := io.WriteString(s.w, part); err != nil {
			return fmt.Errorf("write event %s: %w", what, err)
		}
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("flush event %s: %w", what, err)
	}
	return nil
}

// progress reports how far a preload is to a client that asked for events; for other clients it writes only the final
// answer.
type progress struct {
	c      *call
	mu     sync.Mutex // a rebuild may report from several goroutines
	stream *stream    // nil for a plain answer
	last   time.Time
	broken bool // the client is gone; the preload continues
}

func (a *API) newProgress(c *call) (*progress, func(), error) {
	if !wantsEvents(c.r) {
		return &progress{c: c}, func() {}, nil
	}
	release, err := a.takeStream()
	if err != nil {
		return nil, nil, err
	}
	return &progress{c: c, stream: newStream(c.w)}, release, nil
}

func (p *progress) report(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.stream == nil || p.broken || (done < total && now.Sub(p.last) < progressInterval) {
		return
	}
	p.last = now
	p.broken = p.stream.send("progress", fmt.Appendf(nil, `{"done":%d,"total":%d}`, done, total)) != nil
}

// finish answers with the sale or the error: as the whole answer, or as the last event of a stream that has begun.
func (p *progress) finish(a *API, s sale.Sale, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stream == nil && err == nil:
		return p.c.answer(http.StatusOK, s)
	case p.stream == nil, err != nil && !p.stream.started:
		return err
	case p.broken:
		return nil
	case err != nil:
		return a.failInStream(p.c, p.stream, err)
	}
	if !p.stream.started { // everything was loaded before: one progress event reports it
		p.broken = p.stream.send("progress", []byte(`{"done":0,"total":0}`)) != nil
	}
	body, err := sale.JSON(s)
	if err != nil {
		return a.failInStream(p.c, p.stream, err)
	}
	_ = p.stream.send("sale", body) // the client may be gone
	return nil
}

// failInStream sends an error as the event problem, because the status was sent before. It returns nil: the request is
// answered.
func (a *API) failInStream(c *call, s *stream, err error) error {
	problem, fault := problemOf(err)
	if fault {
		a.opts.Logger.Error("operators' stream failed", "path", c.r.URL.Path, "error", err)
	}
	_ = s.send("problem", problem.Append(nil)) // the client may be gone
	return nil
}
