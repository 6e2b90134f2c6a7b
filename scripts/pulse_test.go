package scripts

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestPulses(t *testing.T) {
	r := dialShared(t)
	none, err := r.Pulses(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, r.SetPulse(t.Context(), "gateway:a/1", []byte(`{"role":"gateway"}`)))
	require.NoError(t, r.SetPulse(t.Context(), "settle:a/2", []byte{0, 0xff, '\n'}))
	require.NoError(t, r.SetPulse(t.Context(), "gateway:a/1", []byte(`{"role":"gateway","n":2}`)))
	all, err := r.Pulses(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"gateway:a/1": `{"role":"gateway","n":2}`, "settle:a/2": "\x00\xff\n"}, all)
	require.NoError(t, r.DropPulses(t.Context(), nil))
	require.NoError(t, r.DropPulses(t.Context(), []string{"gateway:a/1", "never there"}))
	all, err = r.Pulses(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// A process does not write into a Redis that may be another engine's, and names a key that another program has written.
func TestPulsesOfAForeignRedis(t *testing.T) {
	r := dialShared(t)
	r.SetDoubt(sale.ErrForeign)
	require.ErrorIs(t, r.SetPulse(t.Context(), "a", nil), sale.ErrForeign)
	r.SetDoubt(nil)
	node := harness.SharedRedis(t)
	node.MustDo(t, "SET", r.PulseKey(), "mine")
	require.ErrorIs(t, r.SetPulse(t.Context(), "a", nil), sale.ErrForeign)
	_, err := r.Pulses(t.Context())
	require.ErrorIs(t, err, sale.ErrForeign)
	require.ErrorContains(t, r.DropPulses(t.Context(), []string{"a"}), r.PulseKey())
	node.MustDo(t, "DEL", r.PulseKey())
}

func TestPulsesOfAnAbsentRedis(t *testing.T) {
	r := dial(t, Options{Namespace: "n", Addrs: []string{"127.0.0.1:1"}})
	_, err := r.Pulses(t.Context())
	require.Equal(t, sale.StoreRedis, sale.AwayStore(err))
	require.True(t, errors.Is(err, ErrNotSent))
}

// In a cluster the key lives on the node of its slot, like that of the engine: one key for the deployment.
func TestPulsesInACluster(t *testing.T) {
	nodes := harness.RedisCluster(t, 3)
	r := dial(t, Options{Namespace: "n", Addrs: []string{nodes[0].Addr}})
	for i := range 20 {
		require.NoError(t, r.SetPulse(t.Context(), strconv.Itoa(i), []byte("{}")))
	}
	all, err := r.Pulses(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 20)
	require.Equal(t, "n:pulse", r.PulseKey())
}
