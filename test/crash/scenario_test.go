//go:build faultsuite

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/sale"
	"flashsale/test/harness"
)

const (
	stock       = 12 // in two buckets
	perBuyer    = 2
	rounds      = 5
	listed      = 120
	confirmedIn = "SELECT COUNT(*) FROM orders WHERE sale_id = 's' AND status <> 'refused' AND order_id = ?"
)

// onceInALife names the points that a process passes once: their third time does not come.
var onceInALife = map[string]string{
	"identity.claimed":     "Redis is claimed once",
	"orderids.node-leased": "a gateway leases one node id",
	"list.chunk-loaded":    "a list is loaded once unless Redis loses it",
	"list.loaded":          "a list is loaded once unless Redis loses it",
	"store.sale-paused":    "a sale that the engine paused stays so until the operator has looked",
	"settle.replayed":      "a command replays one dead letter",
}

// story is one sale on its way to the crash point and then to its end.
type story struct {
	*world
	point string
	next  int // number of the next new buyer
	said  []said
	own   []said // the orders taken in this round
}

// tell lets the sale go on until a process has died at the point, and then to its end. It reports whether one died.
func (s *story) tell() bool {
	s.open()
	for round := 0; round < rounds && s.died == ""; round++ {
		s.sellOut()
		s.repeat()
		s.giveBack()
		s.pause()
		s.special()
		s.loseScript()
		s.mend()
	}
	s.ready()
	s.sellOut()
	s.quiet()
	return s.died != ""
}

func (s *story) open() {
	var names strings.Builder
	for i := range listed {
		fmt.Fprintln(&names, buyerName(i))
	}
	when := func(after time.Duration) string { return time.Now().Add(after).UTC().Format(sale.TimeLayout) }
	s.operate("PUT", "/admin/v1/sales/s", fmt.Sprintf(`{"name":"s","starts_at":%q,"ends_at":%q,"currency":"CNY",
		"per_buyer_limit":%d,"payment_ttl_s":600,"eligibility":"list","items":[{"sku":"phone","stock":%d,"price_cents":100,"buckets":2}]}`,
		when(-time.Minute), when(time.Hour), perBuyer, stock))
	s.operate("PUT", "/admin/v1/sales/s/buyers", names.String())
	s.operate("POST", "/admin/v1/sales/s/preload", "")
	s.operate("POST", "/admin/v1/sales/s/open", "")
}

func buyerName(i int) string { return "b" + strconv.Itoa(i) }

// press buys one unit until the answer is definite, and remembers it.
func (s *story) press(buyer, key string) said {
	s.t.Helper()
	heard := said{Buyer: buyer, Key: key}
	s.until("an answer for "+buyer, func() bool {
		a := s.ask("POST", s.buyers+"/v1/sales/s/items/phone/orders", tokenOf(buyer), key, "")
		switch a.status {
		case http.StatusOK, http.StatusAccepted:
			heard.Order = a.text("order_id")
			return true
		case http.StatusConflict:
			return a.text("code") != "not_started"
		}
		return false
	})
	return heard
}

// sellOut lets new buyers press until one hears that nothing is left.
func (s *story) sellOut() {
	s.own = nil
	for s.next < listed {
		heard := s.press(buyerName(s.next), "k")
		s.next++
		s.said = append(s.said, heard)
		if heard.Order == "" {
			return
		}
		s.own = append(s.own, heard)
	}
	require.Fail(s.t, "nobody hears that nothing is left", "%d buyers", s.next)
}

// repeat presses again with a key that has an order: it gets the same one.
func (s *story) repeat() {
	if len(s.own) > 0 {
		s.said = append(s.said, s.press(s.own[0].Buyer, s.own[0].Key))
	}
}

