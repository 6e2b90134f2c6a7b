package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const (
	acceptConnection = 256
	acceptOrders     = 100_000 // in one repetition
	leastRate        = 35_000  // orders/s that must be reached
)

// accept measures orders of new buyers, all of them accepted, while settlement runs: with a shop's limits and rules,
// then without rules, and then with a key on every press. Each repetition sells a sale of its own, because Redis
// doubles the table of buyers at every power of two, and a doubling during one repetition would distort it. The cost of
// the number of buyers is measured as growth.
func (s *stack) accept() []*Figure {
	s.warm("rush")
	bare := s.orders("accept without rules, 256 connections, a new token each")
	s.setRules()
	figures := s.orders("accept, 256 connections, a new token each, limits and rules set")
	figures[0].Target, figures[1].Target, figures[2].Target = 2, 2.5, 2.5
	figures[3].Target, figures[3].Least = 32, true
	figures[4].Target, figures[4].Least = leastRate, true
	s.rate = figures[4].Median()
	s.keyed = true
	keyed := s.orders("the same with a key on every press")
	s.keyed = false
	return slices.Concat(figures, bare, keyed)
}

// orders measures gateway, Redis and Kafka per accepted order, the batches, and the latency of the answers.
func (s *stack) orders(name string) []*Figure {
	cost := &Figure{Name: name, Unit: "gateway CPU µs an order ÷ bare"}
	redis := &Figure{Name: "  Redis", Unit: "CPU µs an order"}
	kafka := &Figure{Name: "  Kafka", Unit: "CPU µs an order"}
	batch := &Figure{Name: "  mean batch", Unit: "orders"}
	rate := &Figure{Name: "  rate, all processes and the client on this machine", Unit: "orders/s"}
	settled := &Figure{Name: "  settled by the last answer", Unit: "orders ÷ taken"}
	told := []*Figure{
		{Name: "  Kafka, until every order has its row and its event", Unit: "CPU µs an order"},
		{Name: "  settle, until then", Unit: "CPU µs an order"},
	}
	p50, p99 := &Figure{Name: "  p50", Unit: "ms"}, &Figure{Name: "  p99", Unit: "ms"}
	for range repetitions {
		own := s.ownSale(acceptOrders)
		requests := s.presses(own, acceptOrders)
		before, err := ScrapeHistogram("http://"+s.gateway.Operators+"/metrics", "flashsale_batch_orders")
		require.NoError(s.b, err)
		whole, err := StartMeter(s.Kafka.PID(), s.settle.PID())
		require.NoError(s.b, err)
		var used []time.Duration
		count, took := s.take(requests, func(u []time.Duration) { used = u })
		after, err := ScrapeHistogram("http://"+s.gateway.Operators+"/metrics", "flashsale_batch_orders")
		require.NoError(s.b, err)
		settled.Add(float64(s.settled(own)), float64(count.Answers))
		s.finish(own)
		all, _, err := whole.Stop()
		require.NoError(s.b, err)
		for i, f := range told {
			f.Ours = append(f.Ours, perRequest(all[i], count.Answers))
		}
		cost.Add(perRequest(used[0], count.Answers), s.bareCost(requests))
		say("%s: %.1f µs, bare %.1f µs", name, cost.Ours[len(cost.Ours)-1], cost.Base[len(cost.Base)-1])
		redis.Ours = append(redis.Ours, perRequest(used[1], count.Answers))
		kafka.Ours = append(kafka.Ours, perRequest(used[2], count.Answers))
		batch.Ours = append(batch.Ours, after.MeanSince(before))
		rate.Ours = append(rate.Ours, float64(count.Answers)/took.Seconds())
		p50.Ours = append(p50.Ours, count.P50.Seconds()*1000)
		p99.Ours = append(p99.Ours, count.P99.Seconds()*1000)
	}
	return append([]*Figure{cost, redis, kafka, batch, rate, settled, p50, p99}, told...)
}

// ownSale opens a separate sale with the units of one repetition.
func (s *stack) ownSale(units int) string {
	s.b.Helper()
	s.sales++
	id := fmt.Sprint("own-", s.sales)
	s.openSale(id, units)
	return id
}

