package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
)

// letter is one line of `deadletter list -o json`.
type letter struct {
	ID     string   `json:"id"`
	Reason string   `json:"reason"`
	State  string   `json:"state"`
	Orders []string `json:"orders"`
}

func (s *stack) letters() map[string]letter {
	s.t.Helper()
	var list []letter
	require.NoError(s.t, json.Unmarshal([]byte(s.Succeed("deadletter", "list", "-o", "json")), &list))
	byReason := map[string]letter{}
	for _, l := range list {
		byReason[l.Reason+"/"+strings.Join(l.Orders, ",")] = l
	}
	return byReason
}

// produce puts records into the orders topic past the engine.
func (s *stack) produce(records ...[]byte) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(s.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, record := range records {
		result := client.ProduceSync(ctx, &kgo.Record{Topic: s.Name + ".orders", Partition: 0, Value: record})
		require.NoError(s.t, result.FirstErr())
	}
}

// TestDeadLetters: records that are truncated, of another version or of an unknown sale end in the dead letters with their
// reason, the good ones between them settle, and a record that is replayed twice settles once.
func TestDeadLetters(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	stranger, err := sale.NewOrderIDNode(sale.MaxNode) // a node id that no gateway of this test leases
	require.NoError(t, err)
	id := stranger.Next()
	unknown := sale.AppendBatch(nil, &sale.Batch{
		Bucket: sale.Bucket{Sale: "later"}, Epoch: 1, Sequence: 1, BatchID: id, CreatedMS: time.Now().UnixMilli(),
		Orders: []sale.RecordOrder{{OrderID: id, Buyer: "early",
			Lines: []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 100}, {SKU: "case", Quantity: 2, UnitPriceCents: 7}}}},
	})
	truncated := unknown[:len(unknown)-3]
	version := append([]byte("fs9"), unknown[3:]...)
	s.taken(ask{buyer: "before"})
	s.produce(truncated, version, []byte{}, []byte("\x00\xff"), unknown)
	s.taken(ask{buyer: "after"})
	poison := "unknown_bucket/" + id.String()
	require.Eventually(t, func() bool { return len(s.letters()) >= 2 && s.letters()[poison].ID != "" }, 20*time.Second,
		200*time.Millisecond)
	assert.Len(t, s.rowsAtRest("rush").rows, 2)
	assert.Equal(t, "decode", s.letters()["decode/"].Reason)
	replays(s, id, s.letters()[poison])
	total := 0.0
	for name, value := range s.metrics(s.Settles[0].Listen) {
		if strings.HasPrefix(name, "flashsale_dead_letters_total") {
			total += value
		}
	}
	assert.GreaterOrEqual(t, total, 5.0)
}

func replays(s *stack, id sale.OrderID, l letter) {
	s.t.Helper()
	assert.NotZero(s.t, s.Command("deadletter", "replay", "no-such-letter").Code)
	assert.Equal(s.t, 1, s.Command("deadletter", "replay", l.ID).Code, "its sale does not exist yet")
	waiting := s.operate("GET", "/admin/v1/orders/"+id.String(), nil)
	require.Equal(s.t, http.StatusOK, waiting.status, "%s", waiting.body)
	assert.Equal(s.t, "queued", waiting.json(s)["status"])
	assert.Equal(s.t, "dead_letter", waiting.json(s)["reason"])
	lines := []any{object{"sku": "phone", "quantity": 1.0, "unit_price_cents": 100.0},
		object{"sku": "case", "quantity": 2.0, "unit_price_cents": 7.0}}
	assert.Equal(s.t, lines, waiting.json(s)["lines"])
	s.create("later", lasting(phone(5), stockItem{SKU: "case", Stock: 5, PriceCents: 900}))
	s.move("later", "preload")
	s.Succeed("deadletter", "replay", l.ID)
	s.Succeed("deadletter", "replay", l.ID)
	s.Succeed("deadletter", "refuse", l.ID) // of a settled one changes nothing
	b := s.orderRows("later")
	require.Len(s.t, b.rows, 1, "replayed twice it settles once")
	assert.Contains(s.t, []string{"confirmed", "refused"}, b.rows[id.String()].status)
	settled := s.operate("GET", "/admin/v1/orders/"+id.String(), nil).json(s)
	assert.Equal(s.t, lines, settled["lines"], "with the prices that its buyer was told")
	assert.EqualValues(s.t, 114, settled["total_cents"])
}
