package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pay reports a payment to the engine, as the shop does.
func (s *stack) pay(id, payment string) reply {
	s.t.Helper()
	return s.shop("PUT", id+"/payment", object{"payment_id": payment})
}

// shop sends a request about an order with the shop's token.
func (s *stack) shop(method, order string, body any) reply {
	s.t.Helper()
	return s.request(method, "http://"+s.Gateways[0].Operators+"/admin/v1/orders/"+order, body, "Authorization",
		"Bearer "+shopToken)
}

// cancel ends an order as its buyer does.
func (s *stack) cancel(o order, buyer string) reply {
	s.t.Helper()
	return s.request("DELETE", s.urlOf(o), nil, "Authorization", "Bearer "+token(buyer))
}

func (s *stack) urlOf(o order) string {
	return "http://" + s.Gateways[0].Buyers + ask{sale: o.Sale, sku: o.SKU, ofSale: o.SKU == ""}.path() + "/" + o.OrderID
}

// becomes waits until an order has a status.
func (s *stack) becomes(o order, buyer, status string) order {
	s.t.Helper()
	var now order
	require.Eventually(s.t, func() bool {
		now = s.ordered(s.request("GET", s.urlOf(o)+"?wait=1s", nil, "Authorization", "Bearer "+token(buyer)), 200)
		return now.Status == status
	}, 20*time.Second, 20*time.Millisecond, "order %s does not become %s", o.OrderID, status)
	return now
}

// confirmed buys, and waits for the row.
func (s *stack) confirmed(buyer string) order {
	s.t.Helper()
	return s.becomes(s.taken(ask{buyer: buyer}), buyer, "confirmed")
}

// TestPaymentsAndCancellations: what the contract answers to a payment and a cancellation, at every moment of an order's
// life and with every kind of bad input.
func TestPaymentsAndCancellations(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	for _, part := range []struct {
		name string
		test func(*stack)
	}{
		{"before confirmed", beforeConfirmed},
		{"cancelled", cancelled},
		{"paid", paid},
		{"expired", expired},
		{"bad payments", badPayments},
		{"paused", whilePaused},
	} {
		t.Run(part.name, func(t *testing.T) {
			one := *s
			one.t = t
			part.test(&one)
		})
	}
	s.audit()
}

// beforeConfirmed: Kafka has the order, the database does not.
func beforeConfirmed(s *stack) {
	s.Settles[0].Pause()
	o := s.taken(ask{buyer: "early"})
	for _, r := range []reply{s.cancel(o, "early"), s.shop("DELETE", o.OrderID, nil)} {
		s.refused(r, 409, "not_confirmed")
		s.retryWithin(r, 1, 3)
	}
	s.remembered(o.OrderID, "pay-early")
	s.Settles[0].Continue()
	s.becomes(o, "early", "paid")
}

func cancelled(s *stack) {
	o := s.confirmed("fickle")
	s.refused(s.cancel(o, "other"), 404, "order_not_found")
	s.refused(s.request("DELETE", s.urlOf(o), nil), 401, "unauthenticated")
	first := s.cancel(o, "fickle")
	got := s.ordered(first, 200)
	assert.Equal(s.t, "cancelled", got.Status)
	assert.Equal(s.t, "buyer", got.Reason)
	assert.GreaterOrEqual(s.t, got.UpdatedAt, o.UpdatedAt)
	assert.Equal(s.t, string(first.body), string(s.cancel(o, "fickle").body), "again, the same")
	by := s.shop("DELETE", o.OrderID, nil).json(s)
	assert.Equal(s.t, "buyer", by["reason"], "the first cancellation decides")
	refused := s.refused(s.pay(o.OrderID, "pay-late"), 409, "wrong_status", "order_status")
	assert.Equal(s.t, "cancelled", refused["order_status"])
	require.Eventually(s.t, func() bool { return s.buy(ask{buyer: "fickle"}).status == 202 }, 10*time.Second, 20*time.Millisecond,
		"the share of the limit returns with the unit")

	by = s.shop("DELETE", s.confirmed("unlucky").OrderID, nil).json(s)
	assert.Equal(s.t, "cancelled", by["status"])
	assert.Equal(s.t, "shop", by["reason"])
	assert.Equal(s.t, "unlucky", by["buyer_id"])
}

