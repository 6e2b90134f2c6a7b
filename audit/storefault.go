package audit

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kerr"

	"flashsale/dsn"
	"flashsale/sale"
)

// Errors of MySQL, MariaDB and TiDB that have a next step of their own.
const (
	mysqlDeniedToDatabase = 1044
	mysqlDeniedToUser     = 1045
	mysqlDeniedToHost     = 1130
	mysqlUnknownDatabase  = 1049
	mysqlUnknownColumn    = 1054
	mysqlUnknownTable     = 1146
	mysqlDeniedTable      = 1142
	mysqlDeniedColumn     = 1143
	mysqlDeniedPlugin     = 1698
)

// DatabaseFault adds to an error of the database its address and the next step of the operator. right is what the account needs,
// as GRANT spells it. The error shows no password. DatabaseFault returns nil for nil, and the error itself when the operator has
// ended the command or the DSN cannot be read.
func DatabaseFault(text, right string, err error) error {
	name, unreadable := dsn.Parse(text)
	if passes(err) || unreadable != nil {
		return err
	}
	if errors.Is(err, sale.ErrSchema) { // its text has the next step
		return fmt.Errorf("database %s at %s: %w", name.Config.DBName, name.Addrs(), err)
	}
	return fmt.Errorf("database %s at %s: %w; %s", name.Config.DBName, name.Addrs(), err, databaseStep(name.Config, right, err))
}

// passes reports whether an error says nothing about a store.
func passes(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errMoving)
}

func databaseStep(config *mysql.Config, right string, err error) string {
	var answer *mysql.MySQLError
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) {
		return "set mysql.tls_ca_file to the authority of its certificate, or the host in mysql.dsn to the name in it"
	}
	if !errors.As(err, &answer) {
		return "is the database running there (mysql.dsn)?"
	}
	switch answer.Number {
	case mysqlDeniedToUser, mysqlDeniedToHost, mysqlDeniedPlugin:
		return "correct user and password in mysql.dsn, let the account connect from this host, or set mysql.tls_cert_file " +
			"where it needs a certificate"
	case mysqlUnknownDatabase:
		return "correct the name of the database in mysql.dsn, or create it and run flashsale migrate"
	case mysqlUnknownTable, mysqlUnknownColumn:
		return "run flashsale migrate, or correct the name of the database in mysql.dsn"
	case mysqlDeniedTable, mysqlDeniedColumn, mysqlDeniedToDatabase:
		return fmt.Sprintf("type GRANT %s ON %s.* TO '%s'@'%%' there, with the account's own host", right, config.DBName,
			config.User)
	}
	return "the database's log says more"
}

// redisFault is DatabaseFault for Redis.
func (o *Options) redisFault(err error) error {
	if passes(err) {
		return err
	}
	return fmt.Errorf("redis at %s: %w; %s", strings.Join(o.RedisAddrs, ","), err, o.redisStep(err))
}

func (o *Options) redisStep(err error) string {
	var answer *rueidis.RedisError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unverified):
		return "set redis.tls_ca_file to the authority of Redis's certificate, or redis.tls_server_name to the name in it"
	case !errors.As(err, &answer):
		return "is Redis running there (redis.addrs), and does it expect TLS as redis.tls and redis.tls_cert_file say?"
	case strings.HasPrefix(answer.Error(), "NOPERM"):
		return fmt.Sprintf("type ACL SETUSER %s ~%s:* +hello +info +hmget +xlen +hlen +hscan there; docs/operations.md has the "+
			"whole line", cmp.Or(o.RedisUsername, "default"), o.Namespace)
	case strings.HasPrefix(answer.Error(), "WRONGPASS"), strings.HasPrefix(answer.Error(), "NOAUTH"):
		return "correct redis.username and redis.password"
	case strings.HasPrefix(answer.Error(), "WRONGTYPE"):
		return "another program uses the keys of this namespace: correct namespace"
	}
	return "Redis's log says more"
}

// kafkaFault is DatabaseFault for Kafka.
func (o *Options) kafkaFault(err error) error {
	if passes(err) {
		return err
	}
	return fmt.Errorf("kafka at %s: %w; %s", strings.Join(o.KafkaBrokers, ","), err, o.kafkaStep(err))
}

func (o *Options) kafkaStep(err error) string {
	var tlsFault tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return "run flashsale migrate, or correct namespace"
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Sprintf("type kafka-acls.sh --add --allow-principal User:%s --operation Read --topic %s; docs/operations.md "+
			"has the whole line", cmp.Or(o.KafkaUsername, "ANONYMOUS"), o.Topic)
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.IllegalSaslState),
		errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "correct kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
	case errors.As(err, &unverified):
		return "set kafka.tls_ca_file to the authority of the brokers' certificates, or kafka.tls_server_name to the name in them"
	case errors.As(err, &tlsFault):
		return "correct kafka.tls, or name the broker's TLS listener in kafka.brokers"
	}
	return "is a broker running there (kafka.brokers), and does it expect TLS and SASL as kafka.tls, kafka.tls_cert_file and " +
		"kafka.sasl_mechanism say?"
}
