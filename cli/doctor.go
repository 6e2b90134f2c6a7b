package cli

import (
	"context"
	"encoding/json"
	"errors"

	"flashsale/app"
	"flashsale/doctor"
	"flashsale/kafka"
	"flashsale/settings"
	"flashsale/store"
)

// Doctor judges the settings of the servers.
type Doctor struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run prints the findings. The exit code is 1 when one is a danger, and 2 when no store answered.
func (c Doctor) Run(inv *invocation) error {
	s, err := inv.settings("doctor")
	if err != nil {
		return err
	}
	db, err := app.OpenStore(s)
	if err != nil {
		return err
	}
	defer db.Close()
	report := doctor.Examine(inv.ctx, doctorOptions(s, db))
	if errors.Is(inv.ctx.Err(), context.Canceled) {
		return inv.ctx.Err()
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(inv.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false) // lines to type have < and &
		err = encoder.Encode(report.Findings)
	} else {
		err = doctor.Print(inv.stdout, report)
	}
	switch {
	case err != nil:
		return err
	case report.Answered == 0:
		return &exitError{ExitUnreadable, errors.New("neither Redis nor Kafka nor the database answered")}
	case report.Dangerous():
		return &exitError{ExitFailed, nil}
	}
	return nil
}

func doctorOptions(s *settings.Settings, db *store.Store) doctor.Options {
	topics := kafka.TopicsOf(s.Namespace)
	return doctor.Options{
		Namespace: s.Namespace, DSN: s.MySQL.DSN.Reveal(), DatabaseTLS: s.DatabaseTLS(),
		ReadDSN: s.MySQL.ReadDSN.Reveal(), ReadMaxLag: s.MySQL.ReadMaxLag, Schema: db,
		RedisAddrs: s.Redis.Addrs, RedisUsername: s.Redis.Username, RedisPassword: s.Redis.Password.Reveal(),
		Sentinel: doctor.Sentinel{Master: s.Redis.SentinelMaster, Username: s.Redis.SentinelUsername,
			Password: s.Redis.SentinelPassword.Reveal()},
		RedisTLS: s.RedisTLS(), KafkaBrokers: s.Kafka.Brokers, KafkaTLS: s.KafkaTLS(),
		KafkaMechanism: s.Kafka.SASLMechanism, KafkaUsername: s.Kafka.SASLUsername,
		KafkaPassword: s.Kafka.SASLPassword.Reveal(),
		Topics:        doctor.Topics{Orders: topics.Orders, Dead: topics.Dead, Events: topics.Events},
		Partitions:    s.Kafka.Partitions, BatchBytes: s.Settle.BatchMaxBytes, JournalOrders: s.Reserve.JournalMaxOrders,
		GatewayListen: s.Gateway.Listen, AdminListen: s.Admin.Listen, SettleListen: s.Settle.Listen,
		TrustedProxies: s.Gateway.TrustedProxies, MaxConnections: s.Gateway.MaxConnections,
		Descriptors: app.DescriptorLimit(), Certificates: certificates(s),
	}
}

func certificates(s *settings.Settings) (all []doctor.Certificate) {
	for _, c := range s.Certificates() {
		all = append(all, doctor.Certificate{Setting: c.Setting(), File: c.File,
			Authority: c.Kind == settings.CertificateAuthority, Ends: c.Ends()})
	}
	return all
}
