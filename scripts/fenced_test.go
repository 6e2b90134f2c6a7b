package scripts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// LacksScript takes a server that denies ROLE neither for a primary nor for a replica.
func TestAServerThatDeniesItsRole(t *testing.T) {
	server := harness.Redis(t)
	server.MustDo(t, "ACL", "SETUSER", "shop", "on", ">word", "~*", "&*", "+@all", "-role")
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{server.Addr}, Username: "shop", Password: "word"})
	_, err := r.LacksScript(context.Background())
	require.ErrorIs(t, err, sale.ErrRights)
	require.ErrorContains(t, err, "ask for the role")
}
