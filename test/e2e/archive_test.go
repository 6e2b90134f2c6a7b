package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

// archive asks to archive a sale.
func (s *stack) archive(id string) reply { return s.operate("DELETE", "/admin/v1/sales/"+id, nil) }

// notAtRest requires that a sale is not archived for these reasons, and for no other.
func (s *stack) notAtRest(id string, want map[string]float64) {
	s.t.Helper()
	failing := map[string]float64{}
	for _, one := range s.refused(s.archive(id), 409, "not_at_rest", "conditions")["conditions"].([]any) {
		failing[one.(object)["condition"].(string)] = one.(object)["count"].(float64)
	}
	require.Equal(s.t, want, failing)
	require.Equal(s.t, "closed", s.operate("GET", "/admin/v1/sales/"+id, nil).json(s)["state"])
}

// keysOf returns the keys of Redis that are of a sale.
func (s *stack) keysOf(id string) (found []string) {
	s.t.Helper()
	cursor := "0"
	for {
		page := s.Redis[0].MustDo(s.t, "SCAN", cursor, "MATCH", s.Name+":*", "COUNT", "1000").([]any)
		for _, key := range page[1].([]any) {
			if name := key.(string); strings.Contains(name, "{"+id+":") || strings.Contains(name, "{"+id+"}") {
				found = append(found, name)
			}
		}
		if cursor = page[0].(string); cursor == "0" {
			return found
		}
	}
}

// records returns the values of all records of the first partition of the orders topic.
func (s *stack) records() (values [][]byte) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{s.Name + ".orders": {0: kgo.NewOffset().AtStart()}}))
	require.NoError(s.t, err)
	defer client.Close()
	settled := s.nextOffset()
	for int64(len(values)) < settled {
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		fetches := client.PollFetches(ctx)
		cancel()
		require.NoError(s.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, r.Value) })
	}
	return values
}

// nextOffset is how far the first partition is settled.
func (s *stack) nextOffset() (next int64) {
	s.t.Helper()
	const reached = "SELECT COALESCE(MAX(next_offset), 0) FROM positions WHERE partition_id = 0"
	require.NoError(s.t, s.DB().QueryRow(reached).Scan(&next))
	return next
}

// listedRush is a sale with a list, of two SKUs in two buckets.
func (s *stack) listedRush() {
	s.t.Helper()
	d := lasting(phone(5), stockItem{SKU: "case", Stock: 3, PriceCents: 10})
	d.Buckets, d.Eligibility = 2, "list"
	s.create("rush", d)
	buyers := s.operate("PUT", "/admin/v1/sales/rush/buyers", "ann\nbob\ncat\ndan\n")
	require.Equal(s.t, http.StatusOK, buyers.status, "%s", buyers.body)
	s.move("rush", "preload")
	s.move("rush", "open")
	s.eventuallyState(s.Gateways[0], "rush", "open")
}

// sellAndClose sells to four buyers: ann has paid, bob has cancelled, cat has not paid, and dan's order waits in Kafka, because
// the settling process is away.
func (s *stack) sellAndClose() (ann, bob, cat, dan order) {
	s.t.Helper()
	const both = `{"lines":[{"sku":"phone"},{"sku":"case"}]}`
	ann = s.becomes(s.taken(ask{buyer: "ann", ofSale: true, body: both}), "ann", "confirmed")
	bob, cat = s.confirmed("bob"), s.confirmed("cat")
	require.Equal(s.t, http.StatusOK, s.shop("PUT", ann.OrderID+"/payment", object{"payment_id": "p-1"}).status)
	require.Equal(s.t, http.StatusOK, s.cancel(bob, "bob").status)
	s.audit("rush")
	s.refused(s.archive("rush"), 409, "wrong_state", "state")
	s.Settles[0].Kill()
	dan = s.taken(ask{buyer: "dan"})
	s.move("rush", "close")
	return ann, bob, cat, dan
}

