package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// Fault adds to an error of the brokers their addresses and the next step of the operator. It returns nil for nil.
func (o Options) Fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("kafka at %s: %w; %s", strings.Join(o.Brokers, ","), err, o.step(err))
}

func (o Options) step(err error) string {
	var tlsFault tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed), errors.Is(err, sarama.ErrUnsupportedSASLMechanism),
		errors.Is(err, sarama.ErrIllegalSASLState):
		return "correct kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
	case errors.Is(err, sarama.ErrTopicAuthorizationFailed), errors.Is(err, sarama.ErrClusterAuthorizationFailed):
		user := o.Username
		if user == "" {
			user = "ANONYMOUS"
		}
		return fmt.Sprintf("type the lines for User:%s with kafka-acls.sh: docs/operations.md, Rights in Redis and Kafka", user)
	case errors.Is(err, sarama.ErrInvalidReplicationFactor):
		return "set kafka.replication to at most the number of brokers"
	case errors.As(err, &unverified):
		return "set kafka.tls_ca_file to the authority of the brokers' certificates, or kafka.tls_server_name to the name in them"
	case errors.As(err, &tlsFault):
		return "correct kafka.tls, or name the broker's TLS listener in kafka.brokers"
	}
	return "is a broker running there (kafka.brokers), and does it expect TLS and the login as kafka.tls, kafka.tls_cert_file, " +
		"kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password say?"
}
