package reserve

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"flashsale/scripts"
	"flashsale/test/harness"
)

// BenchmarkReserveScript measures the CPU that Redis spends on an order when a call carries 32 or 256 of them, all by
// new buyers, with the trim of the call before: the column redis-us/order.
func BenchmarkReserveScript(b *testing.B) {
	for _, n := range []int{1, 32, 256} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkReserve(b, n) })
	}
}

func benchmarkReserve(b *testing.B, n int) {
	ctx := context.Background()
	server := harness.Redis(b)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}, DisableCache: true})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	must := func(r rueidis.RedisResult) rueidis.RedisResult {
		if err := r.Error(); err != nil {
			b.Fatal(err)
		}
		return r
	}
	must(client.Do(ctx, client.B().ScriptLoad().Script(scripts.Reserve().Source).Build()))
	keys := []string{"b:{s:k:0}:meta", "b:{s:k:0}:buyers", "b:{s:k:0}:journal"}
	must(client.Do(ctx, client.B().Arbitrary("HSET").Keys(keys[0]).Args("epoch", "1", "replid", "", "checked_ms", "0",
		"base_ms", "1790000000000", "available", "1000000000", "seq", "0", "taken", "0", "held", "0", "version", "1",
		"state", "open", "starts_ms", "0", "ends_ms", "9000000000000", "limit", "1", "loaded_state", "open").Build()))

	before := redisCPU(b, client)
	trim := ""
	for call := 0; b.Loop(); call++ {
		args := []string{"1", "0", "9000000000000", "0", "100000", "s k 0", "0", strconv.Itoa(n), "0", "0"}
		if trim != "" {
			args[6] = "1"
			args = append(args, trim, strconv.Itoa(n))
		}
		for i := range n {
			args = append(args, fmt.Sprintf("load-%028d-%02d", call*n+i, 7))
		}
		for i := range n {
			args = append(args, strconv.FormatInt(int64(117_000_000_000_000_000+call*n+i), 36)+",1")
		}
		for i := range n {
			args = append(args, fmt.Sprintf("%d 1 load-%028d-%02d\n", 117_000_000_000_000_000+call*n+i, call*n+i, 7))
		}
		cmd := client.B().Arbitrary("EVALSHA", scripts.Reserve().SHA, "3").Keys(keys...).Args(args...).Build()
		reply, err := must(client.Do(ctx, cmd)).ToArray()
		if err != nil {
			b.Fatal(err)
		}
		trim, _ = reply[6].ToString()
	}
	orders := float64(b.N * n)
	b.ReportMetric((redisCPU(b, client)-before)/orders*1e6, "redis-us/order")
	b.ReportMetric(0, "ns/op")
}

// redisCPU returns the seconds of CPU that the server has used.
func redisCPU(b *testing.B, client rueidis.Client) float64 {
	info, err := client.Do(context.Background(), client.B().Info().Section("cpu").Build()).ToString()
	if err != nil {
		b.Fatal(err)
	}
	var total float64
	for _, line := range strings.Split(info, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			total += seconds
		}
	}
	return total
}
