package scripts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// The keeper takes a server that may not say what it is for neither primary nor replica.
func TestAServerThatMayNotSayItsRole(t *testing.T) {
	server := harness.Redis(t)
	server.MustDo(t, "ACL", "SETUSER", "shop", "on", ">word", "~*", "&*", "+@all", "-role")
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{server.Addr}, Username: "shop", Password: "word"})
	_, err := r.LacksScript(context.Background())
	require.ErrorIs(t, err, sale.ErrRights)
	require.ErrorContains(t, err, "ask for the role")
}
