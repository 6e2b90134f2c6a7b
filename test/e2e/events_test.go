package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/harness"
)

// event is one record of the events topic as a shop reads it.
type event struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject"`
	Time            string         `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	Data            map[string]any `json:"data"`
}

// listener is a shop that reads the events topic from its beginning.
type listener struct {
	s        *stack
	mu       sync.Mutex
	order    map[string][]string // statuses of each order, in the order of their first arrival
	latest   map[string]event    // by event id
	arrivals int
	faults   []string
}

// listen begins to read the events topic; it ends with the test.
func (s *stack) listen() *listener {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(s.Name+".events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.t, err)
	l := &listener{s: s, order: map[string][]string{}, latest: map[string]event{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(l.add)
		}
	}()
	s.t.Cleanup(func() { cancel(); <-ended; client.Close() })
	return l
}

func (l *listener) add(record *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrivals++
	var e event
	if err := json.Unmarshal(record.Value, &e); err != nil {
		l.faults = append(l.faults, err.Error())
		return
	}
	id, status := string(record.Key), e.Type[len("flashsale.order."):]
	wellFormed := e.SpecVersion == "1.0" && e.ID == id+":"+status && e.Subject == id && e.DataContentType == "application/json" &&
		e.Source == "/"+l.s.Name+"/sales/"+e.Data["sale"].(string) && e.Data["order_id"] == id && e.Data["status"] == status &&
		e.Time == e.Data["updated_at"] && e.Data["buyer_id"] != "" && len(record.Headers) == 1 &&
		record.Headers[0].Key == "content-type" &&
		string(record.Headers[0].Value) == "application/cloudevents+json; charset=UTF-8"
	if !wellFormed {
		l.faults = append(l.faults, string(record.Value))
	}
	if before, repeated := l.latest[e.ID]; repeated {
		if !assert.ObjectsAreEqual(before, e) {
			l.faults = append(l.faults, "another content under the id "+e.ID)
		}
		return
	}
	l.latest[e.ID] = e
	l.order[id] = append(l.order[id], status)
}

// statuses returns the statuses in the events of an order so far.
func (l *listener) statuses(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.order[id]...)
}

// complete waits until the events of every order reach its present status, and compares the statuses on the way.
func (l *listener) complete(db *sql.DB) {
	t := l.s.t
	t.Helper()
	rows, err := db.Query("SELECT order_id, status FROM orders")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, status string
		require.NoError(t, rows.Scan(&id, &status))
		want := []string{"confirmed"}
		switch status {
		case "confirmed":
		case "refused":
			want = []string{"refused"}
		default:
			want = append(want, status)
		}
		require.Eventually(t, func() bool { return len(l.statuses(id)) >= len(want) }, 30*time.Second, 20*time.Millisecond,
			"order %s %s", id, status)
		require.Equal(t, want, l.statuses(id), "order %s", id)
	}
	require.NoError(t, rows.Err())
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.faults)
}

// TestEventsOfEveryOrder: every change of an order reaches the events topic, each order's events in order and under stable
// ids, although both processes that settle are killed and started again meanwhile.
func TestEventsOfEveryOrder(t *testing.T) {
	const units = 2_000
	s := newStack(t, servers{}).run(1, 2)
	s.open("rush", lasting(phone(units)))
	shop := s.listen()
	c := newCrowd(s, "rush", units)
	kill := func(i int) func() {
		return func() { s.Settles[i].Kill(); s.Settles[i].Restart() }
	}
	c.OnTaken(units/4, kill(0))
	c.OnTaken(units/2, kill(1))
	c.OnTaken(units-1, kill(0))
	c.rush(c.presses(11, 0, []string{"phone"}, single))
	for _, w := range s.Settles {
		w.Ready()
	}
	s.audit("rush")
	ops := c.purchases()
	for i := range 300 {
		o := order{OrderID: ops[i].Order().Order, Sale: "rush", SKU: "phone"}
		switch i % 3 {
		case 0:
			require.Equal(t, 200, s.pay(o.OrderID, "pay-"+strconv.Itoa(i)).status)
		case 1:
			require.Equal(t, 200, s.cancel(o, ops[i].Buyer).status)
		default:
			require.Equal(t, 200, s.shop("DELETE", o.OrderID, nil).status)
		}
		if i == 150 {
			kill(1)()
		}
	}
	db := s.DB()
	s.exec(db, "UPDATE orders SET due_at = created_at, pay_by = created_at WHERE status = 'confirmed' AND order_id % 2 = 0")
	require.Eventually(t, func() bool {
		var due int
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM orders WHERE due_at <= NOW(3)").Scan(&due))
		return due == 0
	}, 40*time.Second, 50*time.Millisecond)
	shop.complete(db)
	t.Log("events:", len(shop.latest), "records:", shop.arrivals)
	paid := shop.latest[ops[0].Order().Order+":paid"]
	assert.Equal(t, "pay-0", paid.Data["payment_id"])
	assert.NotContains(t, shop.latest[ops[0].Order().Order+":confirmed"].Data, "payment_id",
		"an event has only what was decided at its time")
	buyers, shops := shop.latest[ops[1].Order().Order+":cancelled"], shop.latest[ops[2].Order().Order+":cancelled"]
	assert.Equal(t, "buyer", buyers.Data["reason"])
	assert.Equal(t, "shop", shops.Data["reason"])
}

// TestEventsOfRefusedOrders: an order that got no unit has the event refused, with the reason.
func TestEventsOfRefusedOrders(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10), stockItem{SKU: "case", Stock: 10, PriceCents: 900}))
	shop := s.listen()
	s.confirmed("before")
	stranger, err := sale.NewOrderIDNode(sale.MaxNode)
	require.NoError(t, err)
	id := stranger.Next()
	s.produce(sale.AppendBatch(nil, &sale.Batch{ // of an epoch that was over before the first preload
		Bucket: sale.Bucket{Sale: "rush"}, Epoch: 0, Sequence: 1, BatchID: id, CreatedMS: time.Now().UnixMilli(),
		Orders: []sale.RecordOrder{{OrderID: id, Buyer: "late",
			Lines: []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 100}, {SKU: "case", Quantity: 2, UnitPriceCents: 7}}}},
	}))
	require.Eventually(t, func() bool { return len(shop.statuses(id.String())) > 0 }, 20*time.Second, 20*time.Millisecond)
	shop.complete(s.DB())
	data := shop.latest[id.String()+":refused"].Data
	assert.Equal(t, "fenced", data["reason"])
	assert.Equal(t, []any{object{"sku": "phone", "quantity": 1.0, "unit_price_cents": 100.0},
		object{"sku": "case", "quantity": 2.0, "unit_price_cents": 7.0}}, data["lines"])
	assert.EqualValues(t, 114, data["total_cents"])
	assert.NotContains(t, data, "sku", "an event has it where there is one line")
}

// TestEventsWaitForKafka: events while Kafka is unavailable wait in the database, are counted, and are published when Kafka
// is back.
func TestEventsWaitForKafka(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka}).run(1, 2)
	s.open("rush", lasting(phone(20)))
	var owned []order
	for i := range 5 {
		owned = append(owned, s.confirmed("buyer-"+strconv.Itoa(i)))
	}
	db := s.DB()
	require.Eventually(t, func() bool { // the gauge may still be from before these orders
		var rows int
		return db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM events").Scan(&rows) == nil && rows == 0
	}, 40*time.Second, 100*time.Millisecond, "the events of the orders are not published")
	kafka.Kill()
	for i, o := range owned {
		require.Equal(t, 200, s.cancel(o, "buyer-"+strconv.Itoa(i)).status, "decided without Kafka")
	}
	s.waitingEvents(float64(len(owned)))
	kafka.Start()
	s.waitingEvents(0)
	shop := s.listen()
	shop.complete(s.DB())
	s.audit("rush")
}

// waitingEvents waits until the process that publishes the events reports so many waiting rows.
func (s *stack) waitingEvents(rows float64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		var answering []float64
		for _, w := range s.Settles {
			if n, answers := s.metrics(w.Listen)["flashsale_events_waiting_rows"]; answers {
				answering = append(answering, n)
			}
		}
		return len(answering) == 1 && answering[0] == rows
	}, 40*time.Second, 100*time.Millisecond, "the metric of waiting events is not %v", rows)
}
