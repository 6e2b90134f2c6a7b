package reserve

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// market is a world with a sale of several buckets.
type market struct {
	*world
	buckets []sale.Bucket
	skus    []string
}

// newMarket opens a sale of one SKU whose buckets have so many units, with a limit of 5 per buyer.
func newMarket(t testing.TB, units ...int64) *market {
	rows := make([][]int64, len(units))
	for number, n := range units {
		rows[number] = []int64{n}
	}
	return newMarketOf(t, []string{"hot"}, rows...)
}

// newMarketOf opens a sale whose buckets have so many units of each SKU.
func newMarketOf(t testing.TB, skus []string, units ...[]int64) *market {
	m := &market{world: newWorld(t, nil), skus: skus}
	m.buckets = m.StockAll(5, skus, units...)
	return m
}

// carry applies the outbox until the test ends.
func (m *market) carry() *market {
	m.applyOutbox()
	return m
}

// press buys some units of the first SKU as a buyer whose bucket has this number.
func (m *market) press(number int, buyer string, quantity int) sale.Answer {
	return m.basket(number, buyer, m.Line(m.skus[0], quantity))
}

// basket buys several SKUs.
func (m *market) basket(number int, buyer string, lines ...sale.Line) sale.Answer {
	p := m.Basket(m.buckets[number], buyer, lines...)
	p.Buckets = len(m.buckets)
	return m.engine.Reserve(p)
}

// insist is basket for an app that presses again while the engine does not know.
func (m *market) insist(number int, buyer string, lines ...sale.Line) sale.Answer {
	until := time.Now().Add(20 * time.Second)
	for {
		a := m.basket(number, buyer, lines...)
		if a.Outcome != sale.OutcomeOverloaded || time.Now().After(until) {
			return a
		}
	}
}

func (m *market) snapshot() *stockSnapshot {
	m.T.Helper()
	readings, err := m.Redis.StockReadings(context.Background(), m.buckets, m.skus)
	require.NoError(m.T, err)
	counters, err := m.DB.StockCounters(context.Background(), m.buckets, m.skus)
	require.NoError(m.T, err)
	s := newStockSnapshot(m.skus, readings)
	s.setCounters(counters)
	return s
}

// column returns what a reading has of the first SKU in each bucket.
func (m *market) column(of func(*sale.ShelfReading) int64) (units []int64) {
	m.T.Helper()
	for _, r := range m.snapshot().readings {
		units = append(units, of(&r.Shelves[0]))
	}
	return units
}

func availableUnits(r *sale.ShelfReading) int64 { return r.Available }
func movedUnits(r *sale.ShelfReading) int64     { return r.Moved }

// moving reports whether units of any SKU are on their way.
func (m *market) moving() bool {
	m.T.Helper()
	return slices.ContainsFunc(m.snapshot().judged, func(of judged) bool { return of.moving })
}

// left is the sum of the units of every SKU in all buckets.
func (m *market) left() (units int64) {
	m.T.Helper()
	for _, of := range m.snapshot().judged {
		units += of.total
	}
	return units
}

// soldOut asks about the first SKU.
func (m *market) soldOut() bool {
	m.T.Helper()
	found, err := m.engine.SoldOut(context.Background(), m.buckets, m.skus[0])
	require.NoError(m.T, err)
	return found
}

// balanced waits until no unit is on its way, and requires that every bucket has as many units as the database computes.
func (m *market) balanced() {
	m.T.Helper()
	fakes.Eventually(m.T, func() bool { return !m.moving() }, "units do not arrive")
	s := m.snapshot()
	for number := range m.buckets {
		for column, sku := range m.skus {
			c := s.counters[number].Shelves[column]
			require.Equal(m.T, c.Loaded-c.Settled+c.Released, s.available(number, column), "bucket %d, %s: %+v", number, sku, c)
		}
		fakes.Eventually(m.T, func() bool { return m.Reading(m.buckets[number]).JournalOrders == 0 }, "the journal is trimmed")
	}
}

// waiting is a purchase that its bucket has refused.
func (m *market) waiting(home int, lines ...sale.Line) *waitingPurchase {
	return &waitingPurchase{home: home, lines: lines, found: make(chan result, 1)}
}

// round makes one round for waiting purchases.
func (m *market) round(waiting ...*waitingPurchase) {
	m.T.Helper()
	p := m.Purchase(m.buckets[0], "any")
	p.Buckets = len(m.buckets)
	require.True(m.T, m.engine.gate.enter()) // as the waiting purchases have
	defer m.engine.gate.leave()
	require.NoError(m.T, m.engine.rebalancer(p).round(context.Background(), waiting))
}

// transfers returns the transfers that were published.
func (m *market) transfers() (all []*sale.Transfer) {
	m.T.Helper()
	for _, raw := range m.Kafka.Attempted() {
		record, err := sale.DecodeRecord(raw)
		require.NoError(m.T, err)
		if record.Transfer != nil {
			all = append(all, record.Transfer)
		}
	}
	return all
}
