package app

import (
	"context"
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

// probe is a probe of a store at its place in the settings.
func (s *site) probe(store string, ping func(context.Context) error, weight, means string) admin.StoreProbe {
	p := admin.StoreProbe{Store: store, Ping: ping, Weight: weight, Means: means}
	database := s.settings.Database()
	switch {
	case database == "": // embedded engines
	case store == "redis":
		p.At = s.settings.RedisPlace()
	case store == "kafka":
		p.At = s.settings.KafkaPlace()
	default:
		p.At = database
	}
	return p
}

// newStoreWatch returns the watch of the stores that a gateway uses.
func (r *gatewayRole) newStoreWatch() *admin.StoreWatch {
	return admin.NewStoreWatch(r.log,
		r.probe("redis", r.redis.Ping, admin.WeightRequired, gatewayWithoutRedis),
		r.probe("kafka", r.kafka.Ping, admin.WeightDegraded, gatewayWithoutKafka),
		r.probe("mysql", r.db.Ping, admin.WeightDegraded, gatewayWithoutDatabase),
	)
}

// newStoreWatch returns the watch of the stores that a settling process uses.
func (r *settleRole) newStoreWatch(kafka *kafka.Probe) *admin.StoreWatch {
	return admin.NewStoreWatch(r.log,
		r.probe("redis", r.redis.Ping, admin.WeightDegraded, settleWithoutRedis),
		r.probe("kafka", kafka.Ping, admin.WeightRequired, settleWithoutKafka),
		r.probe("mysql", r.db.Ping, admin.WeightRequired, settleWithoutDatabase),
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
