package role

import (
	"context"
	"log/slog"
	"time"
)

// Health logs when repeated work begins to fail, when it fails with another error, and when it succeeds again. One goroutine
// uses it at a time.
type Health struct {
	Name    string // attribute "role" of both messages; empty: they have none
	Failing string // the message when work begins to fail; empty: "role fails"
	Working string // the message when work succeeds again; empty: "role works again"
	Log     *slog.Logger

	failures int
	since    time.Time // the first of the failures
	said     string    // the error that was logged last
	saidAt   time.Time
}

// Note takes the result of one piece of work. After the end of ctx it ignores failures: they are its consequence.
func (h *Health) Note(ctx context.Context, err error) {
	switch {
	case err == nil && h.failures > 0:
		h.say(slog.LevelInfo, h.Working, "role works again",
			slog.Int("failures", h.failures), slog.String("for", time.Since(h.since).Round(time.Millisecond).String()))
		h.failures = 0
	case err == nil || ctx.Err() != nil:
	default:
		h.fail(err)
	}
}

// fail logs the first failure of a row, and a later one with another error, at most one each anotherAfter.
func (h *Health) fail(err error) {
	now := time.Now()
	if h.failures++; h.failures == 1 {
		h.since, h.said = now, ""
	}
	if text := err.Error(); h.said == "" || text != h.said && now.Sub(h.saidAt) >= anotherAfter {
		h.said, h.saidAt = text, now
		h.say(slog.LevelWarn, h.Failing, "role fails", slog.Any("error", err))
	}
}

// anotherAfter is the least time between two logged failures of a row: texts may differ in an address or a count alone.
const anotherAfter = 10 * time.Second

func (h *Health) say(level slog.Level, message, otherwise string, attributes ...slog.Attr) {
	if message == "" {
		message = otherwise
	}
	if h.Name != "" {
		attributes = append([]slog.Attr{slog.String("role", h.Name)}, attributes...)
	}
	h.Log.LogAttrs(context.Background(), level, message, attributes...)
}
