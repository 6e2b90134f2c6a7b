package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const (
	repetitions      = 3
	warmFor          = time.Second
	measureFor       = 2 * time.Second
	soldOutTokens    = 100_000 // different tokens that refused buyers come with
	acceptConnection = 256
	acceptWarm       = 150_000 // orders before anything is measured: the broker's compiler, the database's pages
	acceptOrders     = 100_000 // in one repetition
	settleOrders     = 60_000  // in one repetition
)

// BenchmarkEngine takes every figure once, prints the table and the same as one line of JSON, and fails when a target is
// missed by more than its noise. It starts everything itself; it counts presses and not b.N.
func BenchmarkEngine(b *testing.B) {
	s := newStack(b)
	machine, err := ThisMachine(harness.Root(b))
	require.NoError(b, err)
	results := &Results{Machine: machine}
	for _, take := range []func() []*Figure{s.soldOut, s.accept, s.acceptRuled, s.settling} {
		figures := take()
		for _, f := range figures {
			b.Logf("%s: %s ± %s", f.Name, short(f.Median()), short(f.Noise()))
		}
		results.Figures = append(results.Figures, figures...)
	}
	fmt.Println()
	_, err = results.WriteTo(os.Stdout)
	require.NoError(b, err)
	require.NoError(b, results.WriteJSON(os.Stdout))
	if missed := results.Missed(); len(missed) > 0 {
		b.Fatalf("missed by more than the noise: %s", strings.Join(missed, "; "))
	}
}

// perRequest is the CPU time of one process for each of n requests, in µs.
func perRequest(used time.Duration, n int64) float64 {
	return float64(used.Nanoseconds()) / 1000 / float64(n)
}

// soldOut sells the sale "gone" out and measures the refusal of everybody else.
func (s *stack) soldOut() []*Figure {
	buyers := s.presses("gone", 1000)
	driver, err := NewDriver(s.b.Context(), s.gatewayAt, 64)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.Once(s.b.Context(), buyers)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	withTokens, without := s.presses("gone", soldOutTokens), &Requests{}
	without.Add(Purchase(s.gatewayAt, "gone", "phone", "", ""))
	s.latch(withTokens.At(0), without.At(0))
	var figures []*Figure
	for _, connections := range []int{64, 512} {
		figures = append(figures,
			s.refusals(fmt.Sprintf("sold out, %d connections", connections), connections, without),
			s.refusals(fmt.Sprintf("sold out, %d connections, a new token each", connections), connections, withTokens))
	}
	return figures
}

// latch presses once with a token, which closes the gateway's sold-out latch, and waits until those without a token are
// refused from memory too: that is when the filter of owners is there.
func (s *stack) latch(withToken, without []byte) {
	s.b.Helper()
	answer, err := Ask(s.gatewayAt, withToken)
	require.NoError(s.b, err)
	require.Equal(s.b, 409, answer.Status, answer.Body)
	require.Eventually(s.b, func() bool {
		answer, err := Ask(s.gatewayAt, without)
		return err == nil && answer.Status == 409 && strings.Contains(answer.Body, "sold_out")
	}, time.Minute, 10*time.Millisecond)
}

// refusals measures gateway and bare handler in turns under the same requests.
func (s *stack) refusals(name string, connections int, requests *Requests) *Figure {
	figure := &Figure{Name: name, Unit: "gateway CPU µs a request ÷ bare", Target: 1.6}
	answer, err := Ask(s.gatewayAt, requests.At(0))
	require.NoError(s.b, err)
	require.Equal(s.b, 409, answer.Status, answer.Body)
	require.NoError(s.b, SetBareAnswer(s.bareAt, answer.Bytes))
	for range repetitions {
		ours := s.costOf(s.gatewayAt, s.gateway.PID(), connections, requests, 409)
		figure.Add(ours, s.costOf(s.bareAt, s.bare.PID(), connections, requests, 200))
	}
	return figure
}

