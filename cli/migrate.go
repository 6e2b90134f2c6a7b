package cli

import (
	"fmt"

	"flashsale/app"
	"flashsale/audit"
	"flashsale/kafka"
	"flashsale/settings"
)

// Migrate migrates the schema and creates the topics.
type Migrate struct{}

// migrationRights are what the account of a migration needs in its schema, as docs/operations.md has them.
const migrationRights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX"

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
		return audit.DatabaseFault(s.MySQL.DSN.Reveal(), migrationRights, err)
	}
	err = kafka.CreateTopics(inv.ctx, app.KafkaOptions(s), s.Namespace, int32(s.Kafka.Partitions), int16(s.Kafka.Replication))
	if err != nil {
		return app.KafkaOptions(s).Fault(fmt.Errorf("create the topics: %w", err))
	}
	if err := printHandSetRetention(inv, s); err != nil {
		return err
	}
	_, err = fmt.Fprintln(inv.stdout, "schema and topics are up to date")
	return err
}

// printHandSetRetention names the limits that an operator has set on topics, because brokers apply them to records that are
// not settled too.
func printHandSetRetention(inv *invocation, s *settings.Settings) error {
	limits, err := kafka.HandSetRetention(inv.ctx, app.KafkaOptions(s), s.Namespace)
	if err != nil {
		return app.KafkaOptions(s).Fault(fmt.Errorf("read the retention of the topics: %w", err))
	}
	for _, limit := range limits {
		_, err := fmt.Fprintf(inv.stdout, "topic %s stays as it is set: kafka deletes records beyond it, settled or not\n", limit)
		if err != nil {
			return err
		}
	}
	return nil
}
