package settings

import (
	"strings"

	"flashsale/dsn"
)

// Database names the database of mysql.dsn without its account, such as "shop at db:3306". It is empty without a valid DSN.
func (s *Settings) Database() string {
	name, err := dsn.Parse(s.MySQL.DSN.Reveal())
	if err != nil || name.Config.DBName == "" {
		return ""
	}
	return name.Config.DBName + " at " + name.Addrs()
}

// RedisPlace names the servers of redis.addrs.
func (s *Settings) RedisPlace() string { return strings.Join(s.Redis.Addrs, ",") }

// KafkaPlace names the servers of kafka.brokers.
func (s *Settings) KafkaPlace() string { return strings.Join(s.Kafka.Brokers, ",") }
