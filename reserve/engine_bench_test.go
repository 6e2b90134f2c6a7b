package reserve

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// BenchmarkEngineReserve measures a purchase while 256 of them wait at any moment and Kafka acknowledges at once: CPU time of
// this process and of Redis per order, allocations, and the mean batch.
func BenchmarkEngineReserve(b *testing.B) {
	const waiting = 256
	server := harness.Redis(b)
	w := newWorldOn(b, scripts.Options{Namespace: fakes.Namespace(b), Addrs: []string{server.Addr}}, func(o *EngineOptions) {
		o.Producer = instantKafka{}
	})
	bucket := w.Stock("phone", sale.MaxStock, 1)
	purchase := w.Purchase(bucket, "")
	var next, refused atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	redis, own := server.CPU(b), ownCPU(b)
	var all sync.WaitGroup
	for range waiting {
		all.Go(func() {
			p := purchase
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				p.Buyer = "buyer-" + strconv.FormatInt(n, 10)
				if w.engine.Reserve(p).Outcome != sale.OutcomeQueued {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	orders := float64(b.N)
	b.ReportMetric((ownCPU(b)-own)/orders*1e6, "own-us/order")
	b.ReportMetric((server.CPU(b)-redis)/orders*1e6, "redis-us/order")
	b.ReportMetric(orders/max(1, calls(b, server)), "orders/batch")
	if refused.Load() > 0 {
		b.Fatalf("%d of %d were refused", refused.Load(), b.N)
	}
}

// instantKafka acknowledges at once.
type instantKafka struct{}

func (instantKafka) Publish(_ int32, _, _ []byte, _ sale.SpanContext, done func(error)) { go done(nil) }

// ownCPU returns the seconds of CPU that this process has used.
func ownCPU(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// calls returns how many batches Redis has written.
func calls(b *testing.B, server *harness.RedisServer) float64 {
	stats := server.Info(b, "commandstats")["cmdstat_xadd"] // absent while the command was never called
	text, _, _ := strings.Cut(strings.TrimPrefix(stats, "calls="), ",")
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && stats != "" {
		b.Fatal(err)
	}
	return n
}
