package reserve

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/harness"
)

// BenchmarkMemory sells one SKU to a million buyers with ids of 36 characters, without keys and with keys of 36 characters, and
// reports how much memory Redis needs for them. It counts buyers and not b.N.
func BenchmarkMemory(b *testing.B) {
	b.ReportMetric(soldMemory(b, false), "MB-without-keys")
	b.ReportMetric(soldMemory(b, true), "MB-with-keys")
	b.ReportMetric(0, "ns/op")
}

// soldMemory returns by how many megabytes (10^6 bytes) the memory of a Redis grows that sells to a million buyers.
func soldMemory(b *testing.B, keyed bool) float64 {
	const buyers, waiting = 1_000_000, 512
	server := harness.Redis(b, "--save", "", "--auto-aof-rewrite-percentage", "0")
	w := newWorldOn(b, scripts.Options{Namespace: namespace(b), Addrs: []string{server.Addr}}, func(o *EngineOptions) {
		o.Producer = instantKafka{}
	})
	bucket := w.stock("phone", buyers, 1)
	purchase := w.purchase(bucket, "")
	before := usedMemory(b, server)
	var next, refused atomic.Int64
	var all sync.WaitGroup
	for range waiting {
		all.Go(func() {
			p := purchase
			for n := next.Add(1); n <= buyers; n = next.Add(1) {
				p.Buyer = fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(n)*2654435761, n)
				if keyed {
					p.Key = fmt.Sprintf("%08x-1111-4000-8000-%012d", uint32(n)*2654435761, n)
				}
				if w.engine.Reserve(p).Outcome != sale.OutcomeQueued {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.Zero(b, refused.Load())
	eventually(b, func() bool { return w.reading(bucket).JournalOrders == 0 }, "the journal is trimmed")
	return float64(usedMemory(b, server)-before) / 1e6
}

func usedMemory(b *testing.B, server *harness.RedisServer) int {
	used, err := strconv.Atoi(server.Info(b, "memory")["used_memory"])
	require.NoError(b, err)
	return used
}
