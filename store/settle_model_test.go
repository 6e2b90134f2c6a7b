package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// model is settlement as the protocol states it, one order after the other over plain maps. It shares no code with the
// store.
type model struct {
	limit, loaded, settled, taken int
	epoch                         int64
	closed                        bool
	places                        map[[2]int64]map[sale.OrderID]bool
	orders                        map[sale.OrderID]sale.OrderReason // "" = confirmed
	bought                        map[string]int
}

func (m *model) settle(b *sale.Batch) {
	at := [2]int64{b.Epoch, b.Sequence}
	if m.places[at][b.BatchID] {
		return
	}
	disagreement := len(m.places[at]) > 0
	if m.places[at] == nil {
		m.places[at] = map[sale.OrderID]bool{}
	}
	m.places[at][b.BatchID] = true
	current := b.Epoch == m.epoch
	for _, o := range b.Orders {
		if _, there := m.orders[o.OrderID]; there {
			disagreement = true
		} else if !current {
			m.orders[o.OrderID] = sale.ReasonFenced
		} else if m.settled+o.Quantity > m.loaded {
			m.orders[o.OrderID], disagreement = sale.ReasonSoldOut, true
		} else if m.bought[o.Buyer]+o.Quantity > m.limit {
			m.orders[o.OrderID], disagreement = sale.ReasonOverLimit, true
		} else {
			m.orders[o.OrderID] = sale.ReasonNone
			m.bought[o.Buyer] += o.Quantity
			m.settled += o.Quantity
		}
		if current {
			m.taken += o.Quantity
		}
	}
	m.closed = m.closed || (current && disagreement)
}

func (m *model) rebuild() {
	m.epoch, m.taken, m.closed = m.epoch+1, 0, false
}

// Random deliveries, repeats, forks, late batches and rebuilds: the store and the model agree on every row and counter.
func TestSettlementAgreesWithModel(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		run := 0
		rapid.Check(t, func(r *rapid.T) {
			run++
			m := &model{
				limit: rapid.IntRange(1, 3).Draw(r, "limit"), loaded: rapid.IntRange(0, 12).Draw(r, "stock"), epoch: 1,
				places: map[[2]int64]map[sale.OrderID]bool{}, orders: map[sale.OrderID]sale.OrderReason{}, bought: map[string]int{},
			}
			id := fmt.Sprintf("run-%d", run)
			bucket := selling(t, s, draft(id, m.limit, item("phone", int64(m.loaded), 1)))[0].Bucket
			var sent []sale.Delivery
			for range rapid.IntRange(1, 8).Draw(r, "steps") {
				if rapid.IntRange(0, 5).Draw(r, "rebuild") == 0 {
					require.Len(r, reopened(t, s, []sale.BucketRow{books(t, s, bucket).BucketRow}), 1)
					m.rebuild()
				}
				deliveries := drawDeliveries(r, bucket, m.epoch, sent)
				sent = append(sent, deliveries...)
				_, err := s.Settle(t.Context(), deliveries)
				require.NoError(r, err)
				for _, d := range deliveries {
					m.settle(d.Record.Batch)
				}
				m.agree(r, t, s, bucket)
			}
		})
	})
}

// drawDeliveries draws one to three records: new ones, ones sent before, and new ones that reuse an order of an old one.
func drawDeliveries(r *rapid.T, bucket sale.Bucket, epoch int64, sent []sale.Delivery) []sale.Delivery {
	var drawn []sale.Delivery
	for range rapid.IntRange(1, 3).Draw(r, "records") {
		kind := rapid.IntRange(0, 4).Draw(r, "kind")
		if kind == 0 && len(sent) > 0 {
			drawn = append(drawn, rapid.SampledFrom(sent).Draw(r, "repeat"))
			continue
		}
		var orders []sale.RecordOrder
		for range rapid.IntRange(1, 4).Draw(r, "orders") {
			buyer := rapid.SampledFrom([]string{"ann", "Ann", "bob", "cat"}).Draw(r, "buyer")
			orders = append(orders, one(buyer, rapid.IntRange(1, 2).Draw(r, "quantity")))
		}
		if kind == 1 && len(sent) > 0 {
			old := rapid.SampledFrom(sent).Draw(r, "old").Record.Batch.Orders
			orders = append(orders, rapid.SampledFrom(old).Draw(r, "reused"))
		}
		in := epoch - int64(rapid.IntRange(0, 4).Draw(r, "age")/4) // sometimes late
		drawn = append(drawn, batch(bucket, in, rapid.Int64Range(1, 6).Draw(r, "sequence"), orders...))
	}
	return drawn
}

func (m *model) agree(r *rapid.T, t *testing.T, s *Store, bucket sale.Bucket) {
	b := books(t, s, bucket)
	require.EqualValues(r, m.settled, b.Settled, "settled")
	require.EqualValues(r, m.taken, b.SettledEpoch, "settled in the epoch")
	require.Equal(r, m.epoch, b.Epoch)
	require.Equal(r, m.closed, b.State == sale.BucketClosed, "closed")
	ids := make([]sale.OrderID, 0, len(m.orders))
	for id := range m.orders {
		ids = append(ids, id)
	}
	rows, err := s.Orders(t.Context(), ids)
	require.NoError(r, err)
	require.Len(r, rows, len(ids))
	for _, row := range rows {
		reason := m.orders[row.OrderID]
		require.Equal(r, reason, row.Reason, "order %d", row.OrderID)
		require.Equal(r, reason != sale.ReasonNone, row.Status == sale.StatusRefused)
	}
}
