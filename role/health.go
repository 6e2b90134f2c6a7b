package role

import (
	"context"
	"log/slog"
	"time"
)

// Health logs when repeated work begins to fail and when it succeeds again, and no failure in between. One goroutine uses
// it at a time.
type Health struct {
	Name    string // attribute "role" of both messages; empty: they have none
	Failing string // the message when work begins to fail; empty: "role fails"
	Working string // the message when work succeeds again; empty: "role works again"
	Log     *slog.Logger

	failures int
	since    time.Time // the first of the failures
}

// Note takes the result of one piece of work. After the end of ctx it ignores failures: they are its consequence.
func (h *Health) Note(ctx context.Context, err error) {
	switch {
	case err == nil && h.failures > 0:
		h.say(slog.LevelInfo, h.Working, "role works again",
			slog.Int("failures", h.failures), slog.Duration("for", time.Since(h.since)))
		h.failures = 0
	case err == nil || ctx.Err() != nil:
	default:
		if h.failures++; h.failures == 1 {
			h.since = time.Now()
			h.say(slog.LevelWarn, h.Failing, "role fails", slog.Any("error", err))
		}
	}
}

func (h *Health) say(level slog.Level, message, otherwise string, attributes ...slog.Attr) {
	if message == "" {
		message = otherwise
	}
	if h.Name != "" {
		attributes = append([]slog.Attr{slog.String("role", h.Name)}, attributes...)
	}
	h.Log.LogAttrs(context.Background(), level, message, attributes...)
}
