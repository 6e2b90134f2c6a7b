package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"flashsale/logs"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

// invocation is what every command gets: its streams and environment, and the source of the settings that it loads.
type invocation struct {
	ctx     context.Context
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string
	source  settings.Source
}

// settings loads the settings for a command and logs their warnings. With an error it returns the settings that it
// could read.
func (inv *invocation) settings(command string) (*settings.Settings, error) {
	s, err := inv.source.Load(command)
	if err != nil {
		return s, err
	}
	logger := newLogger(inv.stderr, s.Log.Level)
	for _, warning := range s.Warnings() {
		logger.Warn(warning)
	}
	return s, nil
}

// newLogger writes JSON lines. The settings have validated level.
func newLogger(w io.Writer, level string) logs.Log {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	return logs.New(w, least)
}

// explain replaces the error of a statement by the schema's error, when the schema is the cause: a missing table or
// column is only its symptom.
func (inv *invocation) explain(db *store.Store, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return err // the database did not answer; it would not answer this query either
	}
	ctx, cancel := within(inv.ctx)
	defer cancel()
	if schema := db.CheckSchema(ctx); errors.Is(schema, sale.ErrSchema) {
		return schema
	}
	return err
}

// within bounds a command that uses a store.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, commandTimeout)
}

const commandTimeout = 30 * time.Second
