package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestTopSurvivesItsGateway: without a terminal top prints a block of lines a second. While its gateway is away it says how old
// its numbers are and why, and goes on when the gateway is back.
func TestTopSurvivesItsGateway(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(5)))
	gateway := s.Gateways[0]
	env := append(append([]string{}, s.Env...), "FLASHSALE_ADMIN_URL=http://"+gateway.Operators)
	top := harness.Start(t, s.Bin, env, "top", "rush")
	shows := func(says func(block string) bool, what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			blocks := strings.Split(top.Stdout(), "\n\nrush ")
			return says(blocks[len(blocks)-1])
		}, 30*time.Second, 20*time.Millisecond, "%s\n%s", what, top.Stderr())
	}
	good := func(block string) bool {
		return strings.Contains(block, "phone  ") && !strings.Contains(block, "s old")
	}
	shows(good, "the first numbers")
	gateway.Kill()
	shows(func(block string) bool {
		return strings.Contains(block, "s old") && strings.Contains(block, "is a gateway running there (admin.url)?") &&
			strings.Contains(block, "http://"+gateway.Operators)
	}, "the gateway is away")
	gateway.Start()
	gateway.Ready()
	s.taken(ask{buyer: "ann"})
	shows(func(block string) bool { return good(block) && strings.Contains(block, "available 4 ") }, "new numbers")
	require.Zero(t, top.Term())
}
