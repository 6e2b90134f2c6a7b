package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commanded runs a command that prints a sale.
func (s *stack) commanded(args ...string) (shown object) {
	s.t.Helper()
	require.NoError(s.t, json.Unmarshal([]byte(s.Succeed(args...)), &shown))
	return shown
}

// isDue ends the payment time of an order.
func (s *stack) isDue(o order) {
	s.t.Helper()
	_, err := s.DB().Exec("UPDATE orders SET pay_by = created_at, due_at = created_at WHERE order_id = ?", o.OrderID)
	require.NoError(s.t, err)
}

// extensions returns the ids of the events that an order was extended, sorted.
func (l *listener) extensions(id string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.latest {
		if strings.HasPrefix(name, id+":extended:") {
			found = append(found, name)
		}
	}
	return found
}

// A payment outage: the sale is frozen by the command, its orders do not expire while those of another sale do, the shop extends
// one, and after the thaw each has its time. Then payments stop again, and the engine freezes by itself.
func TestThePaymentProviderIsAway(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_EXPIRY_FREEZE_AFTER=1m"}}).run(1, 1)
	shop := s.listen()
	s.open("rush", lasting(phone(10)))
	s.open("other", lasting(phone(10)))
	first, second := s.confirmed("first"), s.confirmed("second")
	frozen := s.commanded("sale", "freeze", "rush", "-o", "json")
	require.NotNil(t, frozen["holds_frozen_since"])
	require.Equal(t, frozen, s.commanded("sale", "freeze", "rush", "-o", "json"), "again, the same")
	s.isDue(first)
	passed := s.becomes(s.taken(ask{sale: "other", buyer: "passed"}), "passed", "confirmed")
	s.isDue(passed)
	s.becomes(passed, "passed", "expired")
	s.becomes(first, "first", "confirmed")
	assert.EqualValues(t, 1, s.metric(`flashsale_holds_frozen{sale="rush"}`))

	later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	extended := s.shop("PUT", first.OrderID+"/pay_by", object{"pay_by": later.Format(time.RFC3339)}).json(s)
	assert.Equal(t, later.Format("2006-01-02T15:04:05.000Z"), extended["pay_by"])
	problem := s.refused(s.shop("PUT", first.OrderID+"/pay_by", object{"pay_by": "2020-01-01T00:00:00Z"}), 400, "malformed",
		"field", "errors")
	assert.Equal(t, "pay_by", problem["field"])

	thawed := s.commanded("sale", "thaw", "rush", "-o", "json")
	require.Nil(t, thawed["holds_frozen_since"])
	s.refused(s.operate("POST", "/admin/v1/sales/rush/holds/thaw", nil), 409, "not_frozen")
	moved := s.becomes(second, "second", "confirmed")
	assert.Greater(t, moved.PayBy, second.PayBy)
	s.soon("the shop hears of every move", func() bool {
		return len(shop.extensions(first.OrderID)) == 2 && len(shop.extensions(second.OrderID)) == 1
	})

	require.Equal(t, 200, s.pay(first.OrderID, "pay-1").status)
	_, err := s.DB().Exec("UPDATE payments_seen SET paid_ms = paid_ms - 3600000")
	require.NoError(t, err)
	_, err = s.DB().Exec("UPDATE thaws SET at_ms = at_ms - 3600000")
	require.NoError(t, err)
	s.isDue(second)
	s.soon("the engine freezes the sale", func() bool {
		return s.commanded("sale", "show", "rush", "-o", "json")["holds_frozen_since"] != nil
	})
	s.becomes(second, "second", "confirmed")
	s.audit("rush")
}

// metric returns a metric of the settling process, once it has been measured.
func (s *stack) metric(name string) (value float64) {
	s.t.Helper()
	s.soon("the metric "+name, func() bool {
		measured, there := s.metrics(s.Settles[0].Listen)[name]
		value = measured
		return there
	})
	return value
}
