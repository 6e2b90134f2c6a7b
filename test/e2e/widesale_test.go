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
	wideSKUs      = 10_000
	wideBuckets   = 2
	relayDeadline = 2 * time.Second // the setting's default
	relaySpare    = time.Second
	pauseWithin   = 5 * time.Second
)

// wide defines a sale of as many SKUs as a sale may have.
func wide() definition {
	d := lasting()
	d.PerBuyerLimit, d.Buckets = 5, wideBuckets
	for n := range wideSKUs {
		d.Items = append(d.Items, stockItem{SKU: fmt.Sprintf("sku-%d", n), Stock: 20, PriceCents: 1})
	}
	return d
}

// journalLength counts the entries in the journals of a sale.
func (s *stack) journalLength(redis *harness.RedisServer, saleID string, buckets int) (entries int64) {
	s.t.Helper()
	for bucket := range buckets {
		length, _ := redis.MustDo(s.t, "XLEN", fmt.Sprintf("%s:{%s:%d}:journal", s.Name, saleID, bucket)).(int64)
		entries += length
	}
	return entries
}

// TestSaleOfTenThousandSKUs: what holds for a sale of one SKU holds in time for one of 10,000: the relay publishes what a
// dead gateway left in the journal, and the engine pauses the sale when units of one SKU are credited to another.
func TestSaleOfTenThousandSKUs(t *testing.T) {
	redis, kafka := harness.Redis(t), harness.Kafka(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka,
		Env: []string{"FLASHSALE_GATEWAY_ACK_TIMEOUT=50ms"}}).run(2, 1)
	s.open("wide", wide())
	for g := range s.Gateways {
		s.taken(ask{gateway: g, sale: "wide", sku: "sku-0", buyer: fmt.Sprint("warm-", g)})
	}
	s.audit("wide")
	leftInTheJournal(s, redis)
	creditedToAnother(s, redis)
}

// leftInTheJournal kills a gateway whose orders are in the journal of each bucket and not in Kafka.
func leftInTheJournal(s *stack, redis *harness.RedisServer) {
	s.t.Helper()
	unfenced := s.watchFences("wide")
	require.Eventually(s.t, func() bool { return s.journalLength(redis, "wide", wideBuckets) == 0 }, 10*time.Second,
		10*time.Millisecond, "the journal is trimmed")
	s.Kafka.Pause()
	var held []order
	for n := range 4 {
		o := s.ordered(s.buy(ask{gateway: 1, sale: "wide", buyer: fmt.Sprint("held-", n),
			lines: cart(fmt.Sprint("sku-", n), 1, fmt.Sprint("sku-", wideSKUs-1-n), 2)}), 202)
		require.Equal(s.t, "held", o.Status)
		held = append(held, o)
	}
	taken := time.Now()
	s.Gateways[1].Kill()
	require.EqualValues(s.t, 4, s.journalLength(redis, "wide", wideBuckets))
	s.Kafka.Continue()
	require.Eventually(s.t, func() bool { return s.journalLength(redis, "wide", wideBuckets) == 0 }, 20*time.Second,
		10*time.Millisecond, "the relay publishes and trims the entries of the dead gateway")
	took := time.Since(taken)
	s.t.Logf("what the dead gateway left was published %s after the last of it was taken", took.Round(time.Millisecond))
	assert.Less(s.t, took, relayDeadline+relaySpare)
	for n, o := range held {
		now := s.becomes(o, fmt.Sprint("held-", n), "confirmed")
		assert.Equal(s.t, o.Lines, now.Lines)
	}
	s.Gateways[1].Restart()
	s.Gateways[1].Ready()
	s.audit("wide")
	unfenced()
}

// creditedToAnother moves a unit of one SKU to another by hand, so that the sale has as many units as before.
func creditedToAnother(s *stack, redis *harness.RedisServer) {
	s.t.Helper()
	s.moveUnits(redis, "wide", 1, "sku-7001", -1)
	s.moveUnits(redis, "wide", 1, "sku-7002", 1)
	moved := time.Now()
	db := s.DB()
	require.Eventually(s.t, func() bool { // in the database, because an answer with 10,000 SKUs costs time by itself
		var state string
		return db.QueryRow("SELECT state FROM sales WHERE sale_id = 'wide'").Scan(&state) == nil && state == "paused"
	}, 20*time.Second, 20*time.Millisecond)
	took := time.Since(moved)
	reason := s.pausedByEngine("wide")
	s.t.Logf("paused after %s: %s", took.Round(time.Millisecond), reason)
	assert.Less(s.t, took, pauseWithin)
	assert.Contains(s.t, reason, "SKU sku-700")
	assert.Contains(s.t, reason, "1 units: loaded 20")
	s.eventuallyState(s.Gateways[0], "wide", "paused")
	s.refused(s.buy(ask{sale: "wide", sku: "sku-1", buyer: "late"}), 503, "paused")
	s.reload("wide")
	s.eventuallyTaken(ask{sale: "wide", buyer: "late", lines: cart("sku-7001", 1, "sku-7002", 1)})
	s.audit("wide")
}
