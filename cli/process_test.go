package cli

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryFaultOfTheSettingsIsNamedAtOnce(t *testing.T) {
	got := command(t, []string{"FLASHSALE_ADMIN_TOKEN=short", "FLASHSALE_GATEWAY_ACK_TIMEOUT=soon"}, "", "gateway")
	require.Equal(t, ExitUsage, got.code)
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
	require.Equal(t, ExitUsage, got.code)
	for _, fault := range []string{"--bogus", "admin.token", "mysql.dsn", "auth.hs256_secret", taken.Addr().String()} {
		require.Contains(t, got.stderr, fault)
	}
}

func TestTakenPortsAreAllNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	got := command(t, []string{testSecret, testToken, testDSN}, "", "gateway", "--gateway-listen", addr, "--admin-listen", addr)
	require.Equal(t, ExitUsage, got.code)
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
		done <- run(ctx, []string{"settle", "--settle-listen", "127.0.0.1:0"}, []string{testDSN}, "", &stdout, stderr)
	}()
	<-stderr.seen
	cancel()
	require.Equal(t, ExitDone, <-done, stderr.String())
}

// TestGatewayWarnsOnceOfTokensForAnybody: a token that the same issuer made for another service would be accepted.
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
		go func() { done <- run(ctx, args, append(environment, c.more...), "", &stdout, stderr) }()
		<-stderr.seen
		cancel()
		require.Equal(t, ExitDone, <-done, stderr.String())
		require.Equal(t, c.want, strings.Count(stderr.String(), "auth.audience"), stderr.String())
	}
}
