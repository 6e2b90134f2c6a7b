package bench

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"flashsale/test/harness"
)

// contender is one deployment on a server of Redis's protocol.
type contender struct {
	*stack
	few, many *Figure
}

// servers compares servers of Redis's protocol: this machine's Redis, and two that it fetches. Each has a deployment of its
// own; Kafka and MariaDB are shared, and the repetitions alternate.
func servers(b *testing.B) []*Figure {
	kafka, mariadb := harness.Kafka(b, brokerJVM...), harness.MariaDB(b)
	var contenders []*contender
	var figures []*Figure
	for n, redis := range []*harness.RedisServer{
		harness.RedisOf(b, "redis-7.0"), harness.RedisOf(b, "redis-8.0"), harness.RedisOf(b, "valkey-9.1"),
	} {
		c := &contender{stack: newStack(b, deployment{
			name: fmt.Sprint(namespace, n), server: redis, kafka: kafka, mariadb: mariadb,
		})}
		c.openSale("rush", 10_000_000)
		c.preloadMany("many", 100)
		c.setRules()
		name := releaseOf(b, redis)
		c.few = &Figure{Name: "accept on " + name + ", 1 SKU: the server", Unit: "CPU µs an order"}
		c.many = &Figure{Name: "  100 SKUs", Unit: "CPU µs an order"}
		contenders, figures = append(contenders, c), append(figures, c.few, c.many)
	}
	contenders[len(contenders)-1].few.Target = 2.6
	for _, c := range contenders {
		c.warm("rush")
	}
	for range repetitions {
		for _, c := range contenders {
			c.few.Ours = append(c.few.Ours, c.serverCost(c.ownSale(acceptOrders), one("phone")))
			c.many.Ours = append(c.many.Ours, c.serverCost("many", anyOf(100)))
		}
	}
	return figures
}

// serverCost sells and returns the server's CPU µs an order.
func (c *contender) serverCost(saleID string, asks asking) float64 {
	c.b.Helper()
	var used []time.Duration
	count, _ := c.take(c.pressesFor(asks, saleID, acceptOrders), func(u []time.Duration) { used = u })
	c.finish(saleID)
	return perRequest(used[1], count.Answers)
}

// releaseOf names a server with its version.
func releaseOf(b *testing.B, redis *harness.RedisServer) string {
	b.Helper()
	fields := redis.Info(b, "server")
	if valkey := fields["valkey_version"]; valkey != "" {
		return "Valkey " + valkey
	}
	return "Redis " + cmp.Or(fields["redis_version"], "of no version")
}
