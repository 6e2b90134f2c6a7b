package settle

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"flashsale/sale"
	"flashsale/test/memory"
)

// errAway is what a database that cannot be reached answers.
var errAway = errors.New("connection refused")

// database is the database in memory with the faults of these tests. It notes in which order records settle, and in how
// many transactions.
type database struct {
	*memory.Database
	poison  func(d *sale.Delivery) bool // data that the database refuses
	started chan struct{}               // when set: one signal at the begin of each Settle
	gate    chan struct{}               // when set: Settle waits for a token or for its context

	mu         sync.Mutex
	order      []int64 // offsets in the order in which they were committed
	sizes      []int   // deliveries of each transaction that was tried
	added      int     // calls of AddDeadLetter that were answered
	failures   []error // given to the next calls of any kind but Positions, in order
	unanswered int     // so many commits return errAway although they have happened
	unread     int     // so many calls of Positions fail

	disagreements atomic.Int64 // see settledOrders
}

// newDatabase has sale demo preloaded.
func newDatabase() *database {
	d := &database{}
	d.renew()
	return d
}

// renew begins with an empty database, in which sale demo is preloaded.
func (d *database) renew() {
	d.Database = memory.New(memory.Options{Hooks: memory.Hooks{
		Before: d.fail, After: d.loseAnswer, Poison: d.refuses,
		Violated: func(string) { d.disagreements.Add(1) },
	}})
	d.preload("demo")
}

// preload opens two buckets of a sale in epoch 1, with units of a phone and its case.
func (d *database) preload(saleID string) {
	for number := range 2 {
		row := sale.BucketRow{Bucket: sale.Bucket{Sale: saleID, Number: number}, Epoch: 1, State: sale.BucketOpen}
		d.SeedStock(sale.StockCounters{
			BucketCounters: sale.BucketCounters{BucketRow: row},
			Shelves:        []sale.ShelfCounters{{SKU: "phone", Loaded: 1_000_000}, {SKU: "case", Loaded: 1_000_000}},
		})
	}
}

func (d *database) fail(_ context.Context, method string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case method == "Positions" && d.unread > 0:
		d.unread--
		return errAway
	case method == "Positions" || len(d.failures) == 0:
		return nil
	}
	err := d.failures[0]
	d.failures = d.failures[1:]
	return err
}

func (d *database) loseAnswer(_ context.Context, method string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method != "Settle" || d.unanswered == 0 {
		return nil
	}
	d.unanswered--
	return errAway
}

// refuses does not say which of several records it is, as the real database.
func (d *database) refuses(_ *memory.Tables, deliveries []sale.Delivery) *sale.PoisonError {
	for i := range deliveries {
		if d.poison == nil || deliveries[i].Raw == nil || !d.poison(&deliveries[i]) {
			continue
		}
		index := -1
		if len(deliveries) == 1 {
			index = 0
		}
		return &sale.PoisonError{Index: index, Reason: sale.PoisonData, Err: errors.New("out of range \xff value")}
	}
	return nil
}

func (d *database) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	if d.started != nil {
		d.started <- struct{}{}
	}
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-ctx.Done():
			return sale.Settlement{}, ctx.Err()
		}
	}
	d.mu.Lock()
	d.sizes = append(d.sizes, len(deliveries))
	d.mu.Unlock()
	done, err := d.Database.Settle(ctx, deliveries)
	d.disagreements.Add(int64(len(done.Closed)))
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range deliveries {
		if r := deliveries[i].Record; err == nil && (r.Batch != nil || r.Transfer != nil || r.Fence != "") {
			d.order = append(d.order, deliveries[i].Offset)
		}
	}
	return done, err
}

func (d *database) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	err := d.Database.AddDeadLetter(ctx, letter)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.added++
	}
	return err
}

// position returns how far a partition has settled.
func (d *database) position(partition int32) sale.Position { return d.Snapshot().Positions[partition] }

// settledOrders counts the orders that belong to their buyers. It returns -1 once the database has disagreed with a record:
// no record of these tests takes another's place or its orders, so one has settled under two identities.
func (d *database) settledOrders() (n int) {
	if d.disagreements.Load() > 0 {
		return -1
	}
	for _, o := range d.Snapshot().Orders {
		if o.Counts() {
			n++
		}
	}
	return n
}

func (d *database) fences() (tokens []string) {
	for token := range d.Snapshot().Fences {
		tokens = append(tokens, token)
	}
	return tokens
}

// letter returns a dead letter, an empty one when there is none.
func (d *database) letter(id string) sale.DeadLetter {
	if found := d.Snapshot().Letters[id]; found != nil {
		return *found
	}
	return sale.DeadLetter{}
}

func (d *database) letterIDs() []string {
	ids := []string{}
	for id := range d.Snapshot().Letters {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
