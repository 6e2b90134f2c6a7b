package scripts

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// slot is the cluster slot of a key: CRC16 (XMODEM) of its hash tag, modulo 16384, see the cluster specification.
func slot(key string) int {
	if from := strings.IndexByte(key, '{'); from >= 0 {
		if to := strings.IndexByte(key[from+1:], '}'); to > 0 {
			key = key[from+1 : from+1+to]
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}

// All keys of a script call are in one cluster slot, whatever the names; buckets of a sale spread over the slots.
func TestKeysOfABucketShareASlot(t *testing.T) {
	require.Equal(t, 12739, slot("123456789"), "the specification's test vector, modulo 16384")
	node := harness.RedisCluster(t, 3)[0]
	for _, ns := range []string{"flashsale", "tenant-2", "a"} {
		r := dial(t, Options{Namespace: ns, Addrs: []string{node.Addr}})
		slots := map[int]bool{}
		for number := range sale.MaxBuckets {
			keys := r.Keys(sale.Bucket{Sale: strings.Repeat("s", 64), Number: number})
			want := slot(keys.Meta)
			for _, key := range keys.all() {
				require.Equal(t, want, slot(key), key)
				require.True(t, strings.HasPrefix(key, ns+":{"))
			}
			slots[want] = true
		}
		require.Greater(t, len(slots), sale.MaxBuckets/2)
	}
	r := dial(t, Options{Namespace: "n", Addrs: []string{node.Addr}})
	keys := r.Keys(sale.Bucket{Sale: "a", Number: 7})
	for _, key := range append(keys.all(), r.listKey("a", 3), r.listPointerKey("a"), r.PulseKey()) {
		require.Equal(t, strconv.Itoa(slot(key)), fmt.Sprint(node.MustDo(t, "CLUSTER", "KEYSLOT", key)))
	}
	require.Equal(t, "n:{a:7}:meta", keys.Meta)
	require.Equal(t, "n:{a}:listed:3", r.listKey("a", 3))
}
