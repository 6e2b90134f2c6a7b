package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// errAway is the error of a database that cannot be reached.
var errAway = errors.New("connection refused")

// fakeStore is a database in memory: atomic transactions, markers, positions, dead letters by id.
type fakeStore struct {
	mu         sync.Mutex
	rows       map[sale.OrderID]int // order → times written; never above 1 when settling is right
	units      int64
	fences     []string
	order      []int64 // offsets in the order in which they were committed
	sizes      []int   // deliveries of each attempted transaction
	letters    map[string]sale.DeadLetter
	added      int // calls of AddDeadLetter
	markers    map[marker]bool
	settled    map[int32]sale.Position
	moved      []sale.OrderID              // ids of transfers, each once
	behind     int64                       // epochs above it are unknown; 0: every epoch is known
	unanswered int                         // so many commits succeed and return errAway
	poison     func(d *sale.Delivery) bool // data that the database refuses
	unknown    map[string]bool             // sales that do not exist
	failures   []error                     // given to the next calls of any kind but Positions, in order
	unread     int                         // so many calls of Positions fail
	started    chan struct{}               // when set: one signal at the begin of each Settle
	gate       chan struct{}               // when set: Settle waits for a token or for its context
}

// marker is the identity of a batch or a transfer.
type marker struct {
	sale.Bucket
	epoch, sequence int64
	id              sale.OrderID
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		rows: map[sale.OrderID]int{}, letters: map[string]sale.DeadLetter{}, settled: map[int32]sale.Position{},
		markers: map[marker]bool{}, unknown: map[string]bool{},
	}
}

func (b *fakeStore) fail() error {
	if len(b.failures) == 0 {
		return nil
	}
	err := b.failures[0]
	b.failures = b.failures[1:]
	return err
}

func (b *fakeStore) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	if b.started != nil {
		b.started <- struct{}{}
	}
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return sale.Settlement{}, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = append(b.sizes, len(deliveries))
	if err := b.fail(); err != nil {
		return sale.Settlement{}, err
	}
	for i := range deliveries {
		if batch := deliveries[i].Record.Batch; batch != nil && b.unknown[batch.Sale] {
			return sale.Settlement{}, fmt.Errorf("settle: %w", &sale.PoisonError{
				Index: i, Reason: sale.PoisonUnknownBucket, Err: fmt.Errorf("no bucket %s", batch.Bucket)})
		}
		if b.poison != nil && deliveries[i].Raw != nil && b.poison(&deliveries[i]) {
			index := -1 // the database does not name the row
			if len(deliveries) == 1 {
				index = 0
			}
			return sale.Settlement{}, fmt.Errorf("settle: %w", &sale.PoisonError{
				Index: index, Reason: sale.PoisonData, Err: errors.New("out of range \xff value")})
		}
		if batch := deliveries[i].Record.Batch; batch != nil && b.behind > 0 && batch.Epoch > b.behind {
			return sale.Settlement{}, fmt.Errorf("bucket %s is in epoch %d: %w", batch.Bucket, b.behind, sale.ErrBehind)
		}
	}
	done := b.commit(deliveries)
	if b.unanswered > 0 {
		b.unanswered--
		return sale.Settlement{}, errAway
	}
	return done, nil
}

func (b *fakeStore) commit(deliveries []sale.Delivery) (done sale.Settlement) {
	for i := range deliveries {
		d := &deliveries[i]
		if next := d.Offset + 1; d.TopicID != "" && next > b.settled[d.Partition].Next {
			b.settled[d.Partition] = sale.Position{Partition: d.Partition, TopicID: d.TopicID, Next: next}
		}
		batch, transfer := d.Record.Batch, d.Record.Transfer
		switch {
		case batch != nil:
			b.order = append(b.order, d.Offset)
			if !b.mark(marker{batch.Bucket, batch.Epoch, batch.Sequence, batch.BatchID}) {
				done.Duplicate++
				continue
			}
			b.units += batch.Units()
			for _, o := range batch.Orders {
				b.rows[o.OrderID]++
				done.Rows++
			}
		case transfer != nil:
			b.order = append(b.order, d.Offset)
			if b.mark(marker{transfer.Bucket, transfer.Epoch, transfer.Sequence, transfer.TransferID}) {
				b.moved = append(b.moved, transfer.TransferID)
			}
		case d.Record.Fence != "":
			b.order = append(b.order, d.Offset)
			b.fences = append(b.fences, d.Record.Fence)
		}
	}
	return done
}

func (b *fakeStore) mark(m marker) (first bool) {
	first = !b.markers[m]
	b.markers[m] = true
	return first
}

func (b *fakeStore) Positions(context.Context) ([]sale.Position, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unread > 0 {
		b.unread--
		return nil, errAway
	}
	return slices.Collect(maps.Values(b.settled)), nil
}

// next returns the position of a partition.
func (b *fakeStore) next(partition int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settled[partition].Next
}

func (b *fakeStore) AddDeadLetter(_ context.Context, letter sale.DeadLetter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail(); err != nil {
		return err
	}
	b.added++
	if _, there := b.letters[letter.ID]; !there {
		b.letters[letter.ID] = letter
	}
	return nil
}

func (b *fakeStore) DeadLetter(_ context.Context, id string) (sale.DeadLetter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	letter, there := b.letters[id]
	if !there {
		return letter, sale.ErrNotFound
	}
	return letter, b.fail()
}

func (b *fakeStore) MarkReplayed(_ context.Context, id string) error {
	return b.move(id, sale.DeadLetterReplayed)
}

func (b *fakeStore) RefuseDeadLetter(_ context.Context, id string) error {
	return b.move(id, sale.DeadLetterRefused)
}

func (b *fakeStore) move(id string, to sale.DeadLetterState) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail(); err != nil {
		return err
	}
	letter := b.letters[id]
	letter.State = to
	b.letters[id] = letter
	return nil
}

func (b *fakeStore) settledOrders() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rows)
}

func (b *fakeStore) letterIDs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]string, 0, len(b.letters))
	for id := range b.letters {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// requireOnce fails when an order was written twice, and returns the number of orders.
func (b *fakeStore) requireOnce(t testing.TB) int {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, times := range b.rows {
		require.Equal(t, 1, times, "order %s was written more than once", id)
	}
	return len(b.rows)
}

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

// newFakeSettling returns a settling over fakes.
func newFakeSettling(t testing.TB) (*settling, *fakeStore, *fakeDeadLetters) {
	t.Helper()
	l := newLag()
	p := newProgress(l)
	m, err := newMetrics(prometheus.NewRegistry(), l, p)
	require.NoError(t, err)
	store, dead := newFakeStore(), &fakeDeadLetters{}
	return &settling{store: store, deadLetters: dead, metrics: m, progress: p, log: slog.New(slog.DiscardHandler)}, store, dead
}

// batchOf returns a batch of count orders whose ids begin at first.
func batchOf(saleID string, first int64, count int) *sale.Batch {
	b := &sale.Batch{
		Bucket: sale.Bucket{Sale: saleID, SKU: "phone"}, Epoch: 1, Sequence: first, BatchID: sale.OrderID(first),
		CreatedMS: 1_800_000_000_000,
	}
	for i := range count {
		b.Orders = append(b.Orders, sale.RecordOrder{
			OrderID: sale.OrderID(first + int64(i)), Quantity: 1, Buyer: fmt.Sprintf("buyer-%d", first+int64(i)),
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
