package app

import (
	"flashsale/reserve"
	"flashsale/scripts"
	"flashsale/settings"
	"flashsale/settle"
	"flashsale/store"
)

// OpenStore opens the database that the settings name. The database need not be up yet.
func OpenStore(s *settings.Settings) (*store.Store, error) {
	return store.Open(store.Options{Driver: store.DriverMySQL, DSN: s.MySQL.DSN.Reveal()})
}

// dialRedis prepares the connections to Redis; Redis need not be up yet.
func dialRedis(s *settings.Settings, embedded bool) (*scripts.Redis, error) {
	return scripts.Dial(scripts.Options{
		Namespace: s.Namespace, Addrs: s.Redis.Addrs, Username: s.Redis.Username, Password: s.Redis.Password.Reveal(),
		TLS: s.Redis.TLS, Connections: s.Redis.Connections, Embedded: embedded,
	})
}

// KafkaOptions returns how to reach the brokers that the settings name.
func KafkaOptions(s *settings.Settings) settle.KafkaOptions {
	return settle.KafkaOptions{
		Brokers: s.Kafka.Brokers, TLS: s.Kafka.TLS, SASLMechanism: s.Kafka.SASLMechanism,
		Username: s.Kafka.SASLUsername, Password: s.Kafka.SASLPassword.Reveal(),
	}
}

// newProducer returns the producer of the orders topic. It calls refused at each attempt that the broker refuses or
// does not answer; the producer repeats the record.
func newProducer(s *settings.Settings, refused func(error)) (*reserve.Producer, error) {
	k := s.Kafka
	return reserve.NewProducer(reserve.KafkaOptions{
		Brokers: k.Brokers, TLS: k.TLS, SASLMechanism: k.SASLMechanism, Username: k.SASLUsername,
		Password: k.SASLPassword.Reveal(), Linger: k.Linger, Refused: refused,
	}, settle.TopicsOf(s.Namespace).Orders)
}
