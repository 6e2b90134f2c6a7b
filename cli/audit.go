package cli

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"flashsale/adminclient"
	"flashsale/app"
	"flashsale/audit"
	"flashsale/kafka"
	"flashsale/settings"
)

// Audit prints the stock equation.
type Audit struct {
	Sale   string        `arg:"" optional:"" help:"Sale id; default: all sales that are not archived."`
	Wait   time.Duration `help:"Wait up to this long until no unit is in flight."`
	Output string        `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run prints the stock equation as the engine reads it. When mysql.dsn is set, the audit also reads Redis, the orders
// topic and the database without the engine and prints its result; a dev sale has no such stores.
func (c Audit) Run(inv *invocation) error {
	s, err := inv.settings("audit")
	if err != nil {
		return err
	}
	client, err := adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
	if err != nil {
		return err
	}
	request := adminclient.AuditRequest{Sale: c.Sale, Wait: c.Wait, JSON: c.Output == "json"}
	if s.MySQL.DSN.Reveal() != "" {
		request.Certify = func(ctx context.Context) (adminclient.Certificate, error) { return certify(ctx, s, c.Sale) }
	}
	return exitOf(client.PrintAudit(inv.ctx, inv.stdout, request))
}

// certificate is the result of the second reading, with the build that made it.
type certificate struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	*audit.Report
}

// auditGC is the garbage that the audit lets grow, in percent of its orders: these have no pointers, so collecting is cheap, and
// the default of 100 doubles the memory.
const auditGC = 25

func certify(ctx context.Context, s *settings.Settings, id string) (adminclient.Certificate, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(auditGC))
	auditor, err := audit.Open(audit.Options{
		DSN: s.MySQL.DSN.Reveal(), DatabaseTLS: s.DatabaseTLS(),
		Namespace: s.Namespace, Topic: kafka.TopicsOf(s.Namespace).Orders,
		RedisAddrs: s.Redis.Addrs, RedisUsername: s.Redis.Username, RedisPassword: s.Redis.Password.Reveal(),
		Sentinel: audit.Sentinel{Master: s.Redis.SentinelMaster, Username: s.Redis.SentinelUsername,
			Password: s.Redis.SentinelPassword.Reveal()},
		RedisTLS: s.RedisTLS(), KafkaBrokers: s.Kafka.Brokers, KafkaTLS: s.KafkaTLS(),
		KafkaMechanism: s.Kafka.SASLMechanism, KafkaUsername: s.Kafka.SASLUsername,
		KafkaPassword: s.Kafka.SASLPassword.Reveal(),
	})
	if err != nil {
		return nil, err
	}
	defer auditor.Close()
	report, err := auditor.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	b := app.ThisBuild()
	return certificate{Version: b.Version, Commit: b.Commit, Report: report}, nil
}

// Violated reports whether the stores contradict each other.
func (c certificate) Violated() bool { return c.Verdict == audit.Violated }

// Print writes a line per invariant.
func (c certificate) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nSALE\tSKU\tINVARIANT\tVERDICT\tDETAIL")
	for _, line := range c.Invariants {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", line.Sale, line.SKU, line.Invariant, line.Verdict, line.Detail)
	}
	return table.Flush()
}
