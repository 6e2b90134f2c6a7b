package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

// devEnv is a dev process on free ports with secrets of its own, so that two starts share them.
func devEnv(t *testing.T) (env []string, s *stack) {
	t.Helper()
	buyers := harness.Address(t)
	g := &gateway{Listen: buyers, Buyers: buyers, Operators: harness.Address(t)}
	env = []string{
		"FLASHSALE_GATEWAY_LISTEN=" + g.Buyers, "FLASHSALE_ADMIN_LISTEN=" + g.Operators, "FLASHSALE_SETTLE_LISTEN=" + harness.Address(t),
		"FLASHSALE_ADMIN_TOKEN=" + adminToken, "FLASHSALE_AUTH_HS256_SECRET=" + secret,
	}
	return env, &stack{&deployed.Stack{T: t, Bin: harness.Binary(t), Env: env, Gateways: []*gateway{g}}, t}
}

// curlLine waits for the line that dev prints at each start, to be pasted.
func curlLine(t *testing.T, p *harness.Process, starts int) string {
	t.Helper()
	pattern := regexp.MustCompile(`(?m)^\s*(curl .*)$`)
	var lines [][]string
	require.Eventually(t, func() bool {
		lines = pattern.FindAllStringSubmatch(p.Stdout(), -1)
		return len(lines) == starts
	}, 20*time.Second, 5*time.Millisecond, "no curl line\n%s", p.Stderr())
	return lines[starts-1][1]
}

// paste runs a line as a shell does.
func paste(t *testing.T, line string) string {
	t.Helper()
	harness.Program(t, "curl", "curl")
	output, err := exec.Command("sh", "-c", line).CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, output)
	return string(output)
}

// TestDevIsKilledAndStartedAgain buys from dev with the line it prints, kills it the hard way in the middle of a crowd,
// and starts it on the same data: what was queued or confirmed is there, and the books hold.
func TestDevIsKilledAndStartedAgain(t *testing.T) {
	env, s := devEnv(t)
	data := filepath.Join(t.TempDir(), "data")
	begun := time.Now()
	p := harness.Start(t, s.Bin, env, "dev", "--data-dir", data)
	line := curlLine(t, p, 1)
	t.Logf("dev was ready after %s", time.Since(begun).Round(time.Millisecond))
	banner := p.Stdout()
	assert.Contains(t, banner, "trying and developing")
	for _, shown := range []string{s.Gateways[0].Buyers, s.Gateways[0].Operators, adminToken} {
		assert.Contains(t, banner, shown)
	}
	assert.Contains(t, paste(t, line), " 202 ")
	assert.Contains(t, paste(t, line), "already_bought")
	c := newCrowd(s, "demo", 6_000)
	c.Connections = 32
	c.OnTaken(1_500, p.Kill)
	list := c.presses(7, 2_000, []string{"phone"}, single)
	c.Round(list)
	require.Positive(t, c.codes()["no answer"])
	p.Restart()
	s.Gateways[0].Process = p
	s.Gateways[0].Ready()
	s.eventuallyState(s.Gateways[0], "demo", "open")
	assert.Contains(t, paste(t, curlLine(t, p, 2)), "already_bought", "the order is still there")
	assert.Contains(t, paste(t, line), "already_bought", "and the token still good")
	checkDev(s, c)
	c.rush(list)
	checkDev(s, c)
	assert.Zero(t, p.Term())
	assert.DirExists(t, data)
}

// checkDev compares answers and books through the API: dev's database is inside the process.
func checkDev(s *stack, c *crowd) {
	s.t.Helper()
	s.audit("demo")
	checked := 0
	ops := c.purchases()
	for i := range ops {
		if told := ops[i].Order(); told.Order != "" {
			checked++
			got := s.operate("GET", "/admin/v1/orders/"+told.Order, nil)
			require.Equal(s.t, 200, got.status, "%s %s is lost", told.Status, told.Order)
			decoded := got.json(s)
			require.Equal(s.t, "confirmed", decoded["status"], "%s", got.body)
			require.Equal(s.t, ops[i].Buyer, decoded["buyer_id"])
		}
	}
	require.Positive(s.t, checked)
}

// TestDevDemo: --demo sends a crowd and prints a live line; without --data-dir nothing is left behind.
func TestDevDemo(t *testing.T) {
	env, s := devEnv(t)
	temporary := t.TempDir()
	p := harness.Start(t, s.Bin, append(env, "TMPDIR="+temporary), "dev", "--demo")
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`asked [1-9]\d*.*sold [1-9]\d*.*books hold`).MatchString(p.Stdout())
	}, 20*time.Second, 20*time.Millisecond)
	require.Zero(t, p.Term())
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	assert.Empty(t, left, "the temporary folder is removed at the end")
}
