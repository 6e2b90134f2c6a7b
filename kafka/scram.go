package kafka

import (
	"fmt"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// scramLogin is one SCRAM conversation with a broker, as sarama's interface.
type scramLogin struct {
	hash scram.HashGeneratorFcn
	*scram.ClientConversation
}

// newSCRAM returns sarama's factory of conversations for a SCRAM mechanism.
func newSCRAM(mechanism sarama.SASLMechanism) func() sarama.SCRAMClient {
	hash := scram.SHA256
	if mechanism == sarama.SASLTypeSCRAMSHA512 {
		hash = scram.SHA512
	}
	return func() sarama.SCRAMClient { return &scramLogin{hash: hash} }
}

// Begin starts the conversation.
func (l *scramLogin) Begin(user, password, authorization string) error {
	client, err := l.hash.NewClient(user, password, authorization)
	if err != nil {
		return fmt.Errorf("SCRAM login: %w", err)
	}
	l.ClientConversation = client.NewConversation()
	return nil
}
