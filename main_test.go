package main

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"flashsale/settings"
)

// output is what one command line left behind.
type output struct {
	code           int
	stdout, stderr string
}

const (
	testSecret = "FLASHSALE_AUTH_HS256_SECRET=0123456789abcdef0123456789abcdef"
	testToken  = "FLASHSALE_ADMIN_TOKEN=operators-token-of-a-test"
	testDSN    = "FLASHSALE_MYSQL_DSN=root@tcp(127.0.0.1:1)/flashsale"
)

func command(t *testing.T, environ []string, stdin string, args ...string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, environ, strings.NewReader(stdin), &stdout, &stderr)
	return output{code, stdout.String(), stderr.String()}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	got := command(t, nil, "", "--help")
	require.Equal(t, exitDone, got.code)
	for _, name := range []string{"dev", "gateway", "settle", "migrate", "sale create", "sale buyers", "sale preload", "sale open",
		"sale pause", "sale resume", "sale close", "sale show", "sale list", "rules get", "rules put", "audit", "token",
		"load rush", "load targets", "load verdict", "deadletter list", "deadletter replay", "deadletter refuse", "config", "version"} {
		require.Contains(t, got.stdout, name)
	}
}

// Whoever types the bare name is told what there is.
func TestBareNamePrintsTheHelp(t *testing.T) {
	bare, asked := command(t, nil, ""), command(t, nil, "", "--help")
	require.Equal(t, exitDone, bare.code)
	require.Equal(t, asked, bare)
	require.Empty(t, bare.stderr)
	require.Equal(t, bare.stdout, command(t, nil, "", "--namespace", "other").stdout, "also beside a setting")
}

// The help of a command lists the settings that it reads, in the spelling of the environment too, and no others.
func TestHelpListsTheSettingsOfACommand(t *testing.T) {
	for name, words := range map[string][]string{"gateway": {"gateway"}, "settle": {"settle"}, "dev": {"dev"}, "migrate": {"migrate"},
		"audit": {"audit"}, "sale": {"sale", "create"}, "load verdict": {"load", "verdict"}} {
		got := command(t, nil, "", append(words, "--help")...)
		require.Equal(t, exitDone, got.code, got.stderr)
		for _, s := range settings.All() {
			used := slices.Contains(s.Used, name) || slices.Contains(s.Used, "every command")
			require.Equal(t, used, strings.Contains(got.stdout, " "+s.Flag()+", "+s.Env()), "%s in the help of %s", s.Name, name)
		}
	}
	gateway := command(t, nil, "", "gateway", "--help").stdout
	for _, said := range []string{"FLASHSALE_ADMIN_TOKEN (or FLASHSALE_ADMIN_TOKEN_FILE), needed", "FLASHSALE_GATEWAY_LISTEN, default 127.0.0.1:8080",
		"Buyers' listener", "--config"} {
		require.Contains(t, gateway, said)
	}
}

func TestWrongUsageExits80(t *testing.T) {
	for _, args := range [][]string{{"nope"}, {"sale"}, {"version", "--no-such-flag"}, {"sale", "open"}, {"audit", "-o", "xml"},
		{"token"}, {"token", "--buyer", "a", "--count", "2"}, {"gateway", "--kafka-partitions", "many"}} {
		got := command(t, []string{testSecret}, "", args...)
		require.Equal(t, exitUsage, got.code, "%q: %s", args, got.stderr)
		require.NotEmpty(t, got.stderr, "%q", args)
	}
}

func TestEveryFaultOfTheSettingsIsNamedAtOnce(t *testing.T) {
	got := command(t, []string{"FLASHSALE_ADMIN_TOKEN=short", "FLASHSALE_GATEWAY_ACK_TIMEOUT=soon"}, "", "gateway")
	require.Equal(t, exitUsage, got.code)
	for _, fault := range []string{"ADMIN_TOKEN", "ACK_TIMEOUT", "HS256_SECRET", "MYSQL_DSN"} {
		require.Contains(t, strings.ToUpper(got.stderr), fault)
	}
	require.NotContains(t, got.stderr, "short")
}

func TestWrongFlagsWrongSettingsAndTakenPortsAreNamedTogether(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	got := command(t, []string{"FLASHSALE_ADMIN_TOKEN=short"}, "", "gateway", "--bogus", "--admin-listen", taken.Addr().String(),
		"--gateway-listen", "127.0.0.1:0")
	require.Equal(t, exitUsage, got.code)
	for _, fault := range []string{"--bogus", "admin.token", "mysql.dsn", "auth.hs256_secret", taken.Addr().String()} {
		require.Contains(t, got.stderr, fault)
	}
}

func TestVersionAndConfig(t *testing.T) {
	got := command(t, nil, "", "version")
	require.Equal(t, exitDone, got.code)
	require.Regexp(t, `^flashsale \S+, commit \S+, go1\.\S+\n$`, got.stdout)
	require.Equal(t, got, command(t, nil, "", "--version"))
	require.Contains(t, command(t, nil, "", "--help").stdout, "--config=FILE")

	got = command(t, []string{testToken, "FLASHSALE_NO_SUCH_THING=1"}, "", "config", "--gateway-ack-timeout=2s")
	require.Equal(t, exitDone, got.code)
	require.NotContains(t, got.stdout+got.stderr, "operators-token-of-a-test")
	require.Regexp(t, `gateway\.ack_timeout +2s +flag --gateway-ack-timeout`, got.stdout)
	require.Contains(t, got.stderr, "FLASHSALE_NO_SUCH_THING")
}

