package kafka

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/xdg-go/scram"
)

func TestKafkaSettingsThatRecordsDependOn(t *testing.T) {
	c, err := Options{Brokers: []string{"127.0.0.1:1"}}.Config()
	require.NoError(t, err)
	require.Equal(t, "flashsale-settle", c.ClientID)
	require.Equal(t, sarama.WaitForAll, c.Producer.RequiredAcks)
	require.Equal(t, 1, c.Net.MaxOpenRequests)
	require.False(t, c.Metadata.AllowAutoTopicCreation)
	require.False(t, c.Net.TLS.Enable)
	require.False(t, c.Net.SASL.Enable)
	require.Greater(t, Prompt(c).Net.ReadTimeout, c.Admin.Timeout)
	require.Less(t, Prompt(c).Net.ReadTimeout, c.Net.ReadTimeout)

	orders, err := ProducerOptions{Kafka: Options{Brokers: []string{"127.0.0.1:1"}}}.config()
	require.NoError(t, err)
	require.Equal(t, "flashsale-reserve", orders.ClientID)
	require.Equal(t, sarama.WaitForAll, orders.Producer.RequiredAcks)
	require.True(t, orders.Producer.Idempotent)
	require.Equal(t, 1, orders.Net.MaxOpenRequests)
	require.True(t, orders.Producer.Return.Successes && orders.Producer.Return.Errors)
	require.Zero(t, orders.Producer.Flush.Frequency)
	require.False(t, orders.Metadata.AllowAutoTopicCreation)
	require.Equal(t, 50*time.Millisecond, orders.Producer.Retry.BackoffFunc(0, 10))
	require.Equal(t, time.Second, orders.Producer.Retry.BackoffFunc(90, 100))
}

func TestKafkaLogin(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		c, err := Options{TLS: encrypted(), SASLMechanism: mechanism, Username: "u", Password: "p"}.Config()
		require.NoError(t, err, mechanism)
		require.True(t, c.Net.SASL.Enable)
		require.True(t, c.Net.TLS.Enable)
		require.Equal(t, mechanism != "PLAIN", c.Net.SASL.SCRAMClientGeneratorFunc != nil)
	}
	for name, bad := range map[string]Options{
		"mechanism": {SASLMechanism: "MAGIC", Username: "u", Password: "p"},
		"username":  {SASLMechanism: "PLAIN", Password: "p"},
		"password":  {SASLMechanism: "SCRAM-SHA-256", Username: "u"},
	} {
		_, err := bad.Config()
		require.ErrorContains(t, err, "kafka settings", name)
	}
}

func TestKafkaOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no broker": {},
		"mechanism": {Brokers: []string{"a:1"}, SASLMechanism: "OAUTHBEARER", Username: "u", Password: "p"},
		"no user":   {Brokers: []string{"a:1"}, SASLMechanism: "PLAIN"},
	} {
		_, err := NewProducer(ProducerOptions{Kafka: o, Topic: ordersTopic})
		require.ErrorContains(t, err, "kafka settings", name)
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		c, err := ProducerOptions{
			Kafka:  Options{Brokers: []string{"a:1"}, TLS: encrypted(), SASLMechanism: mechanism, Username: "u", Password: "p"},
			Linger: time.Millisecond,
		}.config()
		require.NoError(t, err)
		require.True(t, c.Net.TLS.Enable)
		require.Equal(t, time.Millisecond, c.Producer.Flush.Frequency)
		require.Equal(t, mechanism != "PLAIN", c.Net.SASL.SCRAMClientGeneratorFunc != nil)
	}
	login := newSCRAM("SCRAM-SHA-512")()
	require.NoError(t, login.Begin("user", "password", ""))
	first, err := login.Step("")
	require.NoError(t, err)
	require.Contains(t, first, "n=user")
	require.False(t, login.Done())
}

// The login succeeds with a SCRAM server that has the same password, and fails with one that has another.
func TestSCRAMConversation(t *testing.T) {
	hashes := map[sarama.SASLMechanism]scram.HashGeneratorFcn{
		sarama.SASLTypeSCRAMSHA256: scram.SHA256, sarama.SASLTypeSCRAMSHA512: scram.SHA512,
	}
	for mechanism, hash := range hashes {
		require.NoError(t, converse(t, mechanism, hash, "secret"), mechanism)
		require.Error(t, converse(t, mechanism, hash, "another"), mechanism)
	}
}

func converse(t *testing.T, mechanism sarama.SASLMechanism, hash scram.HashGeneratorFcn, known string) error {
	t.Helper()
	account, err := hash.NewClient("shop", known, "")
	require.NoError(t, err)
	stored, err := account.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt-of-the-test", Iters: 4096})
	require.NoError(t, err)
	server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	require.NoError(t, err)

	login, broker, challenge := newSCRAM(mechanism)(), server.NewConversation(), ""
	require.NoError(t, login.Begin("shop", "secret", ""))
	for !login.Done() {
		answer, err := login.Step(challenge)
		if err != nil {
			return err
		}
		if login.Done() {
			break
		}
		if challenge, err = broker.Step(answer); err != nil {
			return err
		}
	}
	return nil
}

func encrypted() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
