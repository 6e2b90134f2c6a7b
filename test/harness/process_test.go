package harness

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const shell = "/bin/sh"

func TestProcessIsKilledAndRestarted(t *testing.T) {
	p := Start(t, shell, []string{"WORD=hello"}, "-c", "echo $WORD; echo $WORD >&2; while :; do sleep 1; done")
	first := p.PID()
	eventually(t, func() bool { return p.Stdout() == "hello\n" && p.Stderr() == "hello\n" })
	assert.True(t, p.Running())
	p.Kill()
	assert.False(t, p.Running())
	assert.Equal(t, -1, p.ExitCode())
	p.Restart()
	assert.NotEqual(t, first, p.PID())
	eventually(t, func() bool { return p.Stdout() == "hello\nhello\n" })
	p.Pause()
	p.Continue()
	p.Kill()
	p.Kill()
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, readyWithin, pollEvery)
}

func TestTermGivesTheExitCode(t *testing.T) {
	p := Start(t, shell, nil, "-c", `trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done`)
	eventually(t, func() bool { return p.Stdout() == "up\n" })
	assert.Equal(t, 7, p.Term())
	<-p.Done()
}

func TestTheEnvironmentIsClean(t *testing.T) {
	t.Setenv("FLASHSALE_NAMESPACE", "of-the-caller")
	t.Setenv("OTHER", "kept")
	result := Run(t, "input", shell, []string{"FLASHSALE_TEST=mine"}, "-c", "cat; env; exit 3")
	assert.Equal(t, 3, result.Code)
	assert.True(t, strings.HasPrefix(result.Stdout, "input"))
	assert.NotContains(t, result.Stdout, "of-the-caller")
	assert.Contains(t, result.Stdout, "OTHER=kept")
	assert.Contains(t, result.Stdout, "FLASHSALE_TEST=mine")
}

// recorder is a test that is watched: what it reports is kept, and Fatalf ends it by a panic.
type recorder struct {
	lasting
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = format
	panic(r)
}

func TestWaitReadyWaitsForTheStatus(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	p := Start(t, shell, nil, "-c", "while :; do sleep 1; done")
	p.WaitReady(server.URL)
	assert.EqualValues(t, 3, asked.Load())
}

func TestWaitReadyFailsWhenTheProcessEnds(t *testing.T) {
	watched := &recorder{}
	p := &Process{Dir: t.TempDir(), path: shell, args: []string{"-c", "echo broken >&2; exit 1"}, name: "sh", tb: watched}
	require.NoError(t, p.start())
	assert.Panics(t, func() { p.WaitReady("http://" + Address(t)) })
	assert.NotEmpty(t, watched.fatal)
	assert.Contains(t, p.Stderr(), "broken")
}

func TestOwnFolderOfTheModule(t *testing.T) {
	text, err := os.ReadFile(Root(t) + "/go.mod")
	require.NoError(t, err)
	assert.Contains(t, string(text), "module flashsale")
}

func TestTailKeepsTheEnd(t *testing.T) {
	assert.Equal(t, "short", Tail("short"))
	long := Tail(strings.Repeat("x", 10_000) + "end")
	assert.Less(t, len(long), 5_000)
	assert.True(t, strings.HasSuffix(long, "end"))
}
