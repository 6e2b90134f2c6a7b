package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/stack"
)

const (
	storyRounds = 5 // in each of which every point of a sale is passed, most of them more than once
	definings   = 4 // how often the sale is defined and preloaded before it opens: three lists follow the first
	listed      = 240
	phone       = "phone" // the SKU that sells out
	rowStands   = "SELECT COUNT(*) FROM orders WHERE sale_id = 's' AND status <> 'refused' AND order_id = ?"
)

// pressed is one buyer's press of one key, and the order that it was given; "" when it was refused.
type pressed struct{ buyer, key, lines, order string }

// story is one sale on its way to the crash point and then to its end.
type story struct {
	*doomed
	sale    *saleUnderTest
	crowd   *buyers.Crowd
	with    *buyers.Client
	home    int    // the bucket of the buyers who press in this round
	next    [2]int // number of the next new buyer of each bucket
	pressed []pressed
	own     []pressed // orders that are neither paid nor given back
	keys    int       // of changes of the stock
}

// newStory returns a sale that is not defined yet. Its window is open.
func newStory(t *testing.T, at stack.CrashPoint) *story {
	t.Helper()
	begun := time.Now().Truncate(time.Millisecond)
	s := &story{doomed: newDoomed(t, at), sale: &saleUnderTest{id: "s", limit: 2, saleLimit: 3, ttlS: 600,
		buckets: 2, demand: true, enough: map[string]bool{"case": true, "cable": true},
		starts: begun.Add(-time.Minute), ends: begun.Add(time.Hour), items: []item{{SKU: phone, Stock: 12, PriceCents: 100},
			{SKU: "case", Stock: 100, PriceCents: 5, Limit: own(1)}, {SKU: "cable", PriceCents: 3, later: true}}}}
	out, err := history.NewRecorder(s.historyPath())
	require.NoError(t, err)
	s.sales = []*saleUnderTest{s.sale}
	s.crowd = s.crowdOf(s.sales, out)
	s.with = s.crowd.NewClient()
	t.Cleanup(s.with.Close)
	return s
}

func (s *story) historyPath() string { return filepath.Join(s.dir, "history") }

func (s *story) buckets() int { return s.sale.buckets }

// define defines the sale, lists its buyers and loads its stock, again and again, and opens it.
func (s *story) define() {
	var names strings.Builder
	for i := range listed {
		fmt.Fprintln(&names, buyerName(i))
	}
	for range definings {
		s.operate("PUT", "/admin/v1/rules", `{"buyer":null}`)
		s.operate("PUT", "/admin/v1/sales/s", s.body())
		s.operate("PUT", "/admin/v1/sales/s/buyers", names.String())
		s.operate("POST", "/admin/v1/sales/s/preload", "")
	}
	s.operate("POST", "/admin/v1/sales/s/open", "")
}

// body is the sale's definition with the items that it has by now.
func (s *story) body() string {
	s.t.Helper()
	text, err := json.Marshal(s.sale.definition(map[string]any{"currency": "CNY", "eligibility": "list"}))
	require.NoError(s.t, err)
	return string(text)
}

func buyerName(i int) string { return "b" + strconv.Itoa(i) }

// newBuyer returns a buyer of this round's bucket who has not pressed yet.
func (s *story) newBuyer() string {
	s.t.Helper()
	for next := &s.next[s.home]; *next < listed; {
		name := buyerName(*next)
		*next++
		if sale.HomeBucket(name, s.buckets()) == s.home {
			return name
		}
	}
	require.Fail(s.t, "there are no more buyers")
	return ""
}

// ask sends one question about the sale and records both ends.
func (s *story) ask(q history.Question) history.Op {
	q.Sale, q.SKU = s.sale.id, phone
	if q.Lines != "" {
		q.SKU, q.Quantity = "", 0
	}
	return s.crowd.Ask(s.with, q)
}

// insistOn repeats a question until the answer is success.
func (s *story) insistOn(q history.Question) {
	s.t.Helper()
	s.await(fmt.Sprintf("%s %s", q.Verb, q.Order), func() bool { return s.ask(q).End == history.OK })
}

// press buys a phone, or the lines that are named, repeats until the answer is definite, and records it.
func (s *story) press(buyer, key, lines string) pressed {
	s.t.Helper()
	asked := pressed{buyer: buyer, key: key, lines: lines}
	s.await("an answer for "+buyer, func() bool {
		op := s.ask(history.Question{Verb: history.Buy, Buyer: buyer, Key: key, Quantity: 1, Lines: lines})
		asked.order = op.Order().Order
		return op.Definite()
	})
	s.pressed = append(s.pressed, asked)
	return asked
}

// buy lets a new buyer press once, every second one for two SKUs, and reports whether the buyer got an order.
func (s *story) buy() bool {
	lines := ""
	if len(s.pressed)%2 > 0 {
		lines = "case:1,phone:1"
	}
	asked := s.press(s.newBuyer(), "k", lines)
	if asked.order != "" {
		s.own = append(s.own, asked)
	}
	return asked.order != ""
}

// sellOut lets new buyers press until one is answered that nothing is left. All are of one bucket, so units have to be
// moved.
func (s *story) sellOut() {
	for s.buy() {
	}
}

