package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/logs"
)

// linesOf returns the lines of a log as objects.
func linesOf(t *testing.T, text string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		found = append(found, one)
	}
	return found
}

// TestRepeatedWarningsAreCounted: ten lines of a message within ten seconds, then one with the number of the others.
func TestRepeatedWarningsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := logs.New(&out, slog.LevelInfo)
		for i := range 100 {
			log.With("role", "relay").Warn("redis is away", "try", i)
			log.WithGroup("g").Warn("redis is away", "try", i)
			log.Error("record cannot settle", "dead_letter", i)
			log.Info("buckets were rebuilt", "n", i)
		}
		log.Warn("another message")
		<-time.After(11 * time.Second)
		log.Warn("redis is away", "try", "later")
		synctest.Wait()
		counts := map[string]int{}
		var told []map[string]any
		for _, line := range linesOf(t, out.String()) {
			counts[line["msg"].(string)]++
			if line["left_out"] != nil {
				told = append(told, line)
			}
		}
		require.Equal(t, map[string]int{
			"redis is away": 12, "record cannot settle": 100, "buckets were rebuilt": 100, "another message": 1,
		}, counts)
		require.Len(t, told, 1)
		require.Equal(t, []any{"WARN", 190.0, "10s"}, []any{told[0]["level"], told[0]["left_out"], told[0]["within"]})
		log.Flush()
	})
}

// TestFlushTellsTheCountAtTheEnd of a process.
func TestFlushTellsTheCountAtTheEnd(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, slog.LevelInfo)
	for range 15 {
		log.Warn("kafka is away")
	}
	log.Flush()
	log.Flush()
	lines := linesOf(t, out.String())
	require.Len(t, lines, 11)
	require.EqualValues(t, 5, lines[10]["left_out"])
}

// TestNoMessageIsLostForWantOfRoom: messages beyond the bound are written.
func TestNoMessageIsLostForWantOfRoom(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, slog.LevelInfo)
	for i := range 1100 {
		log.Warn("message " + strconv.Itoa(i))
	}
	for range 20 {
		log.Warn("message 1099")
	}
	log.Flush()
	require.Len(t, linesOf(t, out.String()), 1120)
}
