package crash

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

const (
	stock     = 12
	buckets   = 2
	perBuyer  = 2
	rounds    = 5 // in each of which every point of a sale is passed, most of them more than once
	definings = 4 // how often the sale is defined and preloaded before it opens: three lists come after the first
	listed    = 240
	standing  = "SELECT COUNT(*) FROM orders WHERE sale_id = 's' AND status <> 'refused' AND order_id = ?"
)

// story is one sale on its way to the crash point and then to its end.
type story struct {
	*world
	point string
	times int
	home  int    // the bucket of those who press in this round
	next  [2]int // number of the next new buyer of each bucket
	said  []said
	own   []said // orders that nobody has paid or given back
}

// runCase runs one sale until a process has died at the point, and then to its end.
func runCase(t *testing.T, bin string, point Point, times int) {
	s := &story{world: newWorld(t, bin, point, times), point: point.Name, times: times}
	s.begin()
	s.open()
	for round := 0; round < rounds && s.died == ""; round++ {
		s.home = round % buckets
		s.sellOut()
		s.repeat()
		s.giveBack()
		s.pause()
		s.special()
		s.loseScript()
		s.mend()
	}
	require.NotEmpty(t, s.died, "%s (%s) was not passed %d times", point.Name, point.Place, times)
	s.ready()
	s.sellOut()
	s.quiet()
	require.Empty(t, judge(s.books()), "after %s died at %s", s.died, point.Name)
	audited := s.insist(2, nil, "audit", "s", "--wait", "30s") // 1 would be a breach
	require.Zero(t, audited.Code, "%s\n%s", audited.Stdout, audited.Stderr)
	t.Logf("%s died at %s", s.died, point.Place)
}

func (s *story) open() {
	var names strings.Builder
	for i := range listed {
		fmt.Fprintln(&names, buyerName(i))
	}
	when := func(after time.Duration) string { return time.Now().Add(after).UTC().Format(sale.TimeLayout) }
	definition := fmt.Sprintf(`{"name":"s","starts_at":%q,"ends_at":%q,"currency":"CNY","per_buyer_limit":%d,"payment_ttl_s":600,
		"eligibility":"list","items":[{"sku":"phone","stock":%d,"price_cents":100,"buckets":%d}]}`,
		when(-time.Minute), when(time.Hour), perBuyer, stock, buckets)
	for range definings {
		s.operate("PUT", "/admin/v1/rules", `{"buyer":null}`)
		s.operate("PUT", "/admin/v1/sales/s", definition)
		s.operate("PUT", "/admin/v1/sales/s/buyers", names.String())
		s.operate("POST", "/admin/v1/sales/s/preload", "")
	}
	s.operate("POST", "/admin/v1/sales/s/open", "")
}

func buyerName(i int) string { return "b" + strconv.Itoa(i) }

// newBuyer returns one who has not pressed yet, of this round's bucket.
func (s *story) newBuyer() string {
	s.t.Helper()
	for next := &s.next[s.home]; *next < listed; {
		name := buyerName(*next)
		*next++
		if sale.HomeBucket(name, buckets) == s.home {
			return name
		}
	}
	require.Fail(s.t, "there are no more buyers")
	return ""
}

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
	s.said = append(s.said, heard)
	return heard
}

// buy lets a new buyer press once, and reports whether he got an order.
func (s *story) buy() bool {
	heard := s.press(s.newBuyer(), "k")
	if heard.Order != "" {
		s.own = append(s.own, heard)
	}
	return heard.Order != ""
}

// sellOut lets new buyers press until one hears that nothing is left. All are of one bucket, so units have to be moved.
func (s *story) sellOut() {
	for s.buy() {
	}
}

// repeat presses again with a key that has an order: it gets the same one.
func (s *story) repeat() {
	if len(s.own) > 0 {
		s.press(s.own[0].Buyer, s.own[0].Key)
	}
}

// giveBack cancels, pays and lets expire, once each has its row, until the units can be bought again.
func (s *story) giveBack() {
	require.GreaterOrEqual(s.t, len(s.own), 4)
	cancelled, paid, taken, unpaid := s.own[0], s.own[1], s.own[2], s.own[3]
	for _, o := range s.own[:4] {
		s.until("a row of order "+o.Order, func() bool { return s.count(standing, o.Order) == 1 })
	}
	s.own = s.own[4:]
	s.until("the buyer cancels", func() bool {
		path := s.buyers + "/v1/sales/s/items/phone/orders/" + cancelled.Order
		return s.ask("DELETE", path, tokenOf(cancelled.Buyer), "", "").status == http.StatusOK
	})
	s.operate("PUT", "/admin/v1/orders/"+paid.Order+"/payment", `{"payment_id":"p`+paid.Order+`"}`)
	if s.point == "release.loss-reported" {
		s.redis.MustDo(s.t, "DEL", s.key(s.count("SELECT bucket FROM orders WHERE order_id = ?", taken.Order), "buyers"))
	}
	s.operate("DELETE", "/admin/v1/orders/"+taken.Order, "")
	_, err := s.db.Exec("UPDATE orders SET pay_by = '2020-01-01', due_at = '2020-01-01' WHERE order_id = ?", unpaid.Order)
	require.NoError(s.t, err)
	s.until("the units are back", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox") == 0 && s.count("SELECT COUNT(*) FROM orders WHERE due_at < '2021-01-01'") == 0 &&
			s.count("SELECT COUNT(*) FROM stock WHERE state <> 'open'") == 0
	})
	s.until("the latch is open", func() bool {
		items, _ := s.ask("GET", s.buyers+"/v1/sales/s", tokenOf(cancelled.Buyer), "", "").body["items"].([]any)
		return len(items) == 1 && items[0].(map[string]any)["sold_out"] == false
	})
}

func (s *story) pause() {
	s.operate("POST", "/admin/v1/sales/s/pause", "")
	s.operate("POST", "/admin/v1/sales/s/resume", "")
}

// loseScript makes Redis look as after a restart. Gateways are fenced, and the buckets are rebuilt. Somebody presses at
// once, so the gateway reports it before the keeper has looked, except where it is the keeper who has to notice.
func (s *story) loseScript() {
	const epochs = "SELECT SUM(epoch) FROM stock"
	before := s.count(epochs)
	s.redis.MustDo(s.t, "SCRIPT", "FLUSH")
	if s.point != "keeper.doubted-closed" {
		s.buy()
	}
	s.until("the buckets are rebuilt", func() bool {
		return s.count(epochs) > before && s.count("SELECT COUNT(*) FROM stock WHERE state <> 'open'") == 0
	})
}

// quiet waits until nothing is on its way any more.
func (s *story) quiet() {
	for _, heard := range s.said {
		if heard.Order != "" {
			s.within(patience, func() bool { return s.count(standing, heard.Order) == 1 }) // the judge says who is lost
		}
	}
	s.until("quiet", func() bool {
		return s.count("SELECT COUNT(*) FROM outbox")+s.count("SELECT COUNT(*) FROM events") == 0 && s.journaled() == 0 &&
			s.count("SELECT COUNT(*) FROM stock WHERE state <> 'open'") == 0
	})
}
