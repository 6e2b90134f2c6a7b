package logs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALevelHoldsForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written bytes.Buffer
		log := New(&written, slog.LevelInfo)
		says := func(level slog.Level, until time.Time) {
			t.Helper()
			present, end := log.Level.Now()
			require.Equal(t, level, present)
			require.Equal(t, until, end)
			written.Reset()
			log.Debug("detail")
			log.Info("news")
			require.Equal(t, level <= slog.LevelDebug, strings.Contains(written.String(), "detail"))
			require.Equal(t, level <= slog.LevelInfo, strings.Contains(written.String(), "news"))
		}
		says(slog.LevelInfo, time.Time{})
		log.Level.Set(slog.LevelDebug, time.Minute)
		says(slog.LevelDebug, time.Now().Add(time.Minute))
		<-time.After(time.Minute - time.Second)
		log.Level.Set(slog.LevelDebug, time.Minute) // longer
		<-time.After(2 * time.Second)
		synctest.Wait()
		says(slog.LevelDebug, time.Now().Add(58*time.Second))
		log.Level.Set(slog.LevelError, time.Hour) // and then fewer lines
		says(slog.LevelError, time.Now().Add(time.Hour))
		<-time.After(time.Hour)
		synctest.Wait()
		says(slog.LevelInfo, time.Time{})
		log.Level.Set(slog.LevelDebug, time.Hour)
		log.Level.Set(slog.LevelInfo, time.Hour) // the usual one has no end
		says(slog.LevelInfo, time.Time{})
		<-time.After(2 * time.Hour)
		synctest.Wait()
		says(slog.LevelInfo, time.Time{})
	})
}
