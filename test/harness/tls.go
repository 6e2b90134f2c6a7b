package harness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// These servers listen with TLS alone, prove that they are 127.0.0.1, and let in only clients with a certificate of the same
// authority. The harness itself is such a client.

// RedisTLS starts a Redis that speaks TLS only.
func RedisTLS(t testing.TB, a *Authority, args ...string) *RedisServer {
	t.Helper()
	s, err := newRedis(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.process.args = append(s.process.args, "--port", "0")
	for _, line := range s.secured(a) {
		name, value, _ := strings.Cut(line, " ")
		s.process.args = append(s.process.args, "--"+name, value)
	}
	s.process.args = append(s.process.args, args...)
	s.begin(t)
	return s
}

// secured makes the harness speak TLS with a server that has the lines that it returns in its configuration.
func (s *RedisServer) secured(a *Authority) (lines []string) {
	s.tls = a.Trusting(a.own())
	s.tls.ServerName = "127.0.0.1"
	pair := a.Server("redis", "127.0.0.1", "redis.internal")
	_, port, _ := strings.Cut(s.Addr, ":")
	return []string{"tls-port " + port, "tls-cert-file " + pair.Cert, "tls-key-file " + pair.Key, "tls-ca-cert-file " + a.File,
		"tls-auth-clients yes", "tls-replication yes"}
}

// KafkaTLS starts a broker whose clients need a certificate.
func KafkaTLS(t testing.TB, a *Authority) *KafkaServer {
	t.Helper()
	pair := a.Server("kafka", "127.0.0.1", "kafka.internal")
	s := kafkaWith(t, func(string) []byte {
		return fmt.Appendf(tlsSettings(a, pair), "ssl.client.auth=required\nlistener.security.protocol.map="+
			"PLAINTEXT:SSL,CONTROLLER:PLAINTEXT\n")
	})
	s.ready = func() error {
		return s.answers(func() (*kgo.Client, error) {
			return kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.DialTLSConfig(a.Trusting(a.own())))
		})
	}
	s.begin(t)
	return s
}

// KafkaLogins starts a broker whose clients log in by SASL over TLS, by PLAIN or SCRAM. Every user may do everything and has the
// password PasswordOf the name; those of SCRAM have to be made by the operator first.
func KafkaLogins(t testing.TB, a *Authority, users ...string) *KafkaServer {
	t.Helper()
	pair := a.Server("kafka", "127.0.0.1", "kafka.internal")
	s := kafkaWith(t, func(string) []byte {
		text := append(securedSettings(users), tlsSettings(a, pair)...)
		const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
		return fmt.Appendf(text, "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT\n"+
			"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n"+
			"listener.name.plaintext.scram-sha-256.sasl.jaas.config=%[1]s"+
			"listener.name.plaintext.scram-sha-512.sasl.jaas.config=%[1]s"+
			"allow.everyone.if.no.acl.found=true\n", scram)
	})
	s.ready = func() error { return s.answers(func() (*kgo.Client, error) { return s.OperatorTLS(a) }) }
	s.begin(t)
	return s
}

// OperatorTLS returns a client that is logged in as the operator over TLS.
func (s *KafkaServer) OperatorTLS(a *Authority) (*kgo.Client, error) {
	login := plain.Auth{User: kafkaOperator, Pass: PasswordOf(kafkaOperator)}
	return kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.SASL(login.AsMechanism()), kgo.DialTLSConfig(a.Trusting(a.own())))
}

func tlsSettings(a *Authority, pair Pair) []byte {
	return fmt.Appendf(nil, "inter.broker.listener.name=PLAINTEXT\nssl.keystore.type=PEM\nssl.keystore.location=%s\n"+
		"ssl.truststore.type=PEM\nssl.truststore.location=%s\n", pair.Both, a.File)
}

// MariaDBTLS starts a database that can speak TLS; which accounts need it is the caller's to say, by REQUIRE.
func MariaDBTLS(t testing.TB, a *Authority, args ...string) *MariaDBServer {
	t.Helper()
	pair := a.Server("mariadb", "127.0.0.1", "mariadb.internal")
	return MariaDB(t, append([]string{"--ssl-ca=" + a.File, "--ssl-cert=" + pair.Cert, "--ssl-key=" + pair.Key}, args...)...)
}

// own returns a certificate for the harness's clients.
func (a *Authority) own() Pair { return a.Client("harness", time.Now().Add(time.Hour)) }
