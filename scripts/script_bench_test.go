package scripts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"flashsale/sale"
	"flashsale/test/harness"
)

// floorScript is the least that a script must do to record a batch of new buyers: it reads the buyers, writes them and the
// journal entry, reads and writes meta, and deletes the entry of the call before. It makes no check and builds no text.
//
// ARGV: record, entry id, entry to delete or "", n, then n buyers and n values.
const floorScript = `
local call, n = redis.call, tonumber(ARGV[4])
local meta = call('HMGET', KEYS[1], 'epoch', 'replid', 'checked_ms', 'base_ms', 'seq', 'held', 'state', 'starts_ms',
  'ends_ms', 'sale_limit', 'loaded_state')
call('HMGET', KEYS[2], 'k-1')
call('HMGET', KEYS[3], unpack(ARGV, 5, 4 + n))
local writes = {}
for i = 1, n do writes[2 * i - 1], writes[2 * i] = ARGV[4 + i], ARGV[4 + n + i] end
call('XADD', KEYS[4], ARGV[2], 'r', ARGV[1])
call('HSET', KEYS[3], unpack(writes))
call('HSET', KEYS[2], 'k-1', '1 1 1 1 0 0')
if ARGV[3] ~= '' then call('XDEL', KEYS[4], ARGV[3]) end
call('HSET', KEYS[1], 'seq', meta[5] + 1, 'held', n, 'checked_ms', 0)
return 'ok'`

const (
	benchOrders = 51_200    // in one turn
	benchSince  = 3_600_000 // ms since the bucket was loaded
	benchID     = sale.OrderID(117_000_000_000_000_000)
)

