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

// TestWhatIsSaidOfALevel is written whatever the level is, by the rules of all lines.
func TestWhatIsSaidOfALevel(t *testing.T) {
	var written bytes.Buffer
	log := New(&written, slog.LevelInfo)
	log.Level.Set(slog.LevelError, time.Hour)
	defer log.Level.Set(slog.LevelInfo, time.Hour)
	log.Info("news")
	require.Empty(t, written.String())
	log.Level.Log().With("who", "ann").WithGroup("g").Info("changed", "n", 1)
	require.Contains(t, written.String(), `"level":"INFO","msg":"changed","who":"ann","g":{"n":1}`)
}

// TestTheEndOfALevelIsInTheLog: whoever reads the lines sees why the details stop, and where they begin again.
func TestTheEndOfALevelIsInTheLog(t *testing.T) {
	for usual, temporary := range map[slog.Level]slog.Level{
		slog.LevelInfo: slog.LevelDebug, slog.LevelWarn: slog.LevelDebug, slog.LevelDebug: slog.LevelError,
	} {
		synctest.Test(t, func(t *testing.T) {
			var written bytes.Buffer
			log := New(&written, usual)
			log.Level.Set(temporary, time.Minute)
			<-time.After(59 * time.Second)
			synctest.Wait()
			require.Empty(t, written.String())
			<-time.After(time.Second)
			synctest.Wait()
			require.Contains(t, written.String(), "because its time is over")
			require.Contains(t, written.String(), `"level":"`+strings.ToLower(usual.String())+`"`)
			present, until := log.Level.Now()
			require.Equal(t, usual, present)
			require.Zero(t, until)
		})
	}
}
