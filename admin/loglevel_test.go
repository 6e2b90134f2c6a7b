package admin

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/locked"
)

// fakeLevel is the level of no log.
type fakeLevel struct {
	said  locked.Buffer
	mu    sync.Mutex
	level slog.Level
	until time.Time
}

func (l *fakeLevel) Now() (slog.Level, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level, l.until
}

func (l *fakeLevel) Set(level slog.Level, lasts time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.level, l.until = level, time.Now().Add(lasts); level == slog.LevelInfo {
		l.until = time.Time{}
	}
}

func (l *fakeLevel) Log() *slog.Logger { return slog.New(slog.NewJSONHandler(&l.said, nil)) }

func TestTheLevelOfTheLog(t *testing.T) {
	b := newBench(t)
	require.Equal(t, map[string]any{"level": "info", "for": nil, "until": nil}, b.ask("GET", logLevelPath, "").is(200))
	began := time.Now()
	for body, lasts := range map[string]time.Duration{
		`{"level":"debug"}`: levelFor, `{"level":"warn","for":"90s"}`: 90 * time.Second,
		`{"level":"error","for":"24h"}`: levelLongest,
	} {
		answer := b.ask("PUT", logLevelPath, body)
		document(t).fits(t, "LogLevel", answer.Body)
		got := answer.is(200)
		require.Contains(t, body, got["level"])
		left, err := time.ParseDuration(got["for"].(string))
		require.NoError(t, err)
		require.InDelta(t, lasts.Seconds(), left.Seconds(), 60)
		_, until := b.level.Now()
		require.WithinDuration(t, began.Add(lasts), until, time.Minute)
		require.Equal(t, got["level"], b.ask("GET", logLevelPath, "", "Authorization", "Bearer "+viewerToken).is(200)["level"])
	}
	require.Equal(t, map[string]any{"level": "info", "for": nil, "until": nil},
		b.ask("PUT", logLevelPath, `{"level":"info"}`).is(200), "the level of the settings has no end")
	entries := b.ask("GET", "/admin/v1/trail", "").is(200)["entries"].([]any)
	require.Len(t, entries, 4)
	entry := entries[0].(map[string]any)
	require.Equal(t, sale.VerbLogLevel, entry["verb"])
	require.Equal(t, "process/host/1/aa", entry["target"])
	require.Equal(t, sale.OutcomeDone, entry["outcome"])
}

func TestALevelThatDoesNotExist(t *testing.T) {
	b := newBench(t)
	for body, field := range map[string]string{
		`{}`: "level", `{"level":"loud"}`: "level", `{"level":"DEBUG"}`: "level", `{"level":5}`: "level",
		`{"level":"debug","for":"1d"}`: "for", `{"level":"debug","for":"0s"}`: "for", `{"level":"debug","for":"24h1s"}`: "for",
		`{"level":"debug","for":600}`: "for", `{"level":"debug","until":"x"}`: "until",
	} {
		require.Equal(t, field, b.ask("PUT", logLevelPath, body).problem(400, "malformed")["field"], body)
	}
	b.ask("PUT", logLevelPath, "debug").problem(400, "malformed")
	level, _ := b.level.Now()
	require.Equal(t, slog.LevelInfo, level)
	entry := b.ask("GET", "/admin/v1/trail", "").is(200)["entries"].([]any)[0].(map[string]any)
	require.Equal(t, "process/host/1/aa", entry["target"], "refusals too")
	require.Equal(t, "malformed", entry["outcome"])
}

// An operator needs the details most while a store is away.
func TestTheLevelChangesWhileTheDatabaseIsAway(t *testing.T) {
	b := newBench(t)
	b.store.set(func() { b.store.away = true })
	require.Equal(t, "debug", b.ask("PUT", logLevelPath, `{"level":"debug"}`).is(200)["level"])
	require.Contains(t, b.level.said.String(), `"msg":"the level of the log was changed","level":"debug"`)
	require.Contains(t, b.level.said.String(), `"msg":"a change of the log's level could not be written into the trail"`)
}

// The listener of a process without an API checks roles as the API does, and answers with the request's id.
func TestTheLevelOfAProcessWithoutAPI(t *testing.T) {
	level, store := &fakeLevel{}, newFakeStore()
	url := listen(t, NewProbes(ProbesOptions{
		Gatherer: prometheus.NewRegistry(), Tokens: testTokens, LogLevel: level, Process: "settle/7", Notes: store,
		Logger: slog.New(slog.DiscardHandler),
	}))
	ask := func(method, token, body string) *reply {
		request, err := http.NewRequest(method, url+logLevelPath, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("X-Request-Id", "night-1")
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer := do(t, request)
		require.Equal(t, "night-1", answer.Header.Get("X-Request-Id"))
		return answer
	}
	const debug = `{"level":"debug","for":"1m"}`
	ask("GET", "", "").problem(401, "unauthenticated")
	require.Equal(t, "admin", ask("PUT", operatorToken, debug).problem(403, "forbidden")["role"])
	require.Equal(t, "info", ask("GET", viewerToken, "").is(200)["level"])
	require.Equal(t, "debug", ask("PUT", adminToken, debug).is(200)["level"])
	require.Equal(t, "level", ask("PUT", adminToken, `{"level":"all"}`).problem(400, "malformed")["field"])
	page, err := store.Trail(t.Context(), sale.TrailQuery{Limit: 9})
	require.NoError(t, err)
	require.Len(t, page.Entries, 2)
	require.Equal(t, []string{"process/settle/7", "night-1", sale.OutcomeDone},
		[]string{page.Entries[1].Target, page.Entries[1].RequestID, page.Entries[1].Outcome})
}
