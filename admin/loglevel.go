package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"flashsale/sale"
)

const logLevelPath = "/admin/v1/log-level"

// Bounds of the time for which a level of the log holds.
const (
	levelFor     = 10 * time.Minute
	levelLongest = 24 * time.Hour
)

// LogLevel is the level of a process's log.
type LogLevel interface {
	// Now returns the level, and when that of the settings returns; the zero time where it is there.
	Now() (level slog.Level, until time.Time)
	// Set changes the level. That of the settings returns after a time, or when Set is called with it.
	Set(level slog.Level, lasts time.Duration)
	// Log returns a log whose lines are written whatever the level is.
	Log() *slog.Logger
}

// logLevels answers about the level of this process's log.
type logLevels struct {
	*door
	level LogLevel
}

// levelAnswer is the level now. For and Until say how long it holds; null: it is that of the settings.
type levelAnswer struct {
	Level string     `json:"level"`
	For   *string    `json:"for"`
	Until *sale.Time `json:"until"`
}

type levelBody struct {
	Level   member[string] `json:"level"`
	For     member[string] `json:"for"`
	Unknown unknown        `json:",unknown"`
}

func (l *logLevels) get(c *call) error { return c.answer(http.StatusOK, l.now()) }

func (l *logLevels) now() levelAnswer {
	level, until := l.level.Now()
	answer := levelAnswer{Level: strings.ToLower(level.String())}
	if !until.IsZero() {
		left := max(0, time.Until(until)).Round(time.Second).String()
		answer.For, answer.Until = &left, &sale.Time{Time: until}
	}
	return answer
}

// put changes the level of this process. It works while the database is away; the log has the change then, and the trail has not.
// No level hides who chose it.
func (l *logLevels) put(c *call) error {
	level, lasts, err := decodeLevel(c.body)
	if err != nil {
		return err
	}
	before := l.now()
	l.level.Set(level, lasts)
	after := l.now()
	log := l.level.Log()
	log.Info("the level of the log was changed", "level", after.Level, "for", after.For, "who", c.actor.Who, "request_id",
		c.actor.RequestID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), noteLimit)
	defer cancel()
	change := sale.Change{
		Verb: sale.VerbLogLevel, Target: sale.TargetProcess(l.process), Before: before, After: after,
	}
	if err := l.notes.Note(ctx, change); err != nil {
		log.Warn("a change of the log's level could not be written into the trail", "target", change.Target, "error", err)
	}
	return c.answer(http.StatusOK, after)
}

// decodeLevel reads {"level","for"}. It reports every fault at once.
func decodeLevel(body []byte) (level slog.Level, lasts time.Duration, err error) {
	var in levelBody
	found, err := decodeStrict(body, &in, nil)
	if err != nil {
		return level, lasts, err
	}
	found.need("level", in.Level.given)
	var faults sale.FieldErrors
	switch in.Level.value {
	case "debug", "info", "warn", "error":
		err = level.UnmarshalText([]byte(in.Level.value))
	default:
		faults = append(faults, sale.Fieldf("level", "must be one of debug, info, warn and error"))
	}
	if err != nil {
		return level, lasts, fmt.Errorf("read the level: %w", err)
	}
	lasts = levelFor
	if in.For.given {
		lasts, err = time.ParseDuration(in.For.value)
		if err != nil || lasts < time.Second || lasts > levelLongest {
			faults = append(faults, sale.Fieldf("for", "must be a duration of 1s to 24h such as 10m"))
		}
	}
	if len(faults) > 0 {
		return level, lasts, found.join(faults)
	}
	return level, lasts, found.join(nil)
}