// giveBack cancels, pays and lets expire, once each has its row.
func (s *story) giveBack() {
	for _, o := range s.own {
		s.until("a row of order "+o.Order, func() bool { return s.count(confirmedIn, o.Order) == 1 })
	}
	if len(s.own) >= 4 {
		buyer := s.own[0]
		s.until("the buyer cancels", func() bool {
			return s.ask("DELETE", s.buyers+"/v1/sales/s/items/phone/orders/"+buyer.Order, tokenOf(buyer.Buyer), "", "").status == http.StatusOK
		})
		s.operate("PUT", "/admin/v1/orders/"+s.own[1].Order+"/payment", `{"payment_id":"p`+s.own[1].Order+`"}`)
		if s.point == "release.loss-reported" {
			s.redis.MustDo(s.t, "DEL", s.key(0, "buyers"), s.key(1, "buyers"))
		}
		s.operate("DELETE", "/admin/v1/orders/"+s.own[2].Order, "")
		_, err := s.db.Exec("UPDATE orders SET due_at = '2020-01-01' WHERE order_id = ?", s.own[3].Order)
		require.NoError(s.t, err)
	}
	s.until("the outbox is empty", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox")+s.count("SELECT COUNT(*) FROM orders WHERE due_at < '2021-01-01'") == 0
	})
}

func (s *story) pause() {
	s.operate("POST", "/admin/v1/sales/s/pause", "")
	s.operate("POST", "/admin/v1/sales/s/resume", "")
}

// loseScript makes Redis look as after a restart: gateways are fenced, and the buckets are rebuilt.
func (s *story) loseScript() {
	s.redis.MustDo(s.t, "SCRIPT", "FLUSH")
	s.said = append(s.said, s.press(buyerName(s.next), "k"))
	s.next++
}

// special is what some points need besides a sale.
func (s *story) special() {
	room, _, _ := strings.Cut(s.point, ".")
	switch {
	case room == "relay":
		s.leaveBehind()
	case s.point == "store.sale-paused":
		s.unbalance()
	case s.point == "orderids.mark-stored":
		s.within(12*time.Second, func() bool { return s.died != "" }) // a mark is stored every ten seconds
	case strings.Contains(s.point, "dead-letter"), strings.Contains(s.point, "refus"), s.point == "settle.replayed":
		s.deadLetter()
	}
}

// leaveBehind has a second gateway die between the script and Kafka: its entry is left to the relay.
func (s *story) leaveBehind() {
	buyers := harness.Address(s.t)
	env := append(append([]string{}, s.env...), "FLASHSALE_GATEWAY_LISTEN="+buyers, "FLASHSALE_ADMIN_LISTEN="+harness.Address(s.t),
		"FLASHSALE_CRASH_POINT=reserve.decided")
	victim := harness.Start(s.t, s.bin, env, "gateway")
	victim.WaitReady("http://" + buyers + "/readyz")
	buyer := buyerName(s.next)
	s.next++
	s.until("the second gateway dies", func() bool {
		s.ask("POST", "http://"+buyers+"/v1/sales/s/items/phone/orders", tokenOf(buyer), "k", "")
		return !victim.Running()
	})
	s.until("the relay has cleared the journals", func() bool { return s.journaled() == 0 })
	s.said = append(s.said, s.press(buyer, "k"))
}

