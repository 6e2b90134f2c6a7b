package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/test/locked"
)

// counts returns the counts in the log lines.
func counts(t *testing.T, log *locked.Buffer) (counts []int) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var told struct {
			Message string `json:"msg"`
			Count   int    `json:"count"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &told))
		require.Equal(t, "wrong operators' token", told.Message)
		counts = append(counts, told.Count)
	}
	return counts
}

// TestWrongTokensAreCounted by either listener; a missing token is not counted, and a right one is accepted meanwhile.
func TestWrongTokensAreCounted(t *testing.T) {
	log := &locked.Buffer{}
	b := newBench(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	for range 3 {
		b.ask("GET", "/admin/v1/sales", "", "Authorization", "Bearer wrong").problem(401, "unauthenticated")
	}
	b.ask("GET", "/admin/v1/sales", "", "Authorization", "").problem(401, "unauthenticated")
	require.EqualValues(t, 3, refusalsOf(t, b.registry))
	require.Equal(t, 200, b.ask("GET", "/admin/v1/sales", "").Status)

	registry := prometheus.NewRegistry()
	probes := NewProbes(ProbesOptions{Gatherer: registry, Registerer: registry, Tokens: testTokens,
		Logger: slog.New(slog.DiscardHandler)})
	request := httptest.NewRequest("GET", "/debug/pprof/heap", nil)
	request.Header.Set("Authorization", "Bearer wrong")
	answer := httptest.NewRecorder()
	probes.ServeHTTP(answer, request)
	require.Equal(t, 401, answer.Code)
	require.EqualValues(t, 1, refusalsOf(t, registry))
}

func refusalsOf(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "flashsale_operator_token_refusals_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

// TestWrongTokensAreLoggedOnceASecondWithTheirCount: the counts include every request, and many requests write few
// lines.
func TestWrongTokensAreLoggedOnceASecondWithTheirCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &locked.Buffer{}
		s := newStrangers(nil, slog.New(slog.NewJSONHandler(log, nil)))
		address := netip.MustParseAddr("203.0.113.7")
		for range 500 {
			s.note(address)
		}
		require.Equal(t, []int{1}, counts(t, log))
		<-time.After(strangerLog)
		synctest.Wait()
		require.Equal(t, []int{1, 499}, counts(t, log))
		s.note(address)
		<-time.After(3 * strangerLog)
		synctest.Wait()
		require.Equal(t, []int{1, 499, 1}, counts(t, log), "without requests nothing is logged")
		s.note(address)
		require.Equal(t, []int{1, 499, 1, 1}, counts(t, log), "the first after a pause is logged at once")
		<-time.After(strangerLog)
	})
}

// TestWrongTokensAreSlowedPerAddress: a burst is answered at once, then the pace applies, and no delay exceeds the
// bound.
func TestWrongTokensAreSlowedPerAddress(t *testing.T) {
	s := newStrangers(nil, slog.New(slog.DiscardHandler))
	now := time.Now()
	guesser, other := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	delay := func(address netip.Addr, now time.Time) time.Duration {
		wait, ok := s.delay(strangerKey{address: address}, now)
		require.True(t, ok)
		return wait
	}
	for range strangerBurst {
		require.LessOrEqual(t, delay(guesser, now), time.Duration(0))
	}
	for i := range int(strangerWait / strangerPace) {
		require.Equal(t, time.Duration(i+1)*strangerPace, delay(guesser, now))
	}
	for range 1000 {
		_, ok := s.delay(strangerKey{address: guesser}, now)
		require.False(t, ok, "the line is full")
	}
	require.LessOrEqual(t, delay(other, now), time.Duration(0), "another address is not slowed")
	require.Equal(t, strangerWait, delay(guesser, now.Add(strangerPace)), "one has left the line")
	later := now.Add(strangerWait + (strangerBurst+1)*strangerPace)
	require.LessOrEqual(t, delay(guesser, later), time.Duration(0), "an address that stops guessing has its burst again")
}

// TestWrongTokensWait for their refusals after the burst, unless the client disconnects.
func TestWrongTokensWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrangers(nil, slog.New(slog.DiscardHandler))
		request := httptest.NewRequest("GET", "/admin/v1/sales", nil)
		request.Header.Set("Authorization", "Bearer wrong")
		begun := time.Now()
		refuse := func(r *http.Request) {
			require.Equal(t, 401, s.refuse(httptest.NewRecorder(), r).Status)
		}
		for range strangerBurst {
			refuse(request)
		}
		require.Zero(t, time.Since(begun))
		for range 5 {
			refuse(request)
		}
		require.Equal(t, 5*strangerPace, time.Since(begun))
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		refuse(request.WithContext(gone))
		require.Equal(t, 5*strangerPace, time.Since(begun))
		request.Header.Del("Authorization")
		refuse(request)
		require.Equal(t, 5*strangerPace, time.Since(begun), "a request without a token is not a guess")
		<-time.After(2 * strangerLog) // the rest of the log
	})
}

// TestManyConnectionsMakeForNoMoreGuesses: 400 clients of one address guess at once, and again as soon as they are
// answered; ten a second are answered 401, and the others 429.
func TestManyConnectionsMakeForNoMoreGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seconds = 20
		s := newStrangers(nil, slog.New(slog.DiscardHandler))
		var answered, sent atomic.Int64
		var crowd sync.WaitGroup
		begun := time.Now()
		for range 400 {
			crowd.Go(func() {
				for time.Since(begun) < seconds*time.Second {
					request := httptest.NewRequest("GET", "/admin/v1/sales", nil)
					request.Header.Set("Authorization", "Bearer wrong")
					answer := httptest.NewRecorder()
					switch problem := s.refuse(answer, request); problem.Status {
					case 401:
						answered.Add(1)
					case 429:
						sent.Add(1)
						<-time.After(strangerPace) // it connects again
					default:
						panic(problem)
					}
				}
			})
		}
		crowd.Wait()
		most := int64(strangerBurst + (seconds*time.Second+strangerWait)/strangerPace)
		require.LessOrEqual(t, answered.Load(), most)
		require.Greater(t, answered.Load(), most/2)
		require.Positive(t, sent.Load())
		<-time.After(2 * strangerLog) // the rest of the log
	})
}

// TestFullLineSendsStrangersAway: the right token is accepted from the same address, on either listener.
func TestFullLineSendsStrangersAway(t *testing.T) {
	b := newBench(t)
	registry := prometheus.NewRegistry()
	probes := NewProbes(ProbesOptions{Gatherer: registry, Tokens: testTokens, Logger: slog.New(slog.DiscardHandler)})
	for _, s := range []*strangers{b.api.strangers, probes.strangers} { // as after an hour of guesses
		s.mu.Lock()
		s.pace = strangerPace
		s.next[strangerKey{address: netip.MustParseAddr("127.0.0.1")}] = time.Now().Add(time.Hour)
		s.mu.Unlock()
	}
	url := listen(t, probes)
	for _, at := range []string{b.url + "/admin/v1/sales", url + "/debug/pprof/heap"} {
		for token, status := range map[string]int{"wrong": 429, adminToken: 200} {
			request, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "Bearer "+token)
			answer, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, errors.Join(err, answer.Body.Close()))
			require.Equal(t, status, answer.StatusCode, at)
			if status == 429 {
				require.Equal(t, "5", answer.Header.Get("Retry-After"))
				require.Empty(t, answer.Header.Get("WWW-Authenticate"))
				require.True(t, answer.Close)
				require.Contains(t, string(body), `"code":"rate_limited"`)
			}
		}
	}
}

// TestStrangersAreRememberedWithinABound: beyond the bound, further addresses share one pace.
func TestStrangersAreRememberedWithinABound(t *testing.T) {
	s := newStrangers(nil, slog.New(slog.DiscardHandler))
	now := time.Now()
	at := netip.MustParseAddr("10.0.0.0")
	for range strangerEntries + 500 {
		_, _ = s.delay(strangerKey{address: at}, now)
		at = at.Next()
	}
	require.LessOrEqual(t, len(s.next), strangerEntries+1)
	_, ok := s.delay(strangerKey{address: at}, now)
	require.False(t, ok, "the entry they share has no room left")
	_, ok = s.delay(strangerKey{address: at}, now.Add(time.Hour))
	require.True(t, ok)
	require.LessOrEqual(t, len(s.next), 2, "addresses that stopped are forgotten")
}

func TestStrangerIsHisNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7:1234": "203.0.113.7", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::", "[::ffff:203.0.113.7]:80": "203.0.113.7",
		"[fe80::1%eth0]:80": "fe80::",
	} {
		request := httptest.NewRequest("GET", "/", nil)
		request.RemoteAddr = remote
		require.Equal(t, netip.MustParseAddr(want), strangerOf(request), remote)
	}
	request := httptest.NewRequest("GET", "/", nil)
	request.RemoteAddr = "@"
	require.Equal(t, netip.Addr{}, strangerOf(request))
}
