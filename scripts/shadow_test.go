package scripts

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// dialAs connects to a server with a namespace.
func dialAs(t *testing.T, server *harness.RedisServer, namespace, user string) *Redis {
	t.Helper()
	r, err := Dial(Options{Namespace: namespace, Addrs: []string{server.Addr}, Username: user, Password: user})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// Only keys of the shadow go: those of its engine's sales, and the owner's key last.
func TestKeysOfAShadow(t *testing.T) {
	server := harness.Redis(t)
	names, err := sale.ShadowOf("shop", "any")
	require.NoError(t, err)
	original, shadow := dialAs(t, server, "shop", ""), dialAs(t, server, names.Namespace(), "")
	owner, err := shadow.Owner(t.Context())
	require.NoError(t, err)
	require.Empty(t, owner)
	require.NoError(t, shadow.DropShadow(t.Context(), names, "engine-2", nil), "nothing to drop")
	of := sale.Sale{ID: "spring", Buckets: 2, ListVersion: 3}
	for i, r := range []*Redis{original, shadow} {
		_, err := r.Claim(t.Context(), fmt.Sprintf("engine-%d", i+1))
		require.NoError(t, err)
		for _, bucket := range of.BucketNames() {
			for _, key := range r.Keys(bucket).all() {
				server.MustDo(t, "SET", key, "x")
			}
		}
		require.NoError(t, r.LoadList(t.Context(), "spring", 3, 10, listOf(10)))
	}
	before := fmt.Sprint(server.MustDo(t, "DBSIZE"))
	require.Equal(t, "22", before)

	require.ErrorIs(t, original.DropShadow(t.Context(), names, "engine-1", []sale.Sale{of}), sale.ErrNotShadow)
	require.ErrorIs(t, shadow.DropShadow(t.Context(), sale.Shadow{}, "engine-2", []sale.Sale{of}), sale.ErrNotShadow)
	require.ErrorIs(t, shadow.DropShadow(t.Context(), names, "engine-1", []sale.Sale{of}), sale.ErrForeign)
	require.Equal(t, before, fmt.Sprint(server.MustDo(t, "DBSIZE")))

	require.NoError(t, shadow.DropShadow(t.Context(), names, "engine-2", []sale.Sale{of}))
	require.Empty(t, server.MustDo(t, "KEYS", "shop.rehearsal*"))
	require.Equal(t, "11", fmt.Sprint(server.MustDo(t, "DBSIZE")), "the real engine has all its keys")
	require.NoError(t, shadow.DropShadow(t.Context(), names, "engine-2", []sale.Sale{of}), "once more")
}

// A user without rights on the shadow's keys is refused before a write, and the line in the error is enough.
func TestRightsOfAShadow(t *testing.T) {
	server := harness.Redis(t)
	server.MustDo(t, "ACL", "SETUSER", "seller", "on", ">seller", "resetkeys", "~shop:*", "resetchannels", "+@all")
	r := dialAs(t, server, "shop.rehearsal", "seller")
	err := r.CheckNamespaceRights(t.Context())
	require.ErrorIs(t, err, sale.ErrRights)
	require.ErrorContains(t, err, "Type on each node: ACL SETUSER seller ~shop.rehearsal:*")
	server.MustDo(t, "ACL", "SETUSER", "seller", "~shop.rehearsal:*")
	require.NoError(t, r.CheckNamespaceRights(t.Context()))
	require.Equal(t, "0", fmt.Sprint(server.MustDo(t, "DBSIZE")))
	server.Kill()
	require.NotErrorIs(t, r.CheckNamespaceRights(t.Context()), sale.ErrRights)
	require.Error(t, r.CheckNamespaceRights(t.Context()))
}

func TestMemoryOfEveryServer(t *testing.T) {
	server := harness.Redis(t, "--maxmemory", "200mb")
	r := dialAs(t, server, "shop", "")
	memory, err := r.Memory(t.Context())
	require.NoError(t, err)
	require.Len(t, memory, 1)
	require.Equal(t, server.Addr, memory[0].Addr)
	require.EqualValues(t, 200<<20, memory[0].Max)
	require.Greater(t, memory[0].Used, int64(100_000))
	_, err = infoNumber("used_memory_human:1M\r\n", "used_memory")
	require.ErrorContains(t, err, "no field used_memory")
	server.Kill()
	_, err = r.Memory(t.Context())
	require.Error(t, err)
}
