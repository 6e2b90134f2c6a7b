package admin

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// lingers is how long a subject is still read after its last watcher has left, so that a client which polls finds rates.
const lingers = 5 * time.Second

// hub lets everybody who watches a subject share one reading of it at a time. It reads a subject only while somebody watches it,
// and a little longer. A reading replaces the one before it, so a watcher that is slow misses readings, holds no memory and
// delays nobody.
type hub struct {
	api    *API
	mu     sync.Mutex
	topics map[string]*topic
}

// reading is one reading of a subject.
type reading struct {
	value any           // nil when nothing could be read
	err   error         // what could not be read, also beside a value
	rest  time.Duration // the least time until the next one
}

// topic is a subject that is watched. hub.mu guards it.
type topic struct {
	read     func(ctx context.Context, before any) reading // before: the value of the reading before, nil at first
	watchers int
	left     time.Time     // when the last watcher left
	latest   *reading      // nil before the first one
	changed  chan struct{} // closed when latest is replaced
	ended    bool          // no reading follows
}

// watcher is one who watches a topic.
type watcher struct {
	hub   *hub
	topic *topic
	seen  *reading
}

func newHub(api *API) *hub { return &hub{api: api, topics: map[string]*topic{}} }

// watch begins to watch a subject, which is read from now on. Its error is a refusal when too many subjects are watched.
func (h *hub) watch(name string, read func(ctx context.Context, before any) reading) (*watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		if len(h.topics) >= maxStreams {
			return nil, sale.ProblemOf(sale.OutcomeOverloaded, fmt.Sprintf("%d subjects are watched already", maxStreams))
		}
		t = &topic{read: read, changed: make(chan struct{})}
		h.topics[name] = t
		go h.follow(name, t)
	}
	t.watchers++
	return &watcher{hub: h, topic: t}, nil
}

// next returns the newest reading that it has not returned before, and waits for one. It returns false when ctx or the process
// ends.
func (w *watcher) next(ctx context.Context) (*reading, bool) {
	for {
		w.hub.mu.Lock()
		latest, changed, ended := w.topic.latest, w.topic.changed, w.topic.ended
		w.hub.mu.Unlock()
		switch {
		case latest != w.seen:
			w.seen = latest
			return latest, true
		case ended:
			return nil, false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (w *watcher) close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.topic.watchers--
	w.topic.left = time.Now()
}

// follow reads a subject until nobody watches it.
func (h *hub) follow(name string, t *topic) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-h.api.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	var before any
	var rest time.Duration
	reads := role.Loop{
		Name: "live screens", Log: h.api.opts.Logger,
		Unit: func(ctx context.Context) error {
			next := h.readSafely(ctx, t, before)
			if rest = next.rest; next.value != nil {
				before = next.value
			}
			if !h.publish(name, t, &next) {
				cancel()
			}
			return nil // watchers are told of a failure
		},
		Rest: func(took time.Duration) time.Duration { return max(rest-took, took/2) },
	}
	reads.Run(ctx)
	h.end(name, t)
}

// readSafely reads once, within the time limit of a reading. A panic ends one reading and not the process.
func (h *hub) readSafely(ctx context.Context, t *topic, before any) (next reading) {
	ctx, cancel := context.WithTimeout(ctx, h.api.opts.ReadLimit)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			h.api.opts.Logger.Error("a reading for live screens panicked", "panic", cause, "stack", string(debug.Stack()))
			next = reading{err: problemInternal, rest: h.api.opts.StatsEvery}
		}
	}()
	return t.read(ctx, before)
}

// publish shows a reading to the watchers. It returns false when none is left, so that the topic ends: after a failure at once.
func (h *hub) publish(name string, t *topic, next *reading) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.latest = next
	close(t.changed)
	t.changed = make(chan struct{})
	if t.watchers > 0 || (next.err == nil && time.Since(t.left) < lingers) {
		return true
	}
	delete(h.topics, name)
	t.ended = true
	return false
}

// end ends a topic whose process ends.
func (h *hub) end(name string, t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !t.ended {
		delete(h.topics, name)
		t.ended = true
		close(t.changed)
		t.changed = make(chan struct{})
	}
}
