package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

const (
	auditedOrders  = 1_000_000
	auditedSKUs    = 100
	auditSeconds   = 10  // of the whole command
	topMillis      = 100 // of the whole command that shows the first page
	auditMegabytes = 500 // resident memory of the command at the most
)

// audited is one kind of sale whose orders the audit reads.
type audited struct {
	name  string
	skus  int
	asks  asking
	lines int // of each order
}

// audits measures the command that audits one sale of a million orders, beside plain readings of the same rows, records and
// buyers. Each kind of sale has a deployment of its own, because the audit passes over all records since the sale's start.
func audits(b *testing.B) []*Figure {
	kafka, mariadb := harness.Kafka(b, brokerJVM...), harness.MariaDB(b)
	var figures []*Figure
	for n, kind := range []audited{
		{"1 SKU", 1, one(skuName(0)), 1},
		{fmt.Sprintf("any of %d SKUs", auditedSKUs), auditedSKUs, anyOf(auditedSKUs), 1},
		{fmt.Sprintf("3 lines of %d SKUs", auditedSKUs), auditedSKUs, basket(3, auditedSKUs), 3},
	} {
		s := newStack(b, deployment{name: fmt.Sprint("audited-", n), kafka: kafka, mariadb: mariadb})
		s.keyed = true
		s.sellAudited(kind)
		figures = append(figures, s.auditOf(kind)...)
		require.Zero(b, s.gateway.Term())
		require.Zero(b, s.settle.Term())
	}
	return figures
}

// sellAudited sells a million orders of a sale to as many buyers, through the engine, with a key on every press, and waits until
// every order has its row and its event.
func (s *stack) sellAudited(kind audited) {
	s.b.Helper()
	items := make([]string, kind.skus)
	for n := range items {
		items[n] = fmt.Sprintf(`{"sku":%q,"stock":%d,"price_cents":%d}`, skuName(n), 2*auditedOrders, 100+n)
	}
	s.createSale("audited", "["+strings.Join(items, ",")+"]", `"payment_ttl_s":86400`)
	s.run("", "sale", "preload", "audited")
	s.open("audited")
	for from := 0; from < auditedOrders; from += acceptOrders {
		requests, now := &Requests{}, time.Now()
		for n := from; n < from+acceptOrders; n++ {
			token, err := s.signer.Token(buyerID(n), 24*time.Hour, now)
			require.NoError(s.b, err)
			requests.Add(kind.asks(s.gateway.Listen, "audited", token, buyerID(-n)))
		}
		s.drive(s.gateway.Listen, requests)
	}
	s.finish("audited")
}

// auditOf measures the command, and the plain readings alternately with it.
func (s *stack) auditOf(kind audited) []*Figure {
	s.b.Helper()
	name := fmt.Sprintf("audit of %d orders, %s", auditedOrders, kind.name)
	took := &Figure{Name: name, Unit: "s", Target: auditSeconds}
	used := &Figure{Name: "  CPU of the command", Unit: "s"}
	memory := &Figure{Name: "  resident at the most", Unit: "MB", Target: auditMegabytes}
	asked := &Figure{Name: "  GET /admin/v1/sales/{sale}/audit", Unit: "ms"}
	topped := &Figure{Name: "  flashsale top SALE --once", Unit: "ms", Target: topMillis}
	selected := &Figure{Name: "  one SELECT of the same rows", Unit: "s"}
	consumed := &Figure{Name: "  one read of the topic", Unit: "s"}
	scanned := &Figure{Name: "  one HSCAN of the buyers", Unit: "s"}
	for range repetitions {
		run := s.auditOnce(kind)
		took.Ours, used.Ours = append(took.Ours, run.took.Seconds()), append(used.Ours, run.used.Seconds())
		memory.Ours = append(memory.Ours, run.megabytes)
		asked.Ours = append(asked.Ours, 1000*timed(func() { require.Zero(s.b, s.inFlightByAudit()) }))
		topped.Ours = append(topped.Ours, 1000*timed(func() { s.run("", "top", "audited", "--once") }))
		selected.Ours = append(selected.Ours, timed(func() { s.selectOrders(kind) }))
		consumed.Ours = append(consumed.Ours, timed(s.consumeOrders))
		scanned.Ours = append(scanned.Ours, timed(s.scanBuyers))
	}
	return []*Figure{took, used, memory, asked, topped, selected, consumed, scanned}
}

func timed(work func()) float64 {
	began := time.Now()
	work()
	return time.Since(began).Seconds()
}

