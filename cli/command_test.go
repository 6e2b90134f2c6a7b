package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/locked"
)

// output is the result of one command line.
type output struct {
	code           int
	stdout, stderr string
}

const (
	testSecret = "FLASHSALE_AUTH_HS256_SECRET=0123456789abcdef0123456789abcdef"
	testToken  = "FLASHSALE_ADMIN_TOKEN=operators-token-of-a-test"
	testDSN    = "FLASHSALE_MYSQL_DSN=root@tcp(127.0.0.1:1)/flashsale"
)

// table has every command, without the help texts of cmd/flashsale.
type table struct {
	Globals

	Dev        Dev        `cmd:""`
	Gateway    Gateway    `cmd:""`
	Settle     Settle     `cmd:""`
	Migrate    Migrate    `cmd:""`
	Sale       Sale       `cmd:""`
	Top        Top        `cmd:""`
	Rules      Rules      `cmd:""`
	Trail      Trail      `cmd:""`
	Audit      Audit      `cmd:""`
	Token      Token      `cmd:""`
	Load       Load       `cmd:""`
	Orders     Orders     `cmd:""`
	Deadletter Deadletter `cmd:""`
	Config     Config     `cmd:""`
	Probe      Probe      `cmd:""`
	Version    Version    `cmd:""`
}

func run(ctx context.Context, args, environ []string, stdin string, stdout, stderr io.Writer) int {
	return Run(ctx, &table{}, args, environ, Streams{strings.NewReader(stdin), stdout, stderr})
}

func command(t *testing.T, environ []string, stdin string, args ...string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, environ, stdin, &stdout, &stderr)
	return output{code, stdout.String(), stderr.String()}
}

// closedPort returns an address of this machine without a listener.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// watchedBuffer is an output that signals when a text has appeared in it.
type watchedBuffer struct {
	locked.Buffer
	want string
	seen chan struct{}
	told sync.Once
}

// Write appends and searches the text.
func (b *watchedBuffer) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if strings.Contains(b.String(), b.want) {
		b.told.Do(func() { close(b.seen) })
	}
	return n, err
}