// costOf returns the CPU µs a request of one process, after a warm-up.
func (s *stack) costOf(address string, pid, connections int, requests *Requests, status int) float64 {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), address, connections)
	require.NoError(s.b, err)
	defer driver.Close()
	_, err = driver.For(s.b.Context(), requests, warmFor)
	require.NoError(s.b, err)
	meter, err := StartMeter(pid)
	require.NoError(s.b, err)
	count, err := driver.For(s.b.Context(), requests, measureFor)
	require.NoError(s.b, err)
	used, _, err := meter.Stop()
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(status))
	return perRequest(used[0], count.Answers)
}

// accept measures orders of new buyers, all of them taken, with settlement at work beside it.
func (s *stack) accept() []*Figure {
	s.take(s.presses("rush", acceptWarm), nil)
	figures := s.orders("accept, 256 connections, a new token each")
	figures[0].Target, figures[1].Target, figures[3].Target, figures[3].Least = 3, 4, 32, true
	return figures
}

// acceptRuled measures the same with a key on every press and a rule of every kind.
func (s *stack) acceptRuled() []*Figure {
	s.setRules()
	return s.orders("the same with keys and rules of every kind")
}

// orders measures gateway, Redis and Kafka for each order taken, the batches, and how fast the answers come.
func (s *stack) orders(name string) []*Figure {
	cost := &Figure{Name: name, Unit: "gateway CPU µs an order ÷ bare"}
	redis := &Figure{Name: "  Redis", Unit: "CPU µs an order"}
	kafka := &Figure{Name: "  Kafka", Unit: "CPU µs an order"}
	batch := &Figure{Name: "  mean batch", Unit: "orders"}
	rate := &Figure{Name: "  rate, all processes and the client on this machine", Unit: "orders/s"}
	p50, p99 := &Figure{Name: "  p50", Unit: "ms"}, &Figure{Name: "  p99", Unit: "ms"}
	for range repetitions {
		requests := s.presses("rush", acceptOrders)
		before, err := ScrapeHistogram("http://"+s.operatorsAt+"/metrics", "flashsale_batch_orders")
		require.NoError(s.b, err)
		var used []time.Duration
		count, took := s.take(requests, func(u []time.Duration) { used = u })
		after, err := ScrapeHistogram("http://"+s.operatorsAt+"/metrics", "flashsale_batch_orders")
		require.NoError(s.b, err)
		cost.Add(perRequest(used[0], count.Answers), s.bareCost(requests))
		redis.Ours = append(redis.Ours, perRequest(used[1], count.Answers))
		kafka.Ours = append(kafka.Ours, perRequest(used[2], count.Answers))
		batch.Ours = append(batch.Ours, after.MeanSince(before))
		rate.Ours = append(rate.Ours, float64(count.Answers)/took.Seconds())
		p50.Ours = append(p50.Ours, count.P50.Seconds()*1000)
		p99.Ours = append(p99.Ours, count.P99.Seconds()*1000)
	}
	return []*Figure{cost, redis, kafka, batch, rate, p50, p99}
}

// take sends presses that must all be taken, and hands the CPU times of gateway, Redis and Kafka to used.
func (s *stack) take(requests *Requests, used func([]time.Duration)) (Count, time.Duration) {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), s.gatewayAt, acceptConnection)
	require.NoError(s.b, err)
	defer driver.Close()
	meter, err := StartMeter(s.gateway.PID(), s.redis.PID(), s.kafka.PID())
	require.NoError(s.b, err)
	count, err := driver.Once(s.b.Context(), requests)
	require.NoError(s.b, err)
	times, took, err := meter.Stop()
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	if used != nil {
		used(times)
	}
	return count, took
}

// bareCost is the bare handler's CPU µs for the same requests, answered with as many bytes as an order takes.
func (s *stack) bareCost(requests *Requests) float64 {
	s.b.Helper()
	answer, err := Ask(s.gatewayAt, s.presses("rush", 1).At(0))
	require.NoError(s.b, err)
	require.Equal(s.b, 202, answer.Status, answer.Body)
	require.NoError(s.b, SetBareAnswer(s.bareAt, answer.Bytes))
	return s.costOf(s.bareAt, s.bare.PID(), acceptConnection, requests, 200)
}
