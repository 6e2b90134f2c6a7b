package logs

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Log is the log of a process and its level.
type Log struct {
	*slog.Logger
	Level   *Level
	repeats *repeats
}

// Flush writes the counts of the warnings that were left out. Call it when the process ends.
func (l Log) Flush() { l.repeats.seen.flush() }

// New returns a log that writes JSON lines of a level and above.
func New(w io.Writer, level slog.Level) Log {
	l := &Level{usual: level}
	l.least.Set(level)
	handler := newRepeats(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &l.least}))
	l.log = slog.New(always{handler})
	return Log{slog.New(handler), l, handler}
}

// always is a handler of records of any level.
type always struct{ slog.Handler }

func (always) Enabled(context.Context, slog.Level) bool { return true }

func (a always) WithAttrs(attrs []slog.Attr) slog.Handler { return always{a.Handler.WithAttrs(attrs)} }

func (a always) WithGroup(name string) slog.Handler { return always{a.Handler.WithGroup(name)} }

// Level is the least level of the lines that a log writes. Several goroutines may use it at once.
type Level struct {
	least slog.LevelVar
	usual slog.Level   // of the settings
	log   *slog.Logger // whatever the level is

	mu    sync.Mutex
	until time.Time // when the usual level returns; zero: it is there
	timer *time.Timer
}

// Log returns a log whose lines are written whatever the level is: for what is to be known about the level itself.
func (l *Level) Log() *slog.Logger { return l.log }

// Now returns the level, and when that of the settings returns; the zero time where it is there.
func (l *Level) Now() (level slog.Level, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.least.Level(), l.until
}

// Set changes the level. That of the settings returns after a time, with a line of the log, or when Set is called with it.
func (l *Level) Set(level slog.Level, lasts time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.least.Set(level)
	l.until, l.timer = time.Time{}, nil
	if level == l.usual {
		return
	}
	l.until = time.Now().Add(lasts)
	var timer *time.Timer
	timer = time.AfterFunc(lasts, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.timer == timer { // otherwise a later change counts
			l.end()
		}
	})
	l.timer = timer
}

// end returns to the level of the settings, with a line.
func (l *Level) end() {
	before := l.least.Level()
	l.log.Info("the level of the log was changed, because its time is over", "level", strings.ToLower(l.usual.String()),
		"before", strings.ToLower(before.String()))
	l.least.Set(l.usual)
	l.until, l.timer = time.Time{}, nil
}
