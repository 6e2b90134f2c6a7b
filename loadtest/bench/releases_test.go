package bench

import (
	"fmt"
	"testing"
	"time"

	"flashsale/test/harness"
)

// contender is one deployment on a kind of server that is compared with others.
type contender struct {
	*stack
	few, many *Figure
}

// servers compares servers of Redis's protocol: this machine's Redis, and two that it fetches. Each has a deployment of its
// own; Kafka and MariaDB are shared, and the repetitions alternate. The names begin with the kinds', for the table of
// test/compat.
func servers(b *testing.B) []*Figure {
	kafka, mariadb := harness.Kafka(b, brokerJVM...), harness.MariaDB(b)
	var contenders []*contender
	var figures []*Figure
	for n, kind := range []string{"redis-7.0", "redis-8.0", "valkey-9.1"} {
		c := &contender{stack: newStack(b, deployment{
			name: fmt.Sprint(namespace, n), server: harness.RedisOf(b, kind), kafka: kafka, mariadb: mariadb,
		})}
		c.openSale("rush", 10_000_000)
		c.preloadMany("many", 100)
		c.setRules()
		c.few = &Figure{Name: kind + ": accept, the server", Unit: "CPU µs an order"}
		c.many = &Figure{Name: kind + ": accept of 100 SKUs, the server", Unit: "CPU µs an order"}
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

// databases compares kinds of databases by the rows that settlement writes: this machine's MariaDB, and those that it fetches
// or builds. Each has a deployment of its own; Kafka and Redis are shared, and the repetitions alternate.
func databases(b *testing.B) []*Figure {
	kafka, redis := harness.Kafka(b, brokerJVM...), harness.Redis(b)
	var contenders []*contender
	var figures []*Figure
	for n, kind := range []string{"mariadb-10.11", "mariadb-11.8", "mysql-9.7", "galera-10.11", "tidb-8"} {
		c := &contender{stack: newStack(b, deployment{
			name: fmt.Sprint(namespace, n), server: redis, kafka: kafka, mariadb: harness.MariaDBOf(b, kind),
		})}
		c.openSale("rush", 10_000_000)
		c.setRules()
		c.few = &Figure{Name: kind + ": settle", Unit: "rows/s"}
		contenders, figures = append(contenders, c), append(figures, c.few)
	}
	for range repetitions {
		for _, c := range contenders {
			rate, _ := c.settleBacklog("rush", one("phone"), c.settle.Pause, c.settle.Continue)
			c.finish("rush")
			c.few.Ours = append(c.few.Ours, rate)
		}
	}
	return figures
}
