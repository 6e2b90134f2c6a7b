package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/harness"
	"flashsale/test/stack"
)

// goesOnWithin bounds the time from the return of a store until everything works again, however long the store was paused.
const goesOnWithin = 5 * time.Second

// standstill is a store whose process is paused (SIGSTOP) while nothing else is broken. Connections to it stay open and get
// no answer.
type standstill struct {
	kind string
	hold time.Duration
	stop func(*hand) deed
}

// holds returns the lengths of the pauses: within every timeout of the engine, beyond the longest read timeout, beyond a
// session of the group, and beyond all of them. The smoke test uses the first one, which is beyond every timeout of a
// client.
func holds() []time.Duration {
	return []time.Duration{15 * time.Second, 5 * time.Second, 40 * time.Second, 120 * time.Second}
}

// standstills returns every store for every hold.
func standstills() (all []standstill) {
	for _, hold := range holds() {
		all = append(all, standstill{"Kafka stood still", hold, kafkaPaused},
			standstill{"Kafka broker stood still", hold, brokerPaused},
			standstill{"Redis stood still", hold, redisPaused},
			standstill{"MariaDB stood still", hold, mariadbPaused})
	}
	return all
}

// standing returns the kinds of standstills.
func standing() []string {
	return []string{"Kafka stood still", "Kafka broker stood still", "Redis stood still", "MariaDB stood still"}
}

// standstillOf returns the standstill of a round: each has one, in turn. A short run, which does only what lasts a quarter of
// a minute at most, has one in its first round.
func (n *nemesis) standstillOf(round int) (standstill, bool) {
	var wanted []standstill
	for _, s := range standstills() {
		if strings.HasPrefix(s.kind, n.only) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 || !n.long && round > 1 {
		return standstill{}, false
	}
	return wanted[(round-1)%len(wanted)], true
}

// stand pauses a store while the crowd runs, and checks that everything works again after its return.
func (n *nemesis) stand(c *buyers.Crowd, h *hand, round int) []check.Fault {
	s, there := n.standstillOf(round)
	if !there {
		return nil
	}
	from := time.Now()
	d := s.stop(h)
	h.wait(s.hold)
	d.heal()
	back := time.Now()
	d.text = fmt.Sprintf("%s for %s", d.text, s.hold)
	n.note(struck{fault: fault{kind: s.kind}, deed: d, round: round,
		span: check.Span{FromUS: from.UnixMicro(), ToUS: back.UnixMicro()}})
	took, missing, err := n.w.goOn(c)
	n.w.t.Logf("%s %s %s: it served again after %s, everything went on %s later; missing: %v",
		from.UTC().Format("15:04:05.000"), s.kind, d.text, (time.Since(back) - took).Round(time.Millisecond),
		took.Round(time.Millisecond), missing)
	if err == nil && len(missing) == 0 {
		return nil
	}
	return []check.Fault{{Check: "goes on", Text: fmt.Sprintf("%s %s, and %s after its return these did not go on: %v (%v)",
		s.kind, d.text, goesOnWithin, missing, err)}}
}

// servesWithin is how long the stores themselves may take to serve a new client: brokers that were paused elect leaders
// first.
const servesWithin = 30 * time.Second

// goOn waits, up to a bound, until every role has processed what existed when the stores served again, and names the roles
// that have not: a record of every partition settles, every event is published and every outbox row is applied, every
// gateway answers purchases, and every process is ready. took is the time since the stores served a client of the suite. If
// everything has gone on, but too late, missing is what went on last.
func (w *world) goOn(c *buyers.Crowd) (took time.Duration, missing []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), servesWithin)
	defer cancel()
	ends, err := w.mark(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("write to every partition: %w", err)
	}
	waiting, err := w.waiting(ctx)
	if err != nil {
		return 0, nil, err
	}
	back := time.Now()
	within, end := context.WithTimeout(context.Background(), 2*goesOnWithin) // the result also names late roles
	defer end()
	answered := map[int]bool{}
	for {
		now, err := w.behind(within, c, ends, waiting, answered)
		took = time.Since(back)
		if err == nil && len(now) == 0 && took <= goesOnWithin {
			return took, nil, nil
		}
		if len(now) > 0 {
			missing = now
		}
		if took > goesOnWithin {
			return took, missing, err
		}
		<-time.After(50 * time.Millisecond)
	}
}

