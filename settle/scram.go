package settle

import (
	"fmt"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// scramLogin is one SCRAM conversation with a broker, in the shape that sarama asks for.
type scramLogin struct {
	hash scram.HashGeneratorFcn
	*scram.ClientConversation
}

// newSCRAM returns sarama's factory of conversations for a mechanism, nil for one that is not SCRAM.
func newSCRAM(mechanism sarama.SASLMechanism) func() sarama.SCRAMClient {
	var hash scram.HashGeneratorFcn
	switch mechanism {
	case sarama.SASLTypeSCRAMSHA256:
		hash = scram.SHA256
	case sarama.SASLTypeSCRAMSHA512:
		hash = scram.SHA512
	default:
		return nil
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
