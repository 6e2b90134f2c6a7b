package e2e

import (
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// soldOutEverywhere presses at every gateway until all of them refuse strangers as sold out, which latches them.
func (s *stack) soldOutEverywhere(buyer string) {
	s.t.Helper()
	for i := range s.Gateways {
		require.Eventually(s.t, func() bool {
			return s.buy(ask{gateway: i, buyer: buyer}).status == 409 && s.shownSoldOut(i)
		}, 10*time.Second, 20*time.Millisecond, "gateway %d", i)
	}
}

// shownSoldOut reports whether a gateway's sale view shows the phone as sold out.
func (s *stack) shownSoldOut(gateway int) bool {
	s.t.Helper()
	view := s.request("GET", "http://"+s.Gateways[gateway].Buyers+"/v1/sales/rush", nil).json(s)
	item, _ := view["items"].([]any)[0].(object)
	soldOut, _ := item["sold_out"].(bool)
	return soldOut
}

// soon waits until a condition holds that takes a moment.
func (s *stack) soon(what string, holds func() bool) {
	s.t.Helper()
	require.Eventually(s.t, holds, 10*time.Second, 20*time.Millisecond, what)
}

// withinASecond waits until a condition holds, and fails when that took longer than the contract allows.
func (s *stack) withinASecond(since time.Time, what string, holds func() bool) {
	s.t.Helper()
	require.Eventually(s.t, holds, 20*time.Second, 10*time.Millisecond, what)
	assert.Less(s.t, time.Since(since), time.Second, what)
}

// TestReleasedUnitsAreSoldAgain: what buyers and the shop give back opens the sold-out latch of every gateway within a
// second, is sold again, and keeps the stock equation, time and again.
func TestReleasedUnitsAreSoldAgain(t *testing.T) {
	s := newStack(t, servers{}).run(2, 2)
	s.open("rush", lasting(phone(2)))
	owned := map[string]order{}
	for _, buyer := range []string{"one", "two"} {
		owned[buyer] = s.confirmed(buyer)
	}
	for turn := range 4 {
		s.soldOutEverywhere("stranger-" + strconv.Itoa(turn))
		since := time.Now()
		for buyer, o := range owned {
			if turn%2 == 0 {
				require.Equal(t, 200, s.cancel(o, buyer).status)
			} else {
				require.Equal(t, 200, s.shop("DELETE", o.OrderID, nil).status)
			}
			delete(owned, buyer)
		}
		for i := range s.Gateways {
			s.withinASecond(since, "the latch of a gateway opens", func() bool { return !s.shownSoldOut(i) })
		}
		for i := range s.Gateways {
			buyer := fmt.Sprintf("next-%d-%d", turn, i)
			var bought reply
			s.withinASecond(since, "the unit is sold again", func() bool {
				bought = s.buy(ask{gateway: i, buyer: buyer})
				return bought.status == 202
			})
			owned[buyer] = s.becomes(s.ordered(bought, 202), buyer, "confirmed")
		}
	}
	s.audit("rush")
	b := s.orderRows("rush")
	require.Len(t, b.rows, 10, "two units, sold five times")
	byStatus := map[string]int{}
	for _, r := range b.rows {
		byStatus[r.status]++
	}
	require.Equal(t, map[string]int{"confirmed": 2, "cancelled": 8}, byStatus)
	item := s.operate("GET", "/admin/v1/sales/rush/audit", nil).json(s)["items"].([]any)[0].(object)
	for word, units := range map[string]float64{"loaded": 2, "available": 0, "in_flight": 0, "settled": 10, "released": 8,
		"difference": 0} {
		assert.InDelta(t, units, item[word], 0, word)
	}
}

// A buyer who has reached the limit may buy again what was given back, and no more; the key of the order that was given
// back still answers it.
func TestAllowanceComesBackOnce(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	rules := lasting(phone(10))
	rules.PerBuyerLimit = 3
	s.open("rush", rules)
	first := s.becomes(s.taken(ask{buyer: "much", key: "a", body: `{"quantity":2}`}), "much", "confirmed")
	s.becomes(s.taken(ask{buyer: "much"}), "much", "confirmed")
	s.refused(s.buy(ask{buyer: "much"}), 409, "already_bought", boughtMembers...)
	for range 3 {
		require.Equal(t, 200, s.cancel(first, "much").status, "cancelled twice gives back once")
	}
	require.Eventually(t, func() bool {
		return s.buy(ask{buyer: "much", body: `{"quantity":2}`}).status == 202
	}, 10*time.Second, 20*time.Millisecond)
	s.refused(s.buy(ask{buyer: "much"}), 409, "already_bought", boughtMembers...)
	again := s.ordered(s.buy(ask{buyer: "much", key: "a", body: `{"quantity":2}`}), 200)
	assert.Equal(t, first.OrderID, again.OrderID)
	assert.Equal(t, "cancelled", again.Status)
	s.audit("rush")
}

const (
	unpaidOrders = 10_000
	payments     = 400
	payers       = 4
	payEvery     = 30 * time.Millisecond
)

// TestUnpaidOrdersExpire: many orders whose time to pay ends at one moment are given back in time, those that are paid at
// that moment end in one way each, and all units are sold again.
func TestUnpaidOrdersExpire(t *testing.T) {
	s := newStack(t, servers{}).run(2, 2)
	s.open("rush", lasting(phone(unpaidOrders)))
	own := s.payBySoon()
	c := newCrowd(s, "rush", unpaidOrders)
	list := c.presses(9, 0, []string{"phone"}, single)
	c.rush(list)
	s.audit("rush")
	db := s.DB()
	winners, losers := s.payWhileExpiring(db, c)
	s.audit("rush")
	counts := s.statuses(db, "rush")
	t.Log("paid in time:", winners, "too late:", losers, "rows:", counts)
	assert.Equal(t, winners, counts["paid"])
	assert.Equal(t, unpaidOrders-winners, counts["expired"])
	again := newCrowd(s, "rush", unpaidOrders)
	list = again.presses(10, 0, []string{"phone"}, single)
	for i := range list {
		list[i].Key = "" // a key would answer with the order that has expired
	}
	again.rush(list)
	s.audit("rush")
	counts = s.statuses(db, "rush")
	assert.Equal(t, unpaidOrders, counts["paid"]+counts["confirmed"], "every unit is sold again, to buyers who own none")
	s.expiresInTime(own)
}

// payWhileExpiring lets the time of all orders run out and pays some of them meanwhile. It returns how many payments were
// accepted and how many were too late.
func (s *stack) payWhileExpiring(db *sql.DB, c *crowd) (winners, losers int) {
	s.t.Helper()
	ops := c.purchases()
	var group sync.WaitGroup
	var mu sync.Mutex
	begin := time.Now()
	s.exec(db, "UPDATE orders SET due_at = created_at, pay_by = created_at WHERE sale_id = 'rush' AND status = 'confirmed'")
	due := time.Now()
	s.t.Log("the time of all orders was moved in", due.Sub(begin))
	for worker := range payers {
		group.Go(func() {
			for i := worker; i < payments; i += payers {
				<-time.After(payEvery) // so that the payments go along with the expiry, which takes the oldest first
				answered := s.pay(ops[i*unpaidOrders/payments].Order().Order, "pay-"+strconv.Itoa(i))
				mu.Lock()
				switch answered.status {
				case 200:
					winners++
				default:
					losers++
					assert.Equal(s.t, 409, answered.status, "%s", answered.body)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Eventually(s.t, func() bool { return s.statuses(db, "rush")["confirmed"] == 0 }, time.Minute, 50*time.Millisecond)
	s.t.Log("the last order expired after", time.Since(due))
	assert.Less(s.t, time.Since(due), expireWithin)
	return winners, losers
}

// statuses counts the rows of a sale by status.
func (s *stack) statuses(db *sql.DB, id string) map[string]int {
	s.t.Helper()
	rows, err := db.Query("SELECT status, COUNT(*) FROM orders WHERE sale_id = ? GROUP BY status", id)
	require.NoError(s.t, err)
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var status string
		var n int
		require.NoError(s.t, rows.Scan(&status, &n))
		counts[status] = n
	}
	require.NoError(s.t, rows.Err())
	return counts
}

// payBySoon sells an order of a sale with the shortest time to pay that there is.
func (s *stack) payBySoon() order {
	s.t.Helper()
	least := 30
	soon := lasting(phone(1))
	soon.PaymentTTL = &least
	s.open("soon", soon)
	bought := s.ordered(s.buy(ask{sale: "soon", buyer: "forgetful"}), 202)
	return s.becomes(bought, "forgetful", "confirmed")
}

// expiresInTime waits for the end of the order's time to pay, which must not have moved.
func (s *stack) expiresInTime(o order) {
	s.t.Helper()
	payBy, err := time.Parse(sale.TimeLayout, o.PayBy)
	require.NoError(s.t, err)
	var now order
	require.Eventually(s.t, func() bool {
		now = s.ordered(s.request("GET", s.urlOf(o), nil, "Authorization", "Bearer "+token("forgetful")), 200)
		return now.Status != "confirmed"
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(s.t, "expired", now.Status)
	assert.Empty(s.t, now.Reason)
	ended, err := time.Parse(sale.TimeLayout, now.UpdatedAt)
	require.NoError(s.t, err)
	assert.GreaterOrEqual(s.t, ended.Sub(payBy), time.Duration(0))
	assert.Less(s.t, ended.Sub(payBy), 2*time.Second)
	require.Eventually(s.t, func() bool { return s.buy(ask{sale: "soon", buyer: "quick"}).status == 202 }, 10*time.Second,
		20*time.Millisecond)
}
