package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// kafkaOperator is the superuser of a secured broker. Every user's password is PasswordOf the name.
const kafkaOperator = "operator"

// PasswordOf returns the password that a user of a secured broker logs in with.
func PasswordOf(user string) string { return "the-word-of-" + user }

// KafkaSecured starts a private broker that authenticates the users by SASL/PLAIN and allows them only what its ACLs grant.
func KafkaSecured(t testing.TB, users ...string) *KafkaServer {
	t.Helper()
	return KafkaWith(t, kafkaOperator, func(string) []byte { return securedSettings(users) })
}

// KafkaWith starts a private broker with further settings, which win over the harness's own, and waits until a user can
// log in. settings gets the address at which the broker has to listen for clients.
func KafkaWith(t testing.TB, user string, settings func(address string) []byte) *KafkaServer {
	t.Helper()
	s := kafkaWith(t, settings)
	s.ready = func() error { return s.servesUser(user) }
	s.begin(t)
	return s
}

// kafkaWith prepares a broker with further settings.
func kafkaWith(t testing.TB, settings func(address string) []byte) *KafkaServer {
	t.Helper()
	s, err := newKafka(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(s.Dir, "server.properties")
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, append(text, settings(s.Brokers[0])...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// securedSettings makes the clients' listener demand a login. The controller's listener carries the broker's own calls,
// without a login. Later lines win.
func securedSettings(users []string) []byte {
	var known strings.Builder
	for _, user := range append([]string{kafkaOperator}, users...) {
		fmt.Fprintf(&known, " user_%s=\"%s\"", user, PasswordOf(user))
	}
	return fmt.Appendf(nil, `listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="%[1]s" password="%[2]s"%[3]s;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:%[1]s;User:ANONYMOUS
allow.everyone.if.no.acl.found=false
`, kafkaOperator, PasswordOf(kafkaOperator), known.String())
}

// ClientOf returns a client that is logged in as a user, as the operator when user is empty.
func (s *KafkaServer) ClientOf(user string, options ...kgo.Opt) (*kgo.Client, error) {
	if user == "" {
		user = kafkaOperator
	}
	login := plain.Auth{User: user, Pass: PasswordOf(user)}
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.Brokers...), kgo.SASL(login.AsMechanism())}, options...)...)
}

func (s *KafkaServer) servesUser(user string) error {
	return s.answers(func() (*kgo.Client, error) { return s.ClientOf(user) })
}
