package logs

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Bounds of repeated warnings. During an outage each role of a process may warn many times a second.
const (
	repeatsWithin = 10 * time.Second
	repeatsShown  = 10   // lines of one message within it; further ones are counted
	mostMessages  = 1000 // messages that are watched at once; a line of any other message is written
)

// repeats is a handler that writes the first warnings of a message within ten seconds, and at their end one line that says how
// many it left out. A warning's message is its constant text; its attributes do not count. Lines of every other level pass: an
// error may name what nothing else names, such as a dead letter.
type repeats struct {
	slog.Handler
	seen *seen
}

func newRepeats(next slog.Handler) *repeats {
	return &repeats{next, &seen{next: next, of: map[string]*window{}}}
}

// seen are the warnings of the last ten seconds, of a log and all that were made of it.
type seen struct {
	next slog.Handler // without attributes, for the lines with the counts
	mu   sync.Mutex
	of   map[string]*window
}

// window is what was seen of one message since its first line.
type window struct {
	lines, left int
	timer       *time.Timer
}

// Handle writes a record, or counts it.
func (r *repeats) Handle(ctx context.Context, record slog.Record) error {
	if record.Level == slog.LevelWarn && !r.seen.passes(record.Message) {
		return nil
	}
	return r.Handler.Handle(ctx, record)
}

// WithAttrs returns a handler that counts together with this one.
func (r *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{r.Handler.WithAttrs(attrs), r.seen}
}

// WithGroup returns a handler that counts together with this one.
func (r *repeats) WithGroup(name string) slog.Handler {
	return &repeats{r.Handler.WithGroup(name), r.seen}
}

// passes counts a warning and reports whether it is written.
func (s *seen) passes(message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.of[message]
	if w == nil {
		if len(s.of) == mostMessages {
			return true
		}
		w = &window{}
		w.timer = time.AfterFunc(repeatsWithin, func() { s.end(message, w) })
		s.of[message] = w
	}
	if w.lines < repeatsShown {
		w.lines++
		return true
	}
	w.left++
	return false
}

// end ends the window of a message, and writes how many warnings were left out.
func (s *seen) end(message string, w *window) {
	s.mu.Lock()
	if s.of[message] == w {
		delete(s.of, message)
	}
	left := w.left
	w.left = 0
	s.mu.Unlock()
	if left == 0 {
		return
	}
	record := slog.NewRecord(time.Now(), slog.LevelWarn, message, 0)
	record.AddAttrs(slog.Int("left_out", left), slog.String("within", repeatsWithin.String()))
	_ = s.next.Handle(context.Background(), record) // there is nowhere else to say that the log cannot be written
}

// flush ends every window.
func (s *seen) flush() {
	s.mu.Lock()
	open := make(map[string]*window, len(s.of))
	for message, w := range s.of {
		w.timer.Stop()
		open[message] = w
	}
	s.mu.Unlock()
	for message, w := range open {
		s.end(message, w)
	}
}
