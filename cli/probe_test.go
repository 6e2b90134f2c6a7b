package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProbe: ready is exit 0 without a word; everything else is exit 1 with the reason.
func TestProbe(t *testing.T) {
	release := make(chan struct{})
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/waits":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"checks":{"redis":"refused"}}`) // a lost answer fails the test below
		case "/hangs":
			<-release
		}
	}))
	defer process.Close()
	defer close(release)
	ready := command(t, nil, "", "probe", process.URL+"/readyz")
	require.Equal(t, ExitDone, ready.code, ready.stderr)
	require.Empty(t, ready.stdout+ready.stderr)
	waits := command(t, nil, "", "probe", process.URL+"/waits")
	require.Equal(t, ExitFailed, waits.code)
	require.Contains(t, waits.stderr, "503")
	require.Contains(t, waits.stderr, `{"redis":"refused"}`)
	begin := time.Now()
	require.Equal(t, ExitFailed, command(t, nil, "", "probe", process.URL+"/hangs", "--timeout", "50ms").code)
	require.Less(t, time.Since(begin), 20*time.Second)
	away := command(t, nil, "", "probe", "http://"+closedPort(t))
	require.Equal(t, ExitFailed, away.code)
	require.Contains(t, away.stderr, "refused")
	for _, wrong := range []string{"http://[", "127.0.0.1:8080/readyz", "localhost:8080", "ftp://127.0.0.1/", ""} {
		got := command(t, nil, "", "probe", wrong)
		require.Equal(t, ExitUsage, got.code, wrong)
		require.Contains(t, got.stderr, "is not a URL with http or https")
	}
}