// repeat presses again with a key that has an order: it gets the same one.
func (s *story) repeat() {
	if len(s.own) > 0 {
		s.press(s.own[0].buyer, s.own[0].key, s.own[0].lines)
	}
}

// giveBack cancels orders, pays one and lets one expire, once each has its row, and waits until the units can be bought
// again.
func (s *story) giveBack() {
	require.GreaterOrEqual(s.t, len(s.own), 4)
	cancelled, paid, taken, unpaid := s.own[0], s.own[1], s.own[2], s.own[3]
	for _, o := range s.own[:4] {
		s.await("a row of order "+o.order, func() bool { return s.count(rowStands, o.order) == 1 })
	}
	s.own = s.own[4:]
	s.insistOn(history.Question{Verb: history.Cancel, Buyer: cancelled.buyer, Order: cancelled.order})
	s.insistOn(history.Question{Verb: history.Pay, Order: paid.order, Payment: "p" + paid.order})
	if s.at.Name == "release.loss-reported" {
		s.redis.primary.MustDo(s.t, "DEL", s.key(s.count("SELECT bucket FROM orders WHERE order_id = ?", taken.order), "buyers"))
	}
	s.insistOn(history.Question{Verb: history.ShopCancel, Order: taken.order})
	s.await("the event of order "+unpaid.order+" is published", func() bool { // until then the event shows what changes here
		return s.count("SELECT COUNT(*) FROM events WHERE FIND_IN_SET(?, order_ids)", unpaid.order) == 0
	})
	_, err := s.db.Exec("UPDATE orders SET pay_by = '2020-01-01', due_at = '2020-01-01' WHERE order_id = ?", unpaid.order)
	require.NoError(s.t, err)
	s.await("the units are back", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox") == 0 &&
			s.count("SELECT COUNT(*) FROM orders WHERE due_at < '2021-01-01'") == 0 &&
			s.count("SELECT COUNT(*) FROM buckets WHERE sale_id = 's' AND state <> 'open'") == 0
	})
	s.await("the latch is open", func() bool { return s.shownAs("sold_out", false) })
}

// shownAs reports whether the gateway shows the phone with a member of this value.
func (s *story) shownAs(member string, value any) bool {
	answer, err := http.Get("http://" + s.Gateways[0].Buyers + "/v1/sales/s")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var view struct{ Items []map[string]any }
	if json.NewDecoder(answer.Body).Decode(&view) != nil {
		return false
	}
	return slices.ContainsFunc(view.Items, func(i map[string]any) bool { return i["sku"] == phone && i[member] == value })
}

// restock adds phones, takes one of them back, and adds an item, each until it is answered. A repeat of each change has the
// same answer.
func (s *story) restock() {
	for _, add := range []int64{2, -1} {
		s.keys++
		key, from := fmt.Sprintf("change %d", s.keys), time.Now()
		done := s.restocked(key, add)
		require.Equal(s.t, add, done.Added)
		s.sale.note(0, add, from)
		require.Equal(s.t, done, s.restocked(key, add), "a repeat")
	}
	if cable := &s.sale.items[2]; cable.later {
		from := time.Now()
		cable.later = false
		cable.Stock = 5
		s.operate("PUT", "/admin/v1/sales/s", s.body())
		cable.Stock = 0
		s.sale.note(2, 5, from)
	}
	s.await("the stock is changed in Redis", func() bool { return s.count("SELECT COUNT(*) FROM outbox") == 0 })
}

// restocked repeats a change of the phones' stock until it is answered.
func (s *story) restocked(key string, add int64) (done restocked) {
	s.t.Helper()
	s.await("the stock is changed by "+key, func() bool {
		status, answer, err := s.changeStock(0, s.sale.id, phone, key, add)
		done = answer
		return err == nil && status == http.StatusOK
	})
	return done
}

func (s *story) pauseAndResume() {
	s.insistOn(history.Question{Verb: history.Pause})
	s.insistOn(history.Question{Verb: history.Resume})
}

// loseScript makes Redis look as after a restart. Gateways are fenced, and the buckets are rebuilt. A buyer presses at
// once, so the gateway reports it before the controller's next check, except where the controller has to find it.
func (s *story) loseScript() {
	const epochs = "SELECT SUM(epoch) FROM buckets WHERE sale_id = 's'"
	before := s.count(epochs)
	s.outages = append(s.outages, check.Span{FromUS: time.Now().UnixMicro()})
	s.redis.primary.MustDo(s.t, "SCRIPT", "FLUSH")
	if s.at.Name != "controller.doubted-closed" {
		s.buy()
	}
	s.await("the buckets are rebuilt", func() bool {
		return s.count(epochs) > before && s.count("SELECT COUNT(*) FROM buckets WHERE sale_id = 's' AND state <> 'open'") == 0
	})
	if s.died == "" {
		s.mended()
	}
}

// quiet waits until nothing is in flight.
func (s *story) quiet() {
	for _, asked := range s.pressed {
		if asked.order != "" {
			s.within(healsWithin, func() bool { return s.count(rowStands, asked.order) == 1 }) // the judge names lost orders
		}
	}
	s.await("quiet", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox")+s.count("SELECT COUNT(*) FROM events") == 0 && s.journaled() == 0 &&
			s.count("SELECT COUNT(*) FROM buckets WHERE sale_id = 's' AND state <> 'open'") == 0
	})
}
