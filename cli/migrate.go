package cli

import (
	"fmt"

	"flashsale/app"
	"flashsale/kafka"
)

// Migrate migrates the schema and creates the topics.
type Migrate struct{}

// Run changes the database first, then creates the topics.
func (Migrate) Run(inv *invocation) error {
	s, err := inv.settings("migrate")
	if err != nil {
		return err
	}
	db, err := app.OpenStore(s)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(inv.ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	err = kafka.CreateTopics(inv.ctx, app.KafkaOptions(s), s.Namespace, int32(s.Kafka.Partitions), int16(s.Kafka.Replication))
	if err != nil {
		return fmt.Errorf("create the topics: %w", err)
	}
	_, err = fmt.Fprintln(inv.stdout, "schema and topics are up to date")
	return err
}