// auditRun is what one run of the command took.
type auditRun struct {
	took, used time.Duration // used: CPU time, user and system
	megabytes  float64       // resident memory at the most
}

// auditOnce runs the command, which must have read every order in every store and found the books in order.
func (s *stack) auditOnce(kind audited) auditRun {
	s.b.Helper()
	command := exec.CommandContext(s.b.Context(), s.Bin, "audit", "audited", "-o", "json")
	command.Env = append(s.Env[:len(s.Env):len(s.Env)], "FLASHSALE_ADMIN_URL=http://"+s.gateway.Operators)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	began := time.Now()
	require.NoError(s.b, command.Run(), "%s%s", &stdout, &stderr)
	run := auditRun{took: time.Since(began), used: command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(s.b, ok)
	run.megabytes = float64(usage.Maxrss) * 1024 / 1e6
	var answer struct {
		Certificate struct {
			Verdict string
			Counts  struct {
				Orders, Entries int64
				Rows            map[string]int64
			}
		}
	}
	require.NoError(s.b, json.Unmarshal(stdout.Bytes(), &answer))
	require.Equal(s.b, "holds", answer.Certificate.Verdict, stdout.String())
	counts := answer.Certificate.Counts
	require.Equal(s.b, map[string]int64{"confirmed": auditedOrders}, counts.Rows, kind.name)
	require.EqualValues(s.b, auditedOrders, counts.Orders)
	require.EqualValues(s.b, auditedOrders, counts.Entries)
	return run
}

// inFlightByAudit asks the operators' API for the stock equation, which must hold, and returns the units in flight.
func (s *stack) inFlightByAudit() (units int64) {
	s.b.Helper()
	answer, err := Ask(s.gateway.Operators, []byte("GET /admin/v1/sales/audited/audit HTTP/1.1\r\nHost: bench\r\n"+
		"Authorization: Bearer "+deployed.AdminToken+"\r\n\r\n"))
	require.NoError(s.b, err)
	require.Equal(s.b, 200, answer.Status, answer.Body)
	var books struct {
		Holds bool
		Items []struct {
			InFlight int64 `json:"in_flight"`
		}
	}
	require.NoError(s.b, json.Unmarshal([]byte(answer.Body), &books))
	require.True(s.b, books.Holds, answer.Body)
	for _, item := range books.Items {
		units += item.InFlight
	}
	return units
}

// Plain readings of what the audit compares.
const (
	plainOrders = "SELECT order_id, bucket, buyer_id, sku, quantity, unit_price_cents, total_cents, line_count, status, " +
		"idempotency_key FROM orders"
	plainLines = "SELECT order_id, sku, quantity, unit_price_cents FROM order_lines"
)

// selectOrders reads the rows and lines of the schema, and does nothing with them.
func (s *stack) selectOrders(kind audited) {
	s.b.Helper()
	rows := s.countRows(plainOrders)
	require.Equal(s.b, auditedOrders, rows)
	if kind.lines > 1 {
		require.Equal(s.b, kind.lines*auditedOrders, s.countRows(plainLines))
	}
}

func (s *stack) countRows(query string) (count int) {
	s.b.Helper()
	rows, err := s.db.QueryContext(s.b.Context(), query)
	require.NoError(s.b, err)
	defer rows.Close()
	for rows.Next() {
		count++
	}
	require.NoError(s.b, rows.Err())
	return count
}

// consumeOrders reads the orders topic from its start to its end, and does nothing with the records.
func (s *stack) consumeOrders() {
	s.b.Helper()
	ctx, cancel := context.WithTimeout(s.b.Context(), time.Minute)
	defer cancel()
	topic := s.Name + ".orders"
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.b, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	require.NoError(s.b, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetched := client.PollFetches(ctx)
		require.NoError(s.b, fetched.Err())
		fetched.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
}

// scanBuyers reads the buyers of the sale's only bucket in Redis, and does nothing with them.
func (s *stack) scanBuyers() {
	s.b.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Redis[0].Addr}, DisableCache: true})
	require.NoError(s.b, err)
	defer client.Close()
	buyers := 0
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		page, err := client.Do(s.b.Context(),
			client.B().Hscan().Key(s.Name+":{audited:0}:buyers").Cursor(cursor).Count(1000).Build()).AsScanEntry()
		require.NoError(s.b, err)
		buyers, cursor = buyers+len(page.Elements)/2, page.Cursor
	}
	require.GreaterOrEqual(s.b, buyers, auditedOrders)
}