// BenchmarkReserveScript measures Redis's CPU time per order, by the size of the batch: new buyers with ids of 36 characters,
// in the -keyed cases keys of 36 characters too, one SKU, and the trim of the call before. The column is redis-us/order.
func BenchmarkReserveScript(b *testing.B) {
	for _, n := range []int{1, 32, 128, 256} {
		for name, keyed := range map[string]bool{"": false, "-keyed": true} {
			b.Run(strconv.Itoa(n)+name, func(b *testing.B) {
				bench := newScriptBench(b, n)
				bench.keyed = keyed
				var cost float64
				for b.Loop() {
					cost += bench.turn(ReserveScript().Source, bench.ours)
				}
				b.ReportMetric(cost/float64(b.N), "redis-us/order")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkMixedScript measures batches of 256 orders of several SKUs, each case in turns with the same batches of one SKU:
// orders-of is their cost as a multiple of those. The SKUs of an order are drawn at random, and in the case distinct no two
// orders of a batch share one. In the case buyers every buyer has four orders of other SKUs.
func BenchmarkMixedScript(b *testing.B) {
	for _, mix := range []struct {
		name string
		scriptBench
	}{
		{"100", scriptBench{skus: 100}}, {"distinct", scriptBench{skus: 256, distinct: true}},
		{"10000", scriptBench{skus: 10_000}},
		{"quantity-2", scriptBench{skus: 100, quantity: 2}},
		{"3-lines-of-100", scriptBench{skus: 100, lines: 3}}, {"3-lines-of-10000", scriptBench{skus: 10_000, lines: 3}},
		{"buyers-100", scriptBench{skus: 100, bought: 4}},
	} {
		b.Run(mix.name, func(b *testing.B) {
			one := newScriptBench(b, 256)
			mixed := mix.scriptBench
			mixed.b, mixed.client, mixed.n, mixed.arguments = b, one.client, one.n, one.arguments
			var ours, floor float64
			for b.Loop() {
				floor += one.turn(ReserveScript().Source, one.ours)
				ours += mixed.turn(ReserveScript().Source, mixed.ours)
			}
			b.ReportMetric(ours/float64(b.N), "redis-us/order")
			b.ReportMetric(ours/floor, "of-one-SKU")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFloorScript measures the reserve script beside the floor script at batches of 256, alternately.
func BenchmarkFloorScript(b *testing.B) {
	const turns = 4
	bench := newScriptBench(b, 256)
	var ours, floor float64
	for b.Loop() {
		for range turns {
			floor += bench.turn(floorScript, bench.floor) / turns
			ours += bench.turn(ReserveScript().Source, bench.ours) / turns
		}
	}
	b.ReportMetric(ours/float64(b.N), "ours-us/order")
	b.ReportMetric(floor/float64(b.N), "floor-us/order")
	b.ReportMetric(ours/floor, "ours/floor")
	b.ReportMetric(0, "ns/op")
}

// scriptBench drives one Redis with calls of n purchases.
type scriptBench struct {
	b         *testing.B
	client    rueidis.Client
	n         int
	keyed     bool
	skus      int  // of the sale; 0 = 1
	lines     int  // of an order; 0 = 1
	quantity  int  // of a line; 0 = 1
	distinct  bool // the SKUs of a batch are
	bought    int  // orders of other SKUs that each buyer has before
	arguments *ArgumentBuffer
}

// newScriptBench starts a Redis that does not rewrite its file during the measurement.
func newScriptBench(b *testing.B, n int) *scriptBench {
	server := harness.Redis(b, "--auto-aof-rewrite-percentage", "0")
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr}, DisableCache: true, WriteBufferEachConn: socketBuffer,
		ReadBufferEachConn: socketBuffer,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return &scriptBench{b: b, client: client, n: n, arguments: NewArgumentBuffer()}
}

// turn empties Redis, sends the calls one after the other and returns Redis's CPU time per order in µs.
func (s *scriptBench) turn(source string, arguments func(call int) []string) float64 {
	s.b.Helper()
	sha, err := s.must(s.client.B().ScriptLoad().Script(source).Build()).ToString()
	if err != nil {
		s.b.Fatal(err)
	}
	s.must(s.client.B().Flushall().Sync().Build())
	keys := []string{"b:{s:0}:meta", "b:{s:0}:stock", "b:{s:0}:buyers", "b:{s:0}:journal"}
	s.must(s.client.B().Arbitrary("HSET").Keys(keys[0]).Args("epoch", "1", "replid", "", "checked_ms", "0",
		"base_ms", strconv.FormatInt(time.Now().UnixMilli()-benchSince, 10), "seq", "0", "held", "0", "version", "1",
		"state", "open", "starts_ms", "0", "ends_ms", "9000000000000", "sale_limit", "0", "loaded_state", "open").Build())
	s.fill(keys)
	commands := make([]rueidis.Completed, benchOrders/s.n)
	for call := range commands {
		commands[call] = s.client.B().Arbitrary("EVALSHA", sha, "4").Keys(keys...).Args(arguments(call)...).Build()
	}
	before := redisCPU(s.b, s.client)
	for _, command := range commands {
		s.must(command)
	}
	used := redisCPU(s.b, s.client) - before
	orders := len(commands) * s.n
	if known, err := s.must(s.client.B().Hlen().Key(keys[2]).Build()).AsInt64(); known != int64(orders) {
		s.b.Fatalf("%d buyers, not %d: %v", known, orders, err)
	}
	return used / float64(orders) * 1e6
}

func (s *scriptBench) must(command rueidis.Completed) rueidis.RedisResult {
	s.b.Helper()
	result := s.client.Do(context.Background(), command)
	if err := result.Error(); err != nil {
		s.b.Fatal(err)
	}
	return result
}

// fill loads the stock, and the buyers' orders.
func (s *scriptBench) fill(keys []string) {
	s.b.Helper()
	var shelves []sale.ShelfLoad
	for number := range max(s.skus, 1) {
		shelves = append(shelves, sale.ShelfLoad{SKU: benchSKU(number + 1), Available: 1_000_000, Number: number + 1, Limit: 5})
	}
	for chunk := range slices.Chunk(stockOf(shelves), loadChunk) {
		s.must(s.client.B().Arbitrary("HSET").Keys(keys[1]).Args(chunk...).Build())
	}
	s.must(s.client.B().Arbitrary("HSET").Keys(keys[1]).Args("", strings.Repeat(" ", 65)).Build())
	s.must(s.client.B().Arbitrary("HDEL").Keys(keys[1]).Args("").Build())
	if s.bought == 0 {
		return
	}
	var pairs []string
	for i := range benchOrders / s.n * s.n {
		var value []byte
		for k := range s.bought {
			value = fmt.Appendf(value, "%s,%s,,%s,%s\"", base36(benchID-sale.OrderID(i*s.bought+k+1)),
				base36(sale.OrderID(1000+k)), base36(sale.OrderID(i/s.n)), base36(sale.OrderID(benchSince)))
		}
		pairs = append(pairs, s.order(i).Buyer, string(value[:len(value)-1]))
	}
	for chunk := range slices.Chunk(pairs, loadChunk) {
		s.must(s.client.B().Arbitrary("HSET").Keys(keys[2]).Args(chunk...).Build())
	}
}

func benchSKU(number int) string { return "k-" + strconv.Itoa(number) }

// order is the same for the same i. Its SKUs look random, and are distinct.
func (s *scriptBench) order(i int) sale.RecordOrder {
	o := sale.RecordOrder{OrderID: benchID + sale.OrderID(i), Buyer: fmt.Sprintf("load-%028d-%02d", i, 7)}
	random := rand.New(rand.NewPCG(uint64(i), 1))
	for k := range max(s.lines, 1) {
		part := max(s.skus, 1) / max(s.lines, 1) // the SKUs of the order's line k
		number := k*part + random.IntN(part) + 1
		if s.distinct {
			number = i%s.skus + 1
		}
		o.Lines = append(o.Lines, sale.Line{
			SKU: benchSKU(number), Number: number, Quantity: max(s.quantity, 1), UnitPriceCents: 129900,
		})
	}
	if s.keyed {
		o.Key = fmt.Sprintf("key-%032d", i)
	}
	return o
}

// entry is the id of the journal entry of a call.
func (s *scriptBench) entry(call int) string {
	return EntryID(1, int64(call+1), benchID+sale.OrderID(call*s.n))
}

// ours are the arguments of the reserve script.
func (s *scriptBench) ours(call int) []string {
	c := ReserveCall{Head: "s 0", Epoch: 1, DeadlineMS: farDeadline, MaxJournal: 100_000}
	for i := range s.n {
		o := s.order(call*s.n + i)
		c.OrderIDs = append(c.OrderIDs, o.OrderID)
		c.Purchases = append(c.Purchases, &sale.Purchase{Buyer: o.Buyer, Key: o.Key, Lines: o.Lines})
	}
	if call > 0 {
		c.Trims = []Trim{{EntryID: s.entry(call - 1), Orders: s.n}}
	}
	return s.arguments.of(&c)
}

// floor are the arguments of the floor script: the same buyers, and values and a record of the same length.
func (s *scriptBench) floor(call int) []string {
	batch := sale.Batch{
		Bucket: sale.Bucket{Sale: "s"}, Epoch: 1, Sequence: int64(call + 1), BatchID: benchID + sale.OrderID(call*s.n),
		CreatedMS: time.Now().UnixMilli(),
	}
	var buyers, values []string
	stamp := ",," + base36(batch.Sequence) + "," + base36(int64(benchSince))
	for i := range s.n {
		o := s.order(call*s.n + i)
		batch.Orders = append(batch.Orders, o)
		buyers, values = append(buyers, o.Buyer), append(values, string(appendHead(nil, o.OrderID, o.Lines))+stamp)
	}
	args := []string{string(sale.AppendBatch(nil, &batch)), s.entry(call), "", strconv.Itoa(s.n)}
	if call > 0 {
		args[2] = s.entry(call - 1)
	}
	return append(append(args, buyers...), values...)
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