// take sends presses that must all be accepted, and passes the CPU times of gateway, Redis and Kafka to used.
func (s *stack) take(requests *Requests, used func([]time.Duration)) (Count, time.Duration) {
	s.b.Helper()
	count, times, took := s.drive(s.gateway.Listen, requests, s.gateway.PID(), s.Redis[0].PID(), s.Kafka.PID())
	if used != nil {
		used(times)
	}
	return count, took
}

// drive sends presses that must all be accepted to the server at address, and returns the CPU times of the processes.
func (s *stack) drive(address string, requests *Requests, pids ...int) (Count, []time.Duration, time.Duration) {
	s.b.Helper()
	return s.driveOn(acceptConnection, address, requests, pids...)
}

// driveOn is drive on a given number of connections.
func (s *stack) driveOn(
	connections int, address string, requests *Requests, pids ...int,
) (Count, []time.Duration, time.Duration) {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), address, connections)
	require.NoError(s.b, err)
	defer driver.Close()
	meter, err := StartMeter(pids...)
	require.NoError(s.b, err)
	count, err := driver.Once(s.b.Context(), requests)
	require.NoError(s.b, err)
	times, took, err := meter.Stop()
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	return count, times, took
}

// oneByOne measures accepting next to a server that only calls a script for each request: of one SKU, and of ten thousand.
func (s *stack) oneByOne() []*Figure {
	s.warm("rush")
	s.setRules()
	address := harness.Address(s.b)
	other := s.startBaseline(address, oneByOneVariable+"="+address, redisVariable+"="+s.Redis[0].Addr)
	defer other.Kill()
	require.NoError(s.b, SetBareAnswer(address, s.answerBytes()))
	s.preloadMany("apiece", manySKUs)
	beside := func(name, saleID string, asks asking) []*Figure {
		server := &Figure{Name: name + ": the server", Unit: "CPU µs an order"}
		redis := &Figure{Name: "  Redis", Unit: "CPU µs an order"}
		rate := &Figure{Name: "  rate", Unit: "orders/s"}
		s.drive(address, s.pressesFor(asks, saleID, warmOrders))
		for range repetitions {
			requests := s.pressesFor(asks, saleID, acceptOrders)
			s.finish(saleID)
			count, theirs, theirTime := s.drive(address, requests, other.PID(), s.Redis[0].PID())
			s.finish(saleID)
			_, ours, ourTime := s.drive(s.gateway.Listen, requests, s.gateway.PID(), s.Redis[0].PID())
			server.Add(perRequest(ours[0], count.Answers), perRequest(theirs[0], count.Answers))
			redis.Add(perRequest(ours[1], count.Answers), perRequest(theirs[1], count.Answers))
			rate.Add(float64(count.Answers)/ourTime.Seconds(), float64(count.Answers)/theirTime.Seconds())
		}
		return []*Figure{server, redis, rate}
	}
	s.Redis[0].MustDo(s.b, "SET", oneByOneStock("phone"), oneByOneUnits)
	figures := beside("accept ÷ one EVALSHA a request", "rush", s.asks)
	s.Redis[0].MustDo(s.b, "DEL", oneByOneBuyers("phone"))
	for n := range manySKUs {
		s.Redis[0].MustDo(s.b, "SET", oneByOneStock(skuName(n)), oneByOneUnits)
	}
	many := beside(fmt.Sprintf("the same on %d SKUs", manySKUs), "apiece", anyOf(manySKUs))
	many[1].Target = 0.8
	return append(figures, many...)
}

// answerBytes is the length of the answer to a purchase.
func (s *stack) answerBytes() int {
	s.b.Helper()
	answer, err := Ask(s.gateway.Listen, s.presses("rush", 1).At(0))
	require.NoError(s.b, err)
	require.Equal(s.b, 202, answer.Status, answer.Body)
	return answer.Bytes
}

// bareCost is the bare handler's CPU µs for the same requests, answered with the number of bytes of an order.
func (s *stack) bareCost(requests *Requests) float64 {
	s.b.Helper()
	require.NoError(s.b, SetBareAnswer(s.bareAt, s.answerBytes()))
	return s.costOf(s.bareAt, s.bare.PID(), acceptConnection, requests, 200)
}
