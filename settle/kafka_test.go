package settle

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/xdg-go/scram"
)

func TestKafkaSettingsThatOrdersDependOn(t *testing.T) {
	c, err := KafkaOptions{Brokers: []string{"127.0.0.1:1"}}.config()
	require.NoError(t, err)
	require.Equal(t, sarama.WaitForAll, c.Producer.RequiredAcks)
	require.Equal(t, sarama.OffsetOldest, c.Consumer.Offsets.Initial)
	require.False(t, c.Consumer.Offsets.AutoCommit.Enable)
	require.False(t, c.Consumer.Group.ResetInvalidOffsets)
	require.False(t, c.Metadata.AllowAutoTopicCreation)
	require.Zero(t, c.Consumer.Fetch.Max, "sarama skips records above the limit")
	require.Zero(t, c.Consumer.Retry.Max, "a partition is never given up")
	require.Less(t, drainTimeout, c.Consumer.Group.Rebalance.Timeout)
	require.Greater(t, c.Net.ReadTimeout, c.Consumer.Group.Rebalance.Timeout)
	require.False(t, c.Net.TLS.Enable)
	require.False(t, c.Net.SASL.Enable)
}

func TestKafkaLogin(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		c, err := KafkaOptions{TLS: true, SASLMechanism: mechanism, Username: "u", Password: "p"}.config()
		require.NoError(t, err, mechanism)
		require.True(t, c.Net.SASL.Enable)
		require.True(t, c.Net.TLS.Enable)
		require.Equal(t, mechanism != "PLAIN", c.Net.SASL.SCRAMClientGeneratorFunc != nil)
	}
	for name, bad := range map[string]KafkaOptions{
		"mechanism": {SASLMechanism: "MAGIC", Username: "u", Password: "p"},
		"username":  {SASLMechanism: "PLAIN", Password: "p"},
		"password":  {SASLMechanism: "SCRAM-SHA-256", Username: "u"},
	} {
		_, err := New(Options{Kafka: bad}, newFakeBooks(), prometheus.NewRegistry())
		require.ErrorContains(t, err, "kafka settings", name)
	}
}

// The login speaks with a SCRAM server that knows the password, and not with one that knows another.
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
	keeper, err := hash.NewClient("shop", known, "")
	require.NoError(t, err)
	stored, err := keeper.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt-of-the-test", Iters: 4096})
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

func TestMetricsAreRegisteredOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := New(Options{Log: slog.New(slog.DiscardHandler)}, newFakeBooks(), registry)
	require.NoError(t, err)
	_, err = New(Options{}, newFakeBooks(), registry)
	require.ErrorContains(t, err, "register settling metrics")
	families, err := registry.Gather()
	require.NoError(t, err)
	var names []string
	for _, family := range families {
		names = append(names, family.GetName())
	}
	require.Equal(t, []string{"flashsale_dead_letters_total", "flashsale_settle_retries_total", "flashsale_settle_rows_total",
		"flashsale_settle_stalled_seconds"}, names)
	require.Len(t, families[0].GetMetric(), 3, "every reason is there from the start")
}

func TestFaultsOfAnOutageAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		s := &Settler{log: slog.New(slog.NewTextHandler(&text, nil))}
		faults := make(chan error)
		go func() {
			for range 100 {
				faults <- errAway
			}
			<-time.After(faultInterval)
			faults <- errAway
			close(faults)
		}()
		s.logFaults(faults)
		require.Equal(t, 2, strings.Count(text.String(), "connection refused"))
		require.Contains(t, text.String(), "unlogged_before=99")
	})
}

func TestNotReadyBeforeKafkaIsReached(t *testing.T) {
	s, err := New(Options{}, newFakeBooks(), prometheus.NewRegistry())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"kafka": "not reached yet"}, s.Ready())
	s.setKafka("")
	require.Empty(t, s.Ready())
	s.setKafka("draining")
	require.Equal(t, map[string]string{"kafka": "draining"}, s.Ready())
}