func TestTokens(t *testing.T) {
	got := command(t, []string{testSecret}, "", "token", "--count", "3", "--prefix", "b-")
	require.Equal(t, exitDone, got.code)
	require.Len(t, strings.Fields(got.stdout), 3)

	got = command(t, []string{testSecret}, "", "token", "--buyer", "alice", "--ttl", "1h")
	require.Equal(t, exitDone, got.code)
	require.Len(t, strings.Split(got.stdout, "."), 3)

	for _, words := range [][]string{{"token", "--buyer", "alice"}, {"load", "targets", "--sale", "s", "--sku", "a", "--buyers", "1"}} {
		short := []string{testSecret, "FLASHSALE_AUTH_MAX_LIFETIME=10m"}
		got = command(t, short, "", append(words, "--ttl", "11m")...)
		require.Equal(t, exitUsage, got.code, words)
		require.Contains(t, got.stderr, "auth.max_lifetime, which is 10m0s here")
		got = command(t, short, "", words...)
		require.Equal(t, exitDone, got.code, got.stderr)
		require.WithinDuration(t, time.Now().Add(10*time.Minute), expiryIn(t, got.stdout), time.Minute, "a default that the gateway takes")
		require.Equal(t, exitDone, command(t, short, "", append(words, "--ttl", "10m")...).code)
		require.Equal(t, exitDone, command(t, []string{testSecret}, "", append(words, "--ttl", "24h")...).code)
	}
	got = command(t, []string{testSecret}, "", "token", "--buyer", "no spaces please")
	require.Equal(t, exitUsage, got.code)
	got = command(t, nil, "", "token", "--buyer", "alice")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, "auth.hs256_secret")
}

// expiryIn returns when the first token in a text expires.
func expiryIn(t *testing.T, text string) time.Time {
	t.Helper()
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(regexp.MustCompile(`eyJ[\w.-]+`).FindString(text), &claims)
	require.NoError(t, err, text)
	return claims.ExpiresAt.Time
}

func TestTargetsFromStdin(t *testing.T) {
	tokens := command(t, []string{testSecret}, "", "token", "--count", "2")
	got := command(t, nil, tokens.stdout, "load", "targets", "--sale", "s", "--sku", "a", "--tokens", "-")
	require.Equal(t, exitDone, got.code, got.stderr)
	require.Equal(t, 2, strings.Count(got.stdout, `"method":"POST"`))
	require.Contains(t, got.stdout, "/v1/sales/s/items/a/orders")
}

// closedPort returns an address of this machine on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestOperatorsCommandsWithoutAListener(t *testing.T) {
	environ := []string{testToken, testDSN, "FLASHSALE_ADMIN_URL=http://" + closedPort(t)}
	got := command(t, environ, "", "audit")
	require.Equal(t, exitUnreadable, got.code, got.stderr)
	got = command(t, environ, "", "sale", "list")
	require.Equal(t, exitUnreadable, got.code, got.stderr)
	got = command(t, environ, "", "sale", "open", "demo")
	require.Equal(t, exitFailed, got.code, got.stderr)
	got = command(t, environ, "", "sale", "create", "demo", "-f", t.TempDir()+"/none.yaml")
	require.Equal(t, exitUnreadable, got.code, got.stderr)
	require.Contains(t, got.stderr, "none.yaml")
	for _, words := range [][]string{{"sale", "buyers", "demo", "-f"}, {"rules", "put", "-f"}, {"load", "targets", "--sale", "s", "--sku", "a", "--tokens"}} {
		got = command(t, environ, "", append(words, t.TempDir()+"/none")...)
		require.Equal(t, exitUnreadable, got.code, "%v: %s", words, got.stderr)
	}
	got = command(t, environ, "", "load", "verdict", "demo", "--wait", "1ms")
	require.Equal(t, exitUnreadable, got.code, got.stderr)
}

func TestTakenPortsAreAllNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	got := command(t, []string{testSecret, testToken, testDSN}, "", "gateway", "--gateway-listen", addr, "--admin-listen", addr)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, "gateway.listen")
	require.Contains(t, got.stderr, "admin.listen")
	require.Equal(t, 2, strings.Count(got.stderr, addr))
}

func TestProcessEndsWhileItWaitsForItsStores(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	stderr := &watchedBuffer{want: "waiting", seen: make(chan struct{})}
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"settle", "--settle-listen", "127.0.0.1:0"}, []string{testDSN}, strings.NewReader(""), &stdout, stderr)
	}()
	<-stderr.seen
	cancel()
	require.Equal(t, exitDone, <-done, stderr.String())
}

// TestGatewayWarnsOnceOfTokensForAnybody: a token of the same issuer for another service would buy.
func TestGatewayWarnsOnceOfTokensForAnybody(t *testing.T) {
	environment := []string{testDSN, testSecret, "FLASHSALE_ADMIN_TOKEN=0123456789abcdef"}
	for _, c := range []struct {
		more []string
		want int
	}{{nil, 1}, {[]string{"FLASHSALE_AUTH_AUDIENCE=sale"}, 0}} {
		ctx, cancel := context.WithCancel(t.Context())
		var stdout bytes.Buffer
		stderr := &watchedBuffer{want: "waiting", seen: make(chan struct{})}
		done := make(chan int, 1)
		args := []string{"gateway", "--gateway-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
		go func() { done <- run(ctx, args, append(environment, c.more...), strings.NewReader(""), &stdout, stderr) }()
		<-stderr.seen
		cancel()
		require.Equal(t, exitDone, <-done, stderr.String())
		require.Equal(t, c.want, strings.Count(stderr.String(), "auth.audience"), stderr.String())
	}
}

// watchedBuffer is an output that says when a text has appeared in it.
type watchedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen chan struct{}
	told bool
}

// Write appends and looks for the text.
func (b *watchedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if !b.told && strings.Contains(b.text.String(), b.want) {
		b.told = true
		close(b.seen)
	}
	return n, err
}

// String returns what was written so far.
func (b *watchedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
