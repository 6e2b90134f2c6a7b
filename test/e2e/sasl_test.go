package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"flashsale/test/harness"
)

// TestLoginsOverTLS: with each SASL mechanism over TLS, processes and commands log in and an order settles; with a wrong
// password the gateway says so and sells nothing.
func TestLoginsOverTLS(t *testing.T) {
	const user = "engine"
	ca := harness.NewAuthority(t, "stores")
	kafka := harness.KafkaLogins(t, ca, user)
	giveSCRAM(t, kafka, ca, user)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			password := "FLASHSALE_KAFKA_SASL_PASSWORD="
			s := newStack(t, servers{Name: "logins-" + strings.ToLower(mechanism), Kafka: kafka, Env: []string{
				"FLASHSALE_KAFKA_TLS=true", "FLASHSALE_KAFKA_TLS_CA_FILE=" + ca.File,
				"FLASHSALE_KAFKA_SASL_MECHANISM=" + mechanism, "FLASHSALE_KAFKA_SASL_USERNAME=" + user,
				password + harness.PasswordOf(user),
			}}).run(1, 1)
			s.open("rush", lasting(phone(10)))
			s.waited(s.taken(ask{buyer: "ann"}).OrderID, "ann")
			s.audit("rush")
			assert.NotContains(t, strings.Join(dangers(s.Command("doctor").Stdout), "\n"), "kafka")
			stranger := s.NewGateway(password + "wrong")
			stranger.Start()
			s.notReady(stranger, "topics", "SASL", "uthentication failed")
		})
	}
}

// giveSCRAM makes a user with a password for both mechanisms of SCRAM.
func giveSCRAM(t *testing.T, kafka *harness.KafkaServer, ca *harness.Authority, user string) {
	t.Helper()
	client, err := kafka.OperatorTLS(ca)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} { // a request names a user once
		altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
			{User: user, Mechanism: mechanism, Iterations: 4096, Password: harness.PasswordOf(user)},
		})
		require.NoError(t, err)
		require.NoError(t, altered.Error())
	}
}