func (s *story) journaled() int64 {
	var entries int64
	for k := range 2 {
		n, err := s.redis.Do("XLEN", s.key(k, "journal"))
		require.NoError(s.t, err)
		entries += n.(int64)
	}
	return entries
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

// deadLetter writes a record that can never settle, and has the command replay or refuse it, armed the first time.
func (s *story) deadLetter() {
	client, err := kgo.NewClient(kgo.SeedBrokers(harness.SharedKafka(s.t).Brokers...), kgo.DefaultProduceTopic(s.name+".orders"))
	require.NoError(s.t, err)
	defer client.Close()
	record := sale.AppendBatch(nil, &sale.Batch{Bucket: sale.Bucket{Sale: "nosuch", SKU: "phone"}, Epoch: 1, Sequence: int64(s.next),
		BatchID: sale.OrderID(s.next), CreatedMS: 1, Orders: []sale.RecordOrder{{OrderID: sale.OrderID(s.next), Quantity: 1, Buyer: "x"}}})
	require.NoError(s.t, client.ProduceSync(context.Background(), &kgo.Record{Value: record}).FirstErr())
	var id string
	s.until("the dead letter is kept", func() bool { id = s.waitingLetter(); return id != "" })
	verb := "refuse"
	if s.point == "settle.replayed" {
		verb = "replay"
		_, err := s.db.Exec("UPDATE dead_letters SET raw = ? WHERE id = ?", sale.AppendFence(nil, "f"+strconv.Itoa(s.next)), id)
		require.NoError(s.t, err) // one that does settle, as after the cause was mended
	}
	if s.command(s.arming, "deadletter", verb, id).Code < 0 {
		s.died = "the command"
	}
	s.until("the dead letter is decided", func() bool {
		return s.waitingLetter() != id || s.command(nil, "deadletter", verb, id).Code == 0
	})
}

func (s *story) waitingLetter() string {
	listed := s.command(nil, "deadletter", "list", "-o", "json")
	var letters []struct{ ID string }
	if listed.Code != 0 || json.Unmarshal([]byte(listed.Stdout), &letters) != nil || len(letters) == 0 {
		return ""
	}
	return letters[0].ID
}

// quiet waits until nothing is on its way any more.
func (s *story) quiet() {
	for _, heard := range s.said {
		if heard.Order != "" {
			s.within(patience, func() bool { return s.count(confirmedIn, heard.Order) == 1 }) // the judge says who is lost
		}
	}
	s.until("quiet", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox")+s.count("SELECT COUNT(*) FROM events") == 0 && s.journaled() == 0 &&
			s.count("SELECT COUNT(*) FROM stock WHERE state <> 'open'") == 0
	})
}

// books reads everything that is judged from the database and from Redis.
func (s *story) books() books {
	b := books{Stock: stock, Limit: perBuyer, Said: s.said,
		OutboxRows: s.count("SELECT COUNT(*) FROM outbox"), EventsRows: s.count("SELECT COUNT(*) FROM events")}
	rows, err := s.db.Query("SELECT order_id, buyer_id, idempotency_key, status, bucket, quantity FROM orders WHERE sale_id = 's'")
	require.NoError(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var r row
		require.NoError(s.t, rows.Scan(&r.ID, &r.Buyer, &r.Key, &r.Status, &r.Bucket, &r.Quantity))
		b.Rows = append(b.Rows, r)
	}
	require.NoError(s.t, rows.Err())
	for k := range 2 {
		b.Buckets = append(b.Buckets, s.bucket(k))
	}
	return b
}

func (s *story) bucket(k int) bucket {
	var b bucket
	err := s.db.QueryRow("SELECT loaded, settled, released, state, epoch FROM stock WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Loaded, &b.Settled, &b.Released, &b.State, &b.Epoch)
	require.NoError(s.t, err)
	meta := s.meta(k, "epoch", "loaded_state", "available", "held")
	b.RedisState = meta[1]
	for i, field := range map[int]*int{0: &b.RedisEpoch, 2: &b.Available, 3: &b.Held} {
		*field, err = strconv.Atoi(meta[i])
		require.NoError(s.t, err)
	}
	entries, err := s.redis.Do("HVALS", s.key(k, "buyers"))
	require.NoError(s.t, err)
	for _, value := range entries.([]any) {
		for _, entry := range strings.Split(strings.Trim(fmt.Sprint(value), `"`), `"`) {
			units, err := strconv.Atoi(strings.Split(entry, ",")[1])
			require.NoError(s.t, err, entry)
			b.Entries += max(units, 0)
			b.Refunded += max(-units, 0)
		}
	}
	return b
}

func runCase(t *testing.T, bin string, point Point, times int) {
	s := &story{world: newWorld(t, bin, point.Name, times), point: point.Name}
	died := s.tell()
	require.True(t, died, "%s (%s) was not passed %d times", point.Name, point.Place, times)
	require.Empty(t, judge(s.books()), "after %s died at %s", s.died, point.Name)
	audited := s.command(nil, "audit", "s", "--wait", "30s")
	require.Zero(t, audited.Code, "%s\n%s", audited.Stdout, audited.Stderr)
	t.Logf("%s died at %s", s.died, point.Place)
}
