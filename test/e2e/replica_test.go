package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const (
	replicaUsed  = "flashsale_replica_used"
	replicaLag   = "flashsale_replica_lag_seconds"
	readsPrimary = `flashsale_order_reads_total{server="primary"}`
	readsReplica = `flashsale_order_reads_total{server="replica"}`
)

// used waits until the gateway reads orders from the replica, or from the primary.
func (s *stack) used(replica float64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.metrics(s.Gateways[0].Operators)[replicaUsed] == replica }, 20*time.Second,
		10*time.Millisecond)
}

// counted returns how many queries each server has answered.
func (s *stack) counted() (primary, replica float64) {
	s.t.Helper()
	found := s.metrics(s.Gateways[0].Operators)
	return found[readsPrimary], found[readsReplica]
}

// looks reads an order, which has to have a status.
func (s *stack) looks(o order, buyer, status string) {
	s.t.Helper()
	answer := s.read("/v1/sales/rush/orders/"+o.OrderID, buyer)
	require.Equal(s.t, 200, answer.status, "%s", answer.body)
	require.Equal(s.t, status, answer.json(s)["status"], "%s", answer.body)
}

// TestOrdersAreReadFromAReplica: buyers' orders come from the replica while it follows. While it stands still, is away or has
// lost its primary's schema, they come from the primary, within the lag that the setting allows, and no order that a buyer was
// told of disappears or goes back.
func TestOrdersAreReadFromAReplica(t *testing.T) {
	primary, replica := harness.MariaDBPair(t)
	name := fmt.Sprintf("replica-%x", time.Now().UnixMilli())
	dsn := primary.DSN(name)
	s := newStack(t, servers{Name: name, MariaDB: primary, Env: []string{
		"FLASHSALE_MYSQL_READ_DSN=" + replica.At(dsn, primary),
	}}).run(1, 2)
	s.open("rush", lasting(phone(100)))
	ann := s.taken(ask{buyer: "ann"})
	s.waited(ann.OrderID, "ann")
	s.used(1)
	s.fromReplica(ann, "ann", "confirmed")
	assert.Less(t, s.metrics(s.Gateways[0].Operators)[replicaLag], 0.5)
	assert.Regexp(t, "ok .*read_answers, read_server, read_rights, read_follows, read_writable", s.Command("doctor").Stdout)

	replica.Exec(t, "STOP SLAVE")
	stopped := time.Now()
	bob := s.taken(ask{buyer: "bob"}) // the replica never sees this order
	s.waited(bob.OrderID, "bob")
	require.Equal(t, 200, s.pay(ann.OrderID, "p").status)
	for time.Since(stopped) < 700*time.Millisecond {
		s.looks(bob, "bob", "confirmed")
	}
	s.looks(ann, "ann", "paid")
	s.used(0)
	assert.Greater(t, s.metrics(s.Gateways[0].Operators)[replicaLag], 0.5)
	replica.Exec(t, "START SLAVE")
	s.used(1)
	s.looks(ann, "ann", "paid")
	s.fromReplica(bob, "bob", "confirmed")

	replica.Kill()
	for range 5 {
		s.looks(bob, "bob", "confirmed")
	}
	s.used(0)
	assert.Equal(t, 200, s.request("GET", "http://"+s.Gateways[0].Buyers+"/readyz", nil).status, "a sale needs no replica")
	s.sells(0, "carl")
	replica.Start()
	s.used(1)
	s.audit("rush")
}

// fromReplica waits until an order of a buyer is read from the replica.
func (s *stack) fromReplica(o order, buyer, status string) {
	s.t.Helper()
	_, before := s.counted()
	require.Eventually(s.t, func() bool {
		s.looks(o, buyer, status)
		_, now := s.counted()
		return now > before && s.byReplicaAlone(o, buyer, status)
	}, 20*time.Second, 50*time.Millisecond)
}

// byReplicaAlone reports whether one more look does not reach the primary.
func (s *stack) byReplicaAlone(o order, buyer, status string) bool {
	s.t.Helper()
	before, _ := s.counted()
	s.looks(o, buyer, status)
	after, _ := s.counted()
	return after == before
}
