package settings

import (
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Database names the database of mysql.dsn without its account, such as "shop at db:3306". It is empty without a valid DSN.
func (s *Settings) Database() string {
	config, err := mysql.ParseDSN(s.MySQL.DSN.Reveal())
	if err != nil || config.DBName == "" {
		return ""
	}
	return config.DBName + " at " + config.Addr
}

// RedisPlace names the servers of redis.addrs.
func (s *Settings) RedisPlace() string { return strings.Join(s.Redis.Addrs, ",") }

// KafkaPlace names the servers of kafka.brokers.
func (s *Settings) KafkaPlace() string { return strings.Join(s.Kafka.Brokers, ",") }
