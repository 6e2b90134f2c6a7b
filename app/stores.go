package app

import (
	"flashsale/kafka"
	"flashsale/scripts"
	"flashsale/settings"
	"flashsale/store"
	"flashsale/tracing"
)

// OpenStore opens the database in the settings, for a command. The database need not be up yet.
func OpenStore(s *settings.Settings) (*store.Store, error) { return openStore(s, nil, nil) }

func openStore(s *settings.Settings, tracer *tracing.Tracer, moved movedOrders) (*store.Store, error) {
	return store.Open(store.Options{Driver: store.DriverMySQL, DSN: s.MySQL.DSN.Reveal(), TLS: s.DatabaseTLS(), Tracer: tracer,
		Moved: moved})
}

// openReplica opens the replica in the settings, nil where there is none. It need not be up.
func openReplica(s *settings.Settings, tracer *tracing.Tracer) (*store.Store, error) {
	if s.MySQL.ReadDSN == "" {
		return nil, nil
	}
	return store.Open(store.Options{Driver: store.DriverMySQL, DSN: s.MySQL.ReadDSN.Reveal(), TLS: s.DatabaseTLS(),
		Tracer: tracer})
}

// OpenRedis prepares the connections to the Redis in the settings, for a command.
func OpenRedis(s *settings.Settings) (*scripts.Redis, error) { return dialRedis(s, false) }

// dialRedis prepares the connections to Redis; Redis need not be up yet.
func dialRedis(s *settings.Settings, embedded bool) (*scripts.Redis, error) {
	return scripts.Dial(scripts.Options{
		Namespace: s.Namespace, Addrs: s.Redis.Addrs, Username: s.Redis.Username, Password: s.Redis.Password.Reveal(),
		TLS: s.RedisTLS(), Connections: s.Redis.Connections, Embedded: embedded,
		Sentinel: scripts.Sentinel{Master: s.Redis.SentinelMaster, Username: s.Redis.SentinelUsername,
			Password: s.Redis.SentinelPassword.Reveal()},
	})
}

// KafkaOptions returns the options for the brokers in the settings. The audit alone does not use it: package cli hands those
// settings to the audit's own client.
func KafkaOptions(s *settings.Settings) kafka.Options {
	return kafka.Options{
		Brokers: s.Kafka.Brokers, TLS: s.KafkaTLS(), SASLMechanism: s.Kafka.SASLMechanism,
		Username: s.Kafka.SASLUsername, Password: s.Kafka.SASLPassword.Reveal(),
	}
}

// newProducer returns the producer of the orders topic. The producer calls refused at each attempt that the broker
// refuses or does not answer, and then repeats the record.
func newProducer(s *settings.Settings, refused func(error)) (*kafka.Producer, error) {
	return kafka.NewProducer(kafka.ProducerOptions{
		Kafka: KafkaOptions(s), Topic: kafka.TopicsOf(s.Namespace).Orders, Linger: s.Kafka.Linger, Refused: refused,
	})
}
