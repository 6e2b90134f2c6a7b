package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// tear cuts the end of a killed Redis's append-only file inside the block of the last script, as a power cut may. A sign of life
// may have been written after it.
func tear(t *testing.T, redis *harness.RedisServer) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(redis.Dir, "appendonlydir", "*.incr.aof"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	text, err := os.ReadFile(found[0])
	require.NoError(t, err)
	last := bytes.LastIndex(text, []byte("EXEC\r\n"))
	require.Positive(t, last, "no write is a script's: %q", text)
	require.NoError(t, os.Truncate(found[0], int64(last+1)))
}

// TestTornAppendOnlyFile: Redis repairs a file that was cut inside a script's block so that the block stays open; its next
// orderly start applies half of that script and may lose what it acknowledged since (docs/compatibility.md). Orders that
// were answered queued are sold all the same, once.
func TestTornAppendOnlyFile(t *testing.T) {
	const stock, before, between = 12, 3, 4
	redis := harness.Redis(t, "--appendfsync", "always", "--logfile", "redis.log")
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(stock)))
	for i := range before {
		s.confirmed(fmt.Sprintf("before-%d", i))
	}
	redis.Kill()
	tear(t, redis)
	redis.Start()
	for i := range between {
		s.sells(0, fmt.Sprintf("between-%d", i))
	}
	s.audit("rush")
	redis.Stop()
	redis.Start()
	log, err := os.ReadFile(filepath.Join(redis.Dir, "redis.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "Truncating the AOF", "Redis logs it and serves")
	for i := range stock - before - between {
		s.sells(0, fmt.Sprintf("after-%d", i))
	}
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "late"}).json(s)["code"] == "sold_out" }, 10*time.Second,
		20*time.Millisecond)
	for _, owner := range []string{"before-0", "between-0", "after-0"} {
		s.refused(s.buy(ask{buyer: owner}), 409, "already_bought", boughtMembers...)
	}
	s.audit("rush")
	assert.Equal(t, stock, s.orderRows("rush").units["phone"])
}
