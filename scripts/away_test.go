package scripts

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// An error names the store that is away: an operator who reads "Kafka" does not restart Redis.
func TestErrorsNameTheirStore(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	away, err := Dial(Options{Namespace: "away", Addrs: []string{listener.Addr().String()}})
	require.NoError(t, err)
	defer away.Close()
	buckets := []sale.Bucket{{Sale: "s"}}
	_, readings := away.Readings(t.Context(), buckets)
	_, stock := away.StockReadings(t.Context(), buckets, nil)
	_, list := away.HasList(t.Context(), "s", 1, 1)
	for what, err := range map[string]error{
		"window": away.ApplyWindow(t.Context(), buckets, sale.Window{Version: 1}), "readings": readings, "list": list,
		"stock": stock, "bucket": away.DropBucket(t.Context(), buckets[0]), "lists": away.DropLists(t.Context(), "s", []int64{1}),
		"buyers": away.LoadList(t.Context(), "s", 1, 3, listOf(3)),
	} {
		require.Error(t, err, what)
		require.Equal(t, sale.StoreRedis, sale.AwayStore(err), "%s: %v", what, err)
	}
}
