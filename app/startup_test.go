package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// A check is repeated until it passes; meanwhile /readyz shows the last finding, and the log has each finding once.
func TestStartupWaitsForACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		started, tries := newStartup(checkRedis, checkKafka), 0
		require.Equal(t, map[string]string{checkRedis: "not reached yet", checkKafka: "not reached yet"}, started.missing())
		begin := time.Now()
		err := started.wait(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), checkRedis, func(context.Context) error {
			tries++
			switch tries {
			case 1:
				return errNotYet
			case 2, 3:
				return errors.New("refused")
			case 4:
				require.Equal(t, "refused", started.missing()[checkRedis])
				return errors.New("loading")
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 4*startupRetry, time.Since(begin))
		require.Equal(t, map[string]string{checkKafka: "not reached yet"}, started.missing())
		require.Equal(t, 2, strings.Count(log.String(), `"msg":"waiting"`), log.String())
		require.NotContains(t, log.String(), errNotYet.Error(), "nothing was found out")
	})
}

// A try without an answer ends by itself, and a process that is told to end stops waiting.
func TestStartupWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*startupTry)
		defer cancel()
		started, tries := newStartup(checkDatabase), 0
		err := started.wait(ctx, slog.New(slog.DiscardHandler), checkDatabase, func(ctx context.Context) error {
			tries++
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		require.Equal(t, 2, tries)
		require.Equal(t, context.DeadlineExceeded.Error(), started.missing()[checkDatabase])
	})
}

// Waiting does not repair a database of another schema, so the process ends.
func TestStartupDoesNotWaitForAnotherSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err := newStartup(checkDatabase).wait(t.Context(), slog.New(slog.DiscardHandler), checkDatabase,
			func(context.Context) error { return fmt.Errorf("schema 7: %w", sale.ErrSchema) })
		require.ErrorIs(t, err, sale.ErrSchema)
		require.Zero(t, time.Since(begin))
	})
}

func TestYetHasAFinding(t *testing.T) {
	ready := false
	check := yet(func() bool { return ready })
	require.ErrorIs(t, check(t.Context()), errNotYet)
	ready = true
	require.NoError(t, check(t.Context()))
}
