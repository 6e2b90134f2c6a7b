package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/stack"
)

// begin starts the processes. A gateway leases a node id again and again while the marks of the free ones are ahead of its
// clock: so it gets a third lease in one life.
func (s *story) begin() {
	ahead := strings.HasSuffix(s.at.Name, "node-leased") && s.at.Time > 1
	mark := func(ms int64) {
		_, err := s.db.Exec("UPDATE node_leases SET high_water_ms = ?", ms)
		require.NoError(s.t, err)
	}
	if ahead {
		mark(time.Now().Add(time.Hour).UnixMilli())
	}
	s.start()
	if ahead {
		s.await("a gateway dies", func() bool { return s.died != "" })
		mark(0)
	}
	s.ready()
}

// special maps points to the actions that they need besides a sale.
func (s *story) special() {
	room, _, _ := strings.Cut(s.at.Name, ".")
	switch {
	case room == "relay":
		s.leaveBehind()
	case room == "archiver", strings.Contains(s.at.Name, "archive"), s.at.Name == "store.lists-forgotten",
		s.at.Name == "store.draft-deleted":
		s.endOtherSales()
	case s.at.Name == "store.sale-paused":
		s.unbalance()
	case s.at.Name == "store.payment-remembered":
		s.payEarly()
	case s.at.Name == "identity.claimed":
		s.forget(func() { s.redis.primary.MustDo(s.t, "DEL", s.Name+":engine") })
	case s.at.Name == "orderids.mark-stored":
		s.forget(func() {
			_, err := s.db.Exec("UPDATE node_leases SET holder = 'another' WHERE holder <> ''")
			require.NoError(s.t, err)
		})
	case s.at.Name == "store.node-renewed":
		s.forget(func() {}) // it happens by itself, every ten seconds
	case strings.Contains(s.at.Name, "dead-letter"), strings.Contains(s.at.Name, "refus"), s.at.Name == "settle.replayed":
		s.deadLetters()
	}
}

// forget undoes, again and again, what a process does once in its life, until the process has died.
func (s *story) forget(take func()) {
	var last time.Time
	s.await("a process dies", func() bool {
		if s.died == "" && time.Since(last) > time.Second {
			last = time.Now()
			take()
		}
		return s.died != ""
	})
}

// leaveBehind has another gateway die between the script and Kafka: its entry is left to the relay.
func (s *story) leaveBehind() {
	victim := s.NewGateway()
	s.crowd.Add(victim)
	victim.Armed = &stack.CrashPoint{Name: "reserve.decided", Time: 1}
	victim.Start()
	victim.Ready()
	buyer := s.newBuyer()
	s.await("another gateway dies", func() bool {
		s.ask(history.Question{Verb: history.Buy, Buyer: buyer, Key: "k", Quantity: 1, Gateway: victim.Number})
		return !victim.Running()
	})
	s.await("the relay has cleared the journals", func() bool { return s.journaled() == 0 })
	if asked := s.press(buyer, "k", ""); asked.order != "" {
		s.own = append(s.own, asked)
	}
}

// unbalance adds a unit to Redis until the engine pauses the sale, and removes it again.
func (s *story) unbalance() {
	s.addInRedis(1)
	s.await("the engine pauses the sale", func() bool {
		var view struct{ State string }
		_, text, err := s.Operate("GET", "/admin/v1/sales/s", "")
		return err == nil && json.Unmarshal(text, &view) == nil && view.State == "paused"
	})
	s.addInRedis(-1)
	s.operate("POST", "/admin/v1/sales/s/resume", "")
}

// addInRedis adds to the units of phones that are for sale in a bucket, past every script of the engine.
func (s *story) addInRedis(units int) {
	const add = "local n, rest = string.match(redis.call('HGET', KEYS[1], ARGV[1]), '^(%d+)( .*)$') " +
		"return redis.call('HSET', KEYS[1], ARGV[1], n + ARGV[2] .. rest)"
	s.redis.primary.MustDo(s.t, "EVAL", add, "1", s.key(0, "stock"), phone, strconv.Itoa(units))
}

