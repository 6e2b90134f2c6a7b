package admin

import (
	"io"
	"net/http"
	"runtime/pprof"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// gzipped is the prefix of every profile.
const gzipped = "\x1f\x8b"

// profiled are the two listeners that have profiles.
func profiled(t *testing.T) map[string]struct {
	url  string
	stop func()
} {
	t.Helper()
	b := newBench(t)
	probes := NewProbes(ProbesOptions{Gatherer: prometheus.NewRegistry(), Tokens: testTokens})
	return map[string]struct {
		url  string
		stop func()
	}{"operators": {b.url, b.api.StopStreams}, "probes": {listen(t, probes), probes.StopStreams}}
}

func askProfile(t *testing.T, url, path, token string) *reply {
	t.Helper()
	request, err := http.NewRequest("GET", url+"/debug/pprof/"+path, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, request)
}

func TestProfilesAreTheOperators(t *testing.T) {
	for name, on := range profiled(t) {
		t.Run(name, func(t *testing.T) {
			for _, token := range []string{"", adminToken + "x"} {
				refused := askProfile(t, on.url, "heap", token)
				refused.problem(401, "unauthenticated")
				require.Equal(t, "Bearer", refused.Header.Get("WWW-Authenticate"))
			}
			for _, token := range []string{shopToken, viewerToken} {
				require.Equal(t, "operator", askProfile(t, on.url, "heap", token).problem(403, "forbidden")["role"])
			}
			for _, kind := range []string{"heap", "allocs", "goroutine", "profile?seconds=1"} {
				got := askProfile(t, on.url, kind, adminToken)
				require.Equal(t, 200, got.Status, kind)
				require.Equal(t, gzipped, string(got.Body[:2]), kind)
			}
			askProfile(t, on.url, "cmdline", adminToken).problem(404, "not_found")
			askProfile(t, on.url, "", adminToken).problem(404, "not_found")
			for _, seconds := range []string{"0", "301", "x", "-1"} {
				askProfile(t, on.url, "profile?seconds="+seconds, adminToken).problem(400, "malformed")
			}
		})
	}
}

func TestProfilesWithoutATokenAreNobodys(t *testing.T) {
	url := listen(t, NewProbes(ProbesOptions{Gatherer: prometheus.NewRegistry()}))
	for _, token := range []string{"", "x"} {
		problem := askProfile(t, url, "heap", token).problem(401, "unauthenticated")
		require.Contains(t, problem["detail"], "admin.token", "a right token is not called wrong")
	}
}

// TestOneProfileOfTimeAtOnce: while a CPU profile is being taken another one is refused, and the shutdown does not wait
// for it.
func TestOneProfileOfTimeAtOnce(t *testing.T) {
	for name, on := range profiled(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, pprof.StartCPUProfile(io.Discard))
			askProfile(t, on.url, "profile?seconds=1", adminToken).problem(503, "overloaded")
			pprof.StopCPUProfile()
			on.stop()
			require.Equal(t, 200, askProfile(t, on.url, "profile?seconds=300", adminToken).Status)
		})
	}
}
