package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	secret     = deployed.Secret
	adminToken = deployed.AdminToken
	shopToken  = deployed.ShopToken
)

type (
	servers = deployed.Options
	gateway = deployed.Process
	worker  = deployed.Process // a settle process
)

// stack is one deployment with this suite's helpers.
type stack struct {
	*deployed.Stack
	t testing.TB
}

// newStack migrates an empty deployment without starting its processes. The default limit of a buyer is off, because the
// tests press with few buyers.
func newStack(t testing.TB, with servers) *stack {
	t.Helper()
	s := limitedStack(t, with)
	_, err := s.DB().ExecContext(t.Context(), `UPDATE rules SET body = '{"buyer":null}' WHERE id = 1`)
	require.NoError(t, err)
	return s
}

// limitedStack is newStack with the default limit of a buyer.
func limitedStack(t testing.TB, with servers) *stack {
	t.Helper()
	return &stack{deployed.New(t, with).Migrate(), t}
}

// run starts further gateways and settle processes and waits until all are ready.
func (s *stack) run(gateways, settles int) *stack {
	s.t.Helper()
	s.Run(gateways, settles)
	return s
}
