package app

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/admin"
	"flashsale/kafka"
)

// What the processes do not do while a store is away; /readyz shows it, and docs/operations.md has the same table.
const (
	gatewayWithoutRedis    = "presses, lists of orders and look-ups of orders that have no row are answered 503 unavailable"
	gatewayWithoutKafka    = "orders are answered held, and presses 503 unavailable once the journal is full"
	gatewayWithoutDatabase = "sales go on as the gateway knows them; payments, cancellations, changes, look-ups of orders and " +
		"repeated presses are answered 503; after 9 minutes the lease of the node id ends, and presses are answered 503 too"
	settleWithoutRedis    = "orders settle; units that are given back are not for sale, and closed buckets stay closed"
	settleWithoutKafka    = "orders stay held, and no order that is queued becomes a row"
	settleWithoutDatabase = "no order that is queued becomes a row, and none expires"
)

// newStoreWatch returns the watch of the stores that a gateway uses.
func (r *gatewayRole) newStoreWatch() *admin.StoreWatch {
	return admin.NewStoreWatch(
		admin.StoreProbe{Store: "redis", Ping: r.redis.Ping, Weight: admin.WeightRequired, Means: gatewayWithoutRedis},
		admin.StoreProbe{Store: "kafka", Ping: r.kafka.Ping, Weight: admin.WeightDegraded, Means: gatewayWithoutKafka},
		admin.StoreProbe{Store: "mysql", Ping: r.db.Ping, Weight: admin.WeightDegraded, Means: gatewayWithoutDatabase},
	)
}

// newStoreWatch returns the watch of the stores that a settling process uses.
func (r *settleRole) newStoreWatch(kafka *kafka.Probe) *admin.StoreWatch {
	return admin.NewStoreWatch(
		admin.StoreProbe{Store: "redis", Ping: r.redis.Ping, Weight: admin.WeightDegraded, Means: settleWithoutRedis},
		admin.StoreProbe{Store: "kafka", Ping: kafka.Ping, Weight: admin.WeightRequired, Means: settleWithoutKafka},
		admin.StoreProbe{Store: "mysql", Ping: r.db.Ping, Weight: admin.WeightRequired, Means: settleWithoutDatabase},
	)
}

// register registers metrics of a role.
func register(registry prometheus.Registerer, metrics ...prometheus.Collector) (err error) {
	for _, one := range metrics {
		err = errors.Join(err, registry.Register(one))
	}
	if err != nil {
		return fmt.Errorf("register the metrics of the process: %w", err)
	}
	return nil
}
