package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// shown reads an order as the shop does.
func (s *stack) shown(id string) object {
	s.t.Helper()
	r := s.shop("GET", id, nil)
	require.Equal(s.t, 200, r.status, "%s", r.body)
	return r.json(s)
}

// noOrder is an id of the same node and about the same time that no order has: the low digits count the orders of a millisecond.
func noOrder(o order) string {
	id, last := o.OrderID[:len(o.OrderID)-3], "999"
	if strings.HasSuffix(o.OrderID, last) {
		last = "998"
	}
	return id + last
}

// remembered pays for an order that has no row yet.
func (s *stack) remembered(id, payment string) {
	s.t.Helper()
	r := s.pay(id, payment)
	assert.Equal(s.t, true, s.refused(r, 409, "not_confirmed", "remembered")["remembered"], "%s", r.body)
	s.retryWithin(r, 1, 3)
}

// TestPaidBeforeTheRow: while Kafka or settlement is unavailable, the shop can read and pay a new order at any gateway. The
// payment is remembered and applied; an unpaid order has its time to pay from its row on; the events are in order.
func TestPaidBeforeTheRow(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka}).run(2, 1)
	events := s.listen()
	rules, ttl := lasting(phone(10)), 30
	rules.PaymentTTL = &ttl
	s.open("rush", rules)
	s.confirmed("warm")

	kafka.Pause()
	held := s.ordered(s.buy(ask{gateway: 1, buyer: "early"}), 202)
	require.Equal(t, "held", held.Status)
	assert.Equal(t, "held", s.shown(held.OrderID)["status"])
	s.remembered(held.OrderID, "pay-early")
	s.refused(s.shop("GET", noOrder(held), nil), 503, "unavailable") // Kafka cannot be asked for it
	kafka.Continue()
	s.becomes(held, "early", "paid")

	require.Zero(t, s.Settles[0].Term())
	queued := s.becomes(s.ordered(s.buy(ask{gateway: 1, buyer: "winner"}), 202), "winner", "queued")
	unpaid := s.becomes(s.ordered(s.buy(ask{gateway: 1, buyer: "sleeper"}), 202), "sleeper", "queued")
	got := s.shown(queued.OrderID)
	for name, value := range map[string]any{
		"status": "queued", "order_id": queued.OrderID, "sale": "rush", "sku": "phone", "quantity": 1.0, "buyer_id": "winner",
		"unit_price_cents": float64(queued.UnitPriceCents), "created_at": queued.CreatedAt, "pay_by": queued.PayBy,
	} {
		assert.Equal(t, value, got[name], name)
	}
	s.remembered(queued.OrderID, "pay-winner")
	s.remembered(queued.OrderID, "pay-winner")
	second := s.refused(s.pay(queued.OrderID, "pay-other"), 409, "not_confirmed", "remembered")
	assert.Equal(t, false, second["remembered"])
	s.refused(s.cancel(queued, "winner"), 409, "not_confirmed")
	s.refused(s.pay(noOrder(queued), "pay-nobody"), 404, "order_not_found")
	s.Settles[0].Restart()
	s.Settles[0].Ready()
	assert.Equal(t, "paid", s.becomes(queued, "winner", "paid").Status)
	assert.Equal(t, 200, s.pay(queued.OrderID, "pay-winner").status, "the shop's repeat")
	assert.Equal(t, "pay-winner", s.refused(s.pay(queued.OrderID, "pay-other"), 409, "already_paid", "payment_id")["payment_id"])
	late := s.becomes(unpaid, "sleeper", "confirmed")
	assert.GreaterOrEqual(t, parseTime(t, late.PayBy).Sub(parseTime(t, late.UpdatedAt)), time.Duration(ttl)*time.Second)
	require.Eventually(t, func() bool { return len(events.statuses(queued.OrderID)) == 2 }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, []string{"confirmed", "paid"}, events.statuses(queued.OrderID))
	assert.Equal(t, []string{"confirmed", "paid"}, events.statuses(held.OrderID))
	s.audit("rush")
}

// TestAuditWithDeadLetters: an order in the dead letters is in flight by both readings, its payment is remembered, and the
// replay applies the payment.
func TestAuditWithDeadLetters(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	s.confirmed("good")
	s.exec(s.DB(), "ALTER TABLE orders ADD CONSTRAINT no_poison CHECK (buyer_id <> 'poison')")
	poisoned := s.taken(ask{buyer: "poison"})
	var id string
	require.Eventually(t, func() bool {
		for _, l := range s.letters() {
			id = l.ID
		}
		return id != ""
	}, 20*time.Second, 200*time.Millisecond)
	printed := s.Succeed("audit", "rush")
	assert.Contains(t, strings.Join(strings.Fields(printed), " "), "rush phone 10 8 1 1 0 0 yes",
		"loaded, available, in flight, settled")
	assert.NotContains(t, printed, "violated")
	assert.Equal(t, "dead_letter", s.shown(poisoned.OrderID)["reason"])
	s.remembered(poisoned.OrderID, "pay-poison")
	s.exec(s.DB(), "ALTER TABLE orders DROP CONSTRAINT no_poison")
	s.Succeed("deadletter", "replay", id)
	s.becomes(poisoned, "poison", "paid")
	s.audit("rush")
}
