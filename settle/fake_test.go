package settle

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// fakeDeadLetters is a dead-letter topic in memory.
type fakeDeadLetters struct {
	mu       sync.Mutex
	letters  []sale.DeadLetter
	failures int
}

func (g *fakeDeadLetters) publish(_ context.Context, letter *sale.DeadLetter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures > 0 {
		g.failures--
		return errAway
	}
	g.letters = append(g.letters, *letter)
	return nil
}

// newFakeSettling returns a settling on fakes.
func newFakeSettling(t testing.TB) (*settling, *database, *fakeDeadLetters) {
	t.Helper()
	l := newLag()
	p := newProgress(l)
	m, err := newMetrics(prometheus.NewRegistry(), l, p)
	require.NoError(t, err)
	store, dead := newDatabase(), &fakeDeadLetters{}
	return &settling{store: store, deadLetters: dead, metrics: m, progress: p, log: slog.New(slog.DiscardHandler)}, store, dead
}

// batchOf returns a batch of count orders whose ids begin at first. Every second one has two lines.
func batchOf(saleID string, first int64, count int) *sale.Batch {
	b := &sale.Batch{
		Bucket: sale.Bucket{Sale: saleID}, Epoch: 1, Sequence: first, BatchID: sale.OrderID(first),
		CreatedMS: 1_800_000_000_000,
	}
	for i := range count {
		lines := []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129_900}, {SKU: "case", Quantity: 2}}
		b.Orders = append(b.Orders, sale.RecordOrder{
			OrderID: sale.OrderID(first + int64(i)), Lines: lines[:1+i%2], Buyer: fmt.Sprintf("buyer-%d", first+int64(i)),
		})
	}
	return b
}

func recordBytes(saleID string, first int64, count int) []byte {
	return sale.AppendBatch(nil, batchOf(saleID, first, count))
}

// delivered returns the bytes as a record at an offset of partition 3.
func delivered(offset int64, raw []byte) record {
	r := record{Delivery: sale.Delivery{TopicID: "id-of-t", Partition: 3, Offset: offset, Raw: raw}}
	r.Record, r.fault = sale.DecodeRecord(raw)
	return r
}