func paid(s *stack) {
	o := s.confirmed("payer")
	first := s.pay(o.OrderID, "pay:1|a+b@c-d_e.f")
	require.Equal(s.t, 200, first.status, "%s", first.body)
	got := first.json(s)
	assert.Equal(s.t, "paid", got["status"])
	assert.Equal(s.t, "pay:1|a+b@c-d_e.f", got["payment_id"])
	assert.Equal(s.t, string(first.body), string(s.pay(o.OrderID, "pay:1|a+b@c-d_e.f").body), "again, the same")
	second := s.refused(s.pay(o.OrderID, "pay-2"), 409, "already_paid", "payment_id")
	assert.Equal(s.t, "pay:1|a+b@c-d_e.f", second["payment_id"])
	for _, r := range []reply{s.cancel(o, "payer"), s.shop("DELETE", o.OrderID, nil)} {
		assert.Equal(s.t, "paid", s.refused(r, 409, "wrong_status", "order_status")["order_status"])
	}
	assert.Equal(s.t, "paid", s.becomes(o, "payer", "paid").Status)
}

// expired: the time to pay is over, here because the test moves it.
func expired(s *stack) {
	o := s.confirmed("slow")
	_, err := s.DB().Exec("UPDATE orders SET pay_by = created_at, due_at = created_at WHERE order_id = ?", o.OrderID)
	require.NoError(s.t, err)
	s.becomes(o, "slow", "expired")
	for _, r := range []reply{s.pay(o.OrderID, "pay-late"), s.cancel(o, "slow"), s.shop("DELETE", o.OrderID, nil)} {
		assert.Equal(s.t, "expired", s.refused(r, 409, "wrong_status", "order_status")["order_status"])
	}
	require.Eventually(s.t, func() bool { return s.buy(ask{buyer: "slow"}).status == 202 }, 10*time.Second, 20*time.Millisecond)
}

func badPayments(s *stack) {
	o := s.confirmed("honest")
	for _, payment := range []string{"", " ", "a b", "a\nb", "ä", `"`, "a/b", strings.Repeat("p", 65),
		strings.Repeat("p", 70_000)} {
		problem := s.refused(s.pay(o.OrderID, payment), 400, "malformed", "field", "errors")
		assert.Equal(s.t, "payment_id", problem["field"], "%.80q", payment)
	}
	for _, body := range []any{object{}, object{"payment_id": nil}, object{"payment_id": 7},
		`{"payment_id":"a","payment_id":"b"}`} {
		problem := s.refused(s.shop("PUT", o.OrderID+"/payment", body), 400, "malformed", "field", "errors")
		assert.Equal(s.t, "payment_id", problem["field"])
	}
	for _, id := range []string{"1", "0", "none", "-" + o.OrderID, "0" + o.OrderID, o.OrderID + "9", "9223372036854775808"} {
		s.refused(s.pay(id, "pay-1"), 404, "order_not_found")
		s.refused(s.shop("DELETE", id, nil), 404, "order_not_found")
	}
	url := "http://" + s.Gateways[0].Operators + "/admin/v1/orders/" + o.OrderID + "/payment"
	for _, bearer := range []string{"", "Bearer wrong-token-0123456789", "Bearer " + token("honest")} {
		s.refused(s.request("PUT", url, object{"payment_id": "p"}, "Authorization", bearer), 401, "unauthenticated")
	}
	assert.Equal(s.t, "confirmed", s.becomes(o, "honest", "confirmed").Status)
	assert.Equal(s.t, 200, s.pay(o.OrderID, strings.Repeat("p", 64)).status)
}

// whilePaused: paying and cancelling work in every state of the sale.
func whilePaused(s *stack) {
	one, two := s.confirmed("pauser"), s.confirmed("closer")
	s.move("rush", "pause")
	assert.Equal(s.t, 200, s.cancel(one, "pauser").status)
	s.move("rush", "close")
	assert.Equal(s.t, 200, s.pay(two.OrderID, "pay-closed").status)
}

// TestOrdersAreCountedFromZero: both processes have the series of a sale before its first order, so that the increase of a
// counter shows the first payment.
func TestOrdersAreCountedFromZero(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	for _, address := range []string{s.Gateways[0].Operators, s.Settles[0].Listen} {
		require.Eventually(t, func() bool {
			n, there := s.metrics(address)[`flashsale_orders_total{sale="rush",status="paid"}`]
			return there && n == 0
		}, 20*time.Second, 20*time.Millisecond, address)
	}
}