// mark writes a fence, which changes nothing, to every partition, and returns the offsets behind them.
func (w *world) mark(ctx context.Context) (map[int32]int64, error) {
	client := w.kafkaClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	var records []*kgo.Record
	for p := range int32(w.partitions) {
		records = append(records, &kgo.Record{Topic: w.ordersTopic(), Partition: p, Value: sale.AppendFence(nil, "standstill")})
	}
	ends := map[int32]int64{}
	for _, result := range client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return nil, result.Err
		}
		ends[result.Record.Partition] = result.Record.Offset + 1
	}
	return ends, nil
}

// waiting returns the rows of the outbox and of the events that are not done yet, by table and key. Two statements, because
// TiDB refuses a UNION of a column's text and one that is made of a number.
func (w *world) waiting(ctx context.Context) (map[string]bool, error) {
	keys := map[string]bool{}
	err := w.addKeys(ctx, keys, "SELECT CONCAT('outbox ', sale_id, '/', bucket, ' ', number) FROM outbox")
	if err == nil {
		err = w.addKeys(ctx, keys, "SELECT CONCAT('events ', event_id) FROM events")
	}
	return keys, err
}

// addKeys adds the texts that a statement returns.
func (w *world) addKeys(ctx context.Context, keys map[string]bool, statement string) error {
	rows, err := w.db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		keys[key] = true
	}
	return rows.Err()
}

// behind names the roles that have not processed everything yet. It asks only the gateways that have not answered before.
func (w *world) behind(ctx context.Context, c *buyers.Crowd, ends map[int32]int64, waiting map[string]bool,
	answered map[int]bool) (missing []string, err error) {
	for partition, end := range ends {
		var next int64
		row := w.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(next_offset), 0) FROM positions WHERE partition_id = ?",
			partition)
		if err := row.Scan(&next); err != nil {
			return nil, err
		}
		if next < end {
			missing = append(missing, fmt.Sprintf("partition %d settles (%d of %d)", partition, next, end))
		}
	}
	now, err := w.waiting(ctx)
	if err != nil {
		return nil, err
	}
	for key := range waiting {
		if now[key] {
			missing = append(missing, key)
		}
	}
	for _, p := range w.Processes() {
		if !isReady(p) {
			missing = append(missing, p.Name+" is ready")
		}
	}
	return append(missing, w.unanswered(c, answered)...), nil
}

func isReady(p *stack.Process) bool {
	answer, err := (&http.Client{Timeout: time.Second}).Get("http://" + p.Listen + "/readyz")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// unanswered names the gateways that have not decided a purchase yet, and notes those that do. A gateway that decides one of any
// SKU works: one that is nearly sold out is refused as overloaded while an operator takes units back, which is several rounds
// through Redis, Kafka and the database.
func (w *world) unanswered(c *buyers.Crowd, answered map[int]bool) (missing []string) {
	with := c.NewClient()
	defer with.Close()
	for i := range gatewayCount {
		s, said := w.sales[0], []string{}
		for _, item := range s.items {
			if answered[i] {
				break
			}
			key := c.FreshKey()
			op := c.Ask(with, history.Question{Verb: history.Buy, Sale: s.id, SKU: item.SKU, Quantity: 1, Gateway: i,
				Buyer: s.id + "-after-" + key[len("key "):], Key: key})
			answered[i] = op.Status != 0 && op.Status < 500
			said = append(said, fmt.Sprintf("%d %s", op.Status, op.Code))
		}
		if !answered[i] {
			missing = append(missing, fmt.Sprintf("gateway %d sells (%s)", i, strings.Join(said, ", ")))
		}
	}
	return missing
}

// kafkaPaused stops all brokers together.
func kafkaPaused(h *hand) deed {
	each := func(do func(*harness.KafkaNode)) {
		for _, b := range h.w.kafka {
			do(b)
		}
	}
	each(func(b *harness.KafkaNode) { b.Pause() })
	return plain(func() { each(func(b *harness.KafkaNode) { b.Continue() }) }, "")
}