// payEarly pays for orders that wait in the dead letters: the payments are remembered, also when the gateway dies
// meanwhile.
func (s *story) payEarly() {
	for range s.at.Time {
		id := strconv.FormatInt(time.Now().UnixNano(), 10)
		_, err := s.db.Exec("INSERT INTO dead_letter_orders (dead_letter_id, place, order_id, sale_id, buyer_id, "+
			"order_lines, created_ms) VALUES ('early', 1, ?, 's', 'x', 'phone:1:100', 1)", id)
		require.NoError(s.t, err)
		s.await("the payment is remembered", func() bool {
			var problem struct{ Remembered bool }
			_, text, err := s.Operate("PUT", "/admin/v1/orders/"+id+"/payment", `{"payment_id":"p`+id+`"}`)
			return err == nil && json.Unmarshal(text, &problem) == nil && problem.Remembered
		})
		const remembered = "SELECT COUNT(*) FROM remembered_payments WHERE order_id = ? AND payment_id = ?"
		require.Equal(s.t, 1, s.count(remembered, id, "p"+id))
		_, err = s.db.Exec("DELETE FROM dead_letter_orders WHERE dead_letter_id = 'early'")
		require.NoError(s.t, err)
	}
}

// endOtherSales defines further sales with a list of buyers, and ends each: a draft is deleted, a closed sale is archived.
func (s *story) endOtherSales() {
	other := *s.sale
	for n := range s.at.Time {
		other.id = fmt.Sprintf("other-%d-%d", s.keys, n)
		definition, err := json.Marshal(other.definition(map[string]any{"eligibility": "list"}))
		require.NoError(s.t, err)
		path := "/admin/v1/sales/" + other.id
		for _, preloaded := range []bool{false, true} {
			s.operate("PUT", path, string(definition))
			s.operate("PUT", path+"/buyers", "b0\n")
			if preloaded {
				s.operate("POST", path+"/preload", "")
				s.operate("POST", path+"/close", "")
			}
			s.await("the end of "+other.id, func() bool {
				status, _, err := s.Operate("DELETE", path, "")
				return err == nil && (status == 200 || status == 404 && !preloaded) // 404: the draft is deleted already
			})
		}
		require.Equal(s.t, 1, s.count("SELECT COUNT(*) FROM archives WHERE sale_id = ? AND dropped = 1", other.id))
		left, err := s.redis.primary.Do("EXISTS", fmt.Sprintf("%s:{%s:0}:meta", s.Name, other.id))
		require.NoError(s.t, err)
		require.Zero(s.t, left, "Redis has buckets of an archived sale")
	}
}

const letters = 3 // that one command decides

// deadLetters writes records that can never settle, and has a command replay or refuse them, which the armed gateway does.
func (s *story) deadLetters() {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.DefaultProduceTopic(s.ordersTopic()))
	require.NoError(s.t, err)
	defer client.Close()
	for range letters {
		id := sale.OrderID(time.Now().UnixNano())
		record := sale.AppendBatch(nil, &sale.Batch{Bucket: sale.Bucket{Sale: "nosuch"}, Epoch: 1,
			Sequence: int64(id), BatchID: id, CreatedMS: 1, Orders: []sale.RecordOrder{{OrderID: id, Buyer: "x",
				Lines: []sale.Line{{SKU: phone, Quantity: 1, UnitPriceCents: 100}, {SKU: "case", Quantity: 2}}}}})
		require.NoError(s.t, client.ProduceSync(context.Background(), &kgo.Record{Value: record}).FirstErr())
	}
	var ids []string
	s.await("the dead letters are kept", func() bool { ids, _ = s.undecided(); return len(ids) == letters })
	verb := "refuse"
	if s.at.Name == "settle.replayed" || s.at.Name == "store.dead-letter-replayed" {
		verb = "replay"
		fence := sale.AppendFence(nil, "f"+strconv.FormatInt(time.Now().UnixNano(), 10))
		_, err := s.db.Exec("UPDATE dead_letters SET record = ?", fence)
		require.NoError(s.t, err) // records that do settle, as after a repair
	}
	decide := append([]string{"deadletter", verb}, ids...)
	s.await("the dead letters are decided", func() bool {
		if s.Command(decide...).Code != 0 { // the gateway that decides has died
			return false
		}
		left, known := s.undecided()
		return known && len(left) == 0
	})
}

// undecided returns the ids of the dead letters that wait for a decision, and whether they could be read.
func (s *story) undecided() (ids []string, known bool) {
	listed := s.Command("deadletter", "list", "-o", "json")
	var all []struct{ ID, State string }
	if listed.Code != 0 || json.Unmarshal([]byte(listed.Stdout), &all) != nil {
		return nil, false
	}
	for _, letter := range all {
		if letter.State == string(sale.DeadLetterWaiting) {
			ids = append(ids, letter.ID)
		}
	}
	return ids, true
}
