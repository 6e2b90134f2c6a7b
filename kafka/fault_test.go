package kafka_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
)

func TestFaultsNameBrokersAndNextStep(t *testing.T) {
	o := kafka.Options{Brokers: []string{"a:9092", "b:9092"}, Password: "hidden"}
	require.NoError(t, o.Fault(nil))
	for _, c := range []struct {
		err  error
		says string
	}{
		{sarama.ErrOutOfBrokers, "is a broker running there (kafka.brokers)"},
		{sarama.ErrSASLAuthenticationFailed, "correct kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"},
		{&tls.CertificateVerificationError{Err: errors.New("x509")}, "set kafka.tls_ca_file"},
		{sarama.ErrUnsupportedSASLMechanism, "correct kafka.sasl_mechanism"},
		{sarama.ErrTopicAuthorizationFailed, "User:ANONYMOUS"},
		{sarama.ErrClusterAuthorizationFailed, "kafka-acls.sh"},
		{sarama.ErrInvalidReplicationFactor, "set kafka.replication"},
		{tls.RecordHeaderError{}, "correct kafka.tls"},
		{errors.New("else"), "is a broker running there"},
	} {
		err := o.Fault(fmt.Errorf("create a topic: %w", c.err))
		require.ErrorIs(t, err, c.err)
		require.ErrorContains(t, err, "kafka at a:9092,b:9092: create a topic: ")
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "hidden")
	}
	o.Username = "migrator"
	require.ErrorContains(t, o.Fault(sarama.ErrTopicAuthorizationFailed), "User:migrator")
}