// TestArchive: a closed sale is archived only at rest, and every reason is named. Then Redis has nothing of it, its rows and
// books stay, and nothing brings it back.
func TestArchive(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_KAFKA_PARTITIONS=1"}}).run(1, 1)
	s.listedRush()
	ann, _, cat, dan := s.sellAndClose()
	require.Eventually(t, func() bool { // the gateway trims the journal soon after Kafka has the record
		return !strings.Contains(string(s.archive("rush").body), "journals")
	}, 10*time.Second, 50*time.Millisecond)
	s.notAtRest("rush", map[string]float64{"in_flight": 1, "unpaid_orders": 1})

	s.Settles[0].Start()
	s.Settles[0].Ready()
	dan = s.becomes(dan, "dan", "confirmed")
	s.Settles[0].Kill()
	require.Equal(t, http.StatusOK, s.shop("DELETE", dan.OrderID, nil).status)
	s.notAtRest("rush", map[string]float64{"in_flight": 1, "outbox": 1, "unpaid_orders": 1})

	id := sale.OrderID(time.Now().UnixMilli())
	s.produce(sale.AppendBatch(nil, &sale.Batch{
		Bucket: sale.Bucket{Sale: "rush"}, Epoch: 1, Sequence: 1 << 20, BatchID: id, CreatedMS: time.Now().UnixMilli(),
		Orders: []sale.RecordOrder{
			{OrderID: id, Buyer: "eve", Lines: []sale.Line{{SKU: "unknown", Quantity: 1, UnitPriceCents: 1}}},
		},
	}))
	s.Settles[0].Start()
	s.Settles[0].Ready()
	var dead letter
	require.Eventually(t, func() bool {
		dead = s.letters()["unknown_bucket/"+id.String()]
		return dead.ID != "" && !strings.Contains(string(s.archive("rush").body), "outbox")
	}, 20*time.Second, 100*time.Millisecond)
	s.notAtRest("rush", map[string]float64{"dead_letters": 1, "unpaid_orders": 1})
	s.Succeed("deadletter", "refuse", dead.ID)
	require.Equal(t, http.StatusOK, s.shop("PUT", cat.OrderID+"/payment", object{"payment_id": "p-2"}).status)
	// The refusal of a record with an unknown SKU closes its bucket, and a rebuild follows.
	require.Eventually(t, func() bool {
		return s.Command("sale", "archive", "rush").Code == 0
	}, 20*time.Second, 200*time.Millisecond)

	s.archived(ann)
	s.nothingBringsItBack(ann)
}

// archived checks what is left of the archived sale, and where.
func (s *stack) archived(ann order) {
	s.t.Helper()
	assert.Empty(s.t, s.keysOf("rush"), "Redis has nothing of it")
	first := s.archive("rush")
	require.Equal(s.t, http.StatusOK, first.status, "%s", first.body)
	assert.Equal(s.t, first.body, s.archive("rush").body)
	shown := s.operate("GET", "/admin/v1/sales/rush", nil)
	assert.Equal(s.t, string(first.body), string(shown.body))
	assert.Equal(s.t, []any{
		object{"sku": "phone", "loaded": 5.0, "settled": 4.0, "released": 2.0, "sold": 2.0},
		object{"sku": "case", "loaded": 3.0, "settled": 1.0, "released": 0.0, "sold": 1.0},
	}, shown.json(s)["books"])
	assert.Len(s.t, s.orderRows("rush").rows, 5, "four of buyers and one refused by hand")
	s.refused(s.read("/v1/sales/rush", "ann"), 404, "sale_not_found")
	s.refused(s.read("/v1/sales/rush/orders/"+ann.OrderID, "ann"), 404, "sale_not_found")
	s.refused(s.buy(ask{buyer: "ann"}), 404, "sale_not_found")
	assert.Equal(s.t, "paid", s.operate("GET", "/admin/v1/orders/"+ann.OrderID, nil).json(s)["status"])
	assert.NotContains(s.t, s.Succeed("sale", "list"), "rush")
	assert.Contains(s.t, s.Succeed("sale", "list", "--archived"), "rush")
	for _, verb := range []string{"preload", "open", "pause", "resume", "close"} {
		s.wrongMove("rush", verb, "archived")
	}
	d := lasting(phone(5))
	s.refused(s.operate("PUT", "/admin/v1/sales/rush", d), 409, "wrong_state", "state")
}

