package bench

import (
	"fmt"
)

const (
	growthOrders = 40_000 // in one repetition
	growthLimit  = 1.3    // times the smallest cost
)

// growth measures whether an order costs more with more connections and with more live SKUs. It leaves the SKUs behind.
func (s *stack) growth() []*Figure {
	s.warm("rush")
	s.setRules()
	figures := s.connections()
	alone := s.orderCosts(growthOrders, acceptConnection)
	for _, skus := range []int{100, manySKUs} {
		s.preloadMany(fmt.Sprint("wide-", skus), skus)
		figures = append(figures, grown(fmt.Sprintf("an order with %d SKUs live ÷ 1", skus), growthLimit, alone,
			s.orderCosts(growthOrders, acceptConnection))...)
	}
	return figures
}

// costs are the CPU µs per order of gateway and Redis, a pair for each repetition.
type costs [][2]float64

// connections measures the three numbers of connections alternately.
func (s *stack) connections() []*Figure {
	numbers := []int{64, 512, 4096}
	measured := make([]costs, len(numbers))
	for range repetitions {
		for i, connections := range numbers {
			measured[i] = append(measured[i], s.orderCost(growthOrders, connections))
		}
	}
	var figures []*Figure
	for i := range numbers[1:] {
		figures = append(figures, grown(fmt.Sprintf("an order at %d connections ÷ %d", numbers[i+1], numbers[0]), growthLimit,
			measured[0], measured[i+1])...)
	}
	return figures
}

// grown compares costs with those of the smallest.
func grown(name string, target float64, smallest, larger costs) []*Figure {
	gateway := &Figure{Name: name + ": gateway", Unit: "CPU µs an order", Target: target}
	redis := &Figure{Name: "  Redis", Unit: "CPU µs an order", Target: target}
	for i := range larger {
		gateway.Add(larger[i][0], smallest[i][0])
		redis.Add(larger[i][1], smallest[i][1])
	}
	return []*Figure{gateway, redis}
}

func (s *stack) orderCosts(orders, connections int) (all costs) {
	for range repetitions {
		all = append(all, s.orderCost(orders, connections))
	}
	return all
}

// orderCost accepts orders of a separate sale and returns what each cost gateway and Redis.
func (s *stack) orderCost(orders, connections int) [2]float64 {
	s.b.Helper()
	own := s.ownSale(orders)
	cost := s.requestCost(s.presses(own, orders), connections)
	s.finish(own)
	return cost
}

func (s *stack) requestCost(requests *Requests, connections int) [2]float64 {
	s.b.Helper()
	count, used, _ := s.driveOn(connections, s.gateway.Listen, requests, s.gateway.PID(), s.Redis[0].PID())
	return [2]float64{perRequest(used[0], count.Answers), perRequest(used[1], count.Answers)}
}
