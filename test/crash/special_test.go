package crash

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/harness"
)

// begin starts the processes. A gateway leases a node id again and again while the marks of the free ones are ahead of
// its clock: so it comes to a third lease in one life.
func (s *story) begin() {
	ahead := strings.HasSuffix(s.point, "node-leased") && s.times > 1
	mark := func(ms int64) {
		_, err := s.db.Exec("UPDATE node_leases SET high_water_ms = ?", ms)
		require.NoError(s.t, err)
	}
	if ahead {
		mark(time.Now().Add(time.Hour).UnixMilli())
	}
	s.start()
	if ahead {
		s.until("a gateway dies", func() bool { return s.died != "" })
		mark(0)
	}
	s.ready()
}

// special is what some points need besides a sale.
func (s *story) special() {
	room, _, _ := strings.Cut(s.point, ".")
	switch {
	case room == "relay":
		s.leaveBehind()
	case s.point == "store.sale-paused":
		s.unbalance()
	case s.point == "store.payment-remembered":
		s.payEarly()
	case s.point == "identity.claimed":
		s.forget(func() { s.redis.MustDo(s.t, "DEL", s.name+":engine") })
	case s.point == "orderids.mark-stored":
		s.forget(func() {
			_, err := s.db.Exec("UPDATE node_leases SET holder = 'another' WHERE holder <> ''")
			require.NoError(s.t, err)
		})
	case s.point == "store.node-renewed":
		s.forget(func() {}) // it comes by itself, every ten seconds
	case strings.Contains(s.point, "dead-letter"), strings.Contains(s.point, "refus"), s.point == "settle.replayed":
		s.deadLetters()
	}
}

// forget takes from a process, again and again, what it has once in its life, until it has died.
func (s *story) forget(take func()) {
	var last time.Time
	s.until("a process dies", func() bool {
		if s.died == "" && time.Since(last) > time.Second {
			last = time.Now()
			take()
		}
		return s.died != ""
	})
}

// leaveBehind has a second gateway die between the script and Kafka: its entry is left to the relay.
func (s *story) leaveBehind() {
	buyers := harness.Address(s.t)
	env := append(append([]string{}, s.env...), "FLASHSALE_GATEWAY_LISTEN="+buyers, "FLASHSALE_ADMIN_LISTEN="+harness.Address(s.t),
		"FLASHSALE_CRASH_POINT=reserve.decided")
	victim := harness.Start(s.t, s.bin, env, "gateway")
	victim.WaitReady("http://" + buyers + "/readyz")
	buyer := s.newBuyer()
	s.until("the second gateway dies", func() bool {
		s.ask("POST", "http://"+buyers+"/v1/sales/s/items/phone/orders", tokenOf(buyer), "k", "")
		return !victim.Running()
	})
	s.until("the relay has cleared the journals", func() bool { return s.journaled() == 0 })
	if heard := s.press(buyer, "k"); heard.Order != "" {
		s.own = append(s.own, heard)
	}
}

// unbalance puts a unit too many into Redis until the engine pauses the sale, and takes it out again.
func (s *story) unbalance() {
	s.redis.MustDo(s.t, "HINCRBY", s.key(0, "meta"), "available", "1")
	s.until("the engine pauses the sale", func() bool {
		return s.ask("GET", s.admin+"/admin/v1/sales/s", adminToken, "", "").text("state") == "paused"
	})
	s.redis.MustDo(s.t, "HINCRBY", s.key(0, "meta"), "available", "-1")
	s.operate("POST", "/admin/v1/sales/s/resume", "")
}

// payEarly pays for orders that wait in the dead letters: the payments are remembered, also when the gateway dies over it.
func (s *story) payEarly() {
	for range s.times {
		id := strconv.FormatInt(time.Now().UnixNano(), 10)
		_, err := s.db.Exec("INSERT INTO dead_letter_orders (dead_letter_id, place, order_id, sale_id, sku, buyer_id, quantity, "+
			"created_ms) VALUES ('early', 1, ?, 's', 'phone', 'x', 1, 1)", id)
		require.NoError(s.t, err)
		s.until("the payment is remembered", func() bool {
			path := s.admin + "/admin/v1/orders/" + id + "/payment"
			return s.ask("PUT", path, adminToken, "", `{"payment_id":"p`+id+`"}`).body["remembered"] == true
		})
		require.Equal(s.t, 1, s.count("SELECT COUNT(*) FROM remembered_payments WHERE order_id = ? AND payment_id = ?", id, "p"+id))
		_, err = s.db.Exec("DELETE FROM dead_letter_orders WHERE dead_letter_id = 'early'")
		require.NoError(s.t, err)
	}
}

const letters = 3 // that one command decides

// deadLetters writes records that can never settle, and has one command replay or refuse them, armed the first time.
func (s *story) deadLetters() {
	client, err := kgo.NewClient(kgo.SeedBrokers(harness.SharedKafka(s.t).Brokers...), kgo.DefaultProduceTopic(s.name+".orders"))
	require.NoError(s.t, err)
	defer client.Close()
	for range letters {
		id := sale.OrderID(time.Now().UnixNano())
		record := sale.AppendBatch(nil, &sale.Batch{Bucket: sale.Bucket{Sale: "nosuch", SKU: "phone"}, Epoch: 1, Sequence: int64(id),
			BatchID: id, CreatedMS: 1, Orders: []sale.RecordOrder{{OrderID: id, Quantity: 1, Buyer: "x"}}})
		require.NoError(s.t, client.ProduceSync(context.Background(), &kgo.Record{Value: record}).FirstErr())
	}
	var ids []string
	s.until("the dead letters are kept", func() bool { ids = s.waiting(); return len(ids) == letters })
	verb := "refuse"
	if s.point == "settle.replayed" || s.point == "store.dead-letter-replayed" {
		verb = "replay"
		_, err := s.db.Exec("UPDATE dead_letters SET record = ?", sale.AppendFence(nil, "f"+strconv.FormatInt(time.Now().UnixNano(), 10)))
		require.NoError(s.t, err) // ones that do settle, as after the cause was mended
	}
	decide := append([]string{"deadletter", verb}, ids...)
	if s.diedOf(s.command(s.arming, decide...)) {
		s.died = "deadletter " + verb
	}
	s.until("the dead letters are decided", func() bool {
		return len(s.waiting()) == 0 || s.command(nil, decide...).Code == 0
	})
}

// waiting returns the ids of the dead letters that nobody has decided.
func (s *story) waiting() []string {
	listed := s.command(nil, "deadletter", "list", "-o", "json")
	var all []struct{ ID, State string }
	if listed.Code != 0 || json.Unmarshal([]byte(listed.Stdout), &all) != nil {
		return nil
	}
	var ids []string
	for _, letter := range all {
		if letter.State == string(sale.DeadLetterWaiting) {
			ids = append(ids, letter.ID)
		}
	}
	return ids
}