// nothingBringsItBack settles every record of the sale once more, starts all processes anew, and audits what is left.
func (s *stack) nothingBringsItBack(ann order) {
	s.t.Helper()
	before := s.orderRows("rush")
	all := s.records()
	require.NotEmpty(s.t, all)
	wanted := s.nextOffset() + int64(len(all))
	var repeated [][]byte
	for _, value := range all {
		if !strings.Contains(string(value), "unknown:1:1") {
			repeated = append(repeated, value)
		}
	}
	wanted -= int64(len(all) - len(repeated))
	s.produce(repeated...)
	require.Eventually(s.t, func() bool { return s.nextOffset() >= wanted }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(s.t, before.rows, s.orderRows("rush").rows, "a repeated record changes nothing")
	assert.Empty(s.t, s.letters(), "and makes no dead letter")

	for _, p := range s.Processes() {
		p.Kill()
		p.Start()
	}
	for _, p := range s.Processes() {
		p.Ready()
	}
	s.refused(s.read("/v1/sales/rush", "ann"), 404, "sale_not_found")
	judged := s.Command("audit", "rush", "-o", "json")
	assert.Zero(s.t, judged.Code, "%s%s", judged.Stdout, judged.Stderr)
	assert.Contains(s.t, judged.Stdout, "the sale is archived")
	assert.NotContains(s.t, judged.Stdout, "violated")
	every := s.Command("audit")
	assert.Zero(s.t, every.Code, "%s%s", every.Stdout, every.Stderr)
	assert.NotContains(s.t, every.Stdout, "rush")
	assert.Empty(s.t, s.keysOf("rush"), "no role loads it again")
	assert.Equal(s.t, "paid", s.operate("GET", "/admin/v1/orders/"+ann.OrderID, nil).json(s)["status"])
}

// TestArchiveIsFinishedByTheSettlingProcess: a gateway that dies between the transaction and Redis leaves the sale archived, and
// the settling process drops the rest.
func TestArchiveIsFinishedByTheSettlingProcess(t *testing.T) {
	s := newStack(t, servers{Build: harness.Build{Args: []string{"-tags", "faults"}}}).run(1, 1)
	s.create("rush", lasting(phone(5)))
	s.move("rush", "preload")
	s.move("rush", "close")
	doomed := s.NewGateway()
	doomed.Armed = &deployed.CrashPoint{Name: "admin.sale-archived", Time: 1}
	doomed.Start()
	doomed.Ready()
	s.Settles[0].Kill() // so that the state in between can be seen
	request, err := http.NewRequest("DELETE", "http://"+doomed.Operators+"/admin/v1/sales/rush", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := operatorClient.Do(request)
	if err == nil {
		require.NoError(t, answer.Body.Close())
	}
	require.Error(t, err, "the gateway died before it answered")
	require.Eventually(t, doomed.Killed, 10*time.Second, 10*time.Millisecond)
	dropped := func() (n int) {
		require.NoError(t, s.DB().QueryRow("SELECT dropped FROM archives WHERE sale_id = 'rush'").Scan(&n))
		return n
	}
	require.Zero(t, dropped())
	require.NotEmpty(t, s.keysOf("rush"))
	s.Settles[0].Start()
	s.Settles[0].Ready()
	require.Eventually(t, func() bool { return dropped() == 1 }, 30*time.Second, 50*time.Millisecond)
	require.Empty(t, s.keysOf("rush"))
	require.Equal(t, http.StatusOK, s.archive("rush").status)
}
