package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
	"flashsale/test/memory"
)

// database is the database of a simulated sale: package memory's, behind the model network, with a clock of its own,
// checked after every transaction.
type database struct {
	*memory.Database
	world *world
	place *place

	mu          sync.Mutex
	offset      time.Duration                  // of its clock
	ahead       time.Duration                  // the most that it ever was
	losing      int                            // the next settlements that are lost once they are answered
	untilPoison int                            // batches before the one that cannot settle
	poisoned    sale.OrderID                   // the batch that cannot settle
	applied     map[sale.OrderID]time.Duration // when the outbox row of an order was done; absorbed ones never are
	again       map[sale.OrderID]bool          // orders of the dead letters that were replayed
	*stockRows
}

const nodes = 8 // few, so that the ids of dead processes are leased again

func newDatabase(w *world, s sale.Sale) *database {
	d := &database{world: w, place: newPlace("database"), untilPoison: w.shape.poison, applied: map[sale.OrderID]time.Duration{},
		stockRows: newStockRows(), again: map[sale.OrderID]bool{}}
	d.place.refused = errRefused
	d.Database = memory.New(memory.Options{
		Now: d.now, Nodes: nodes, EngineID: "engine-of-the-simulator",
		Hooks: memory.Hooks{
			Poison: d.poison, Begun: d.begun, Settled: d.settled, Applied: d.noteApplied, Written: d.written,
			Violated: func(fault string) { w.watch.fault("%s", fault) },
		},
	})
	d.SeedSale(s)
	if _, err := d.LoadStock(context.Background(), s.ID, w.shape.partitions); err != nil {
		panic(err)
	}
	return d
}

// now is the time by the clock of the database.
func (d *database) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Add(d.offset)
}

// step moves that clock.
func (d *database) step(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offset += by
	d.ahead = max(d.ahead, d.offset)
}

// lose lets the database lose the next n settlements as soon as it has answered them, as a failover does to a replica that lags
// behind. Whatever else the database has committed stays, so a dead letter is replayed for good: its mark is of a later commit.
func (d *database) lose(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.losing = n
}

// Settle settles, unless these are records of the topic and it is their turn to be lost.
func (d *database) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	if deliveries[0].TopicID != "" && d.loses() {
		d.world.counter.count("database: settlements lost", 1)
		return sale.Settlement{}, nil
	}
	settlement, err := d.Database.Settle(ctx, deliveries)
	if errors.Is(err, sale.ErrLostTail) {
		d.world.counter.count("engine: losses seen by the next settlement", 1)
	}
	return settlement, err
}

func (d *database) loses() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.losing == 0 || d.world.healed.Load() {
		return false
	}
	d.losing--
	return true
}

// written looks at the tables after every transaction that wrote.
func (d *database) written(t *memory.Tables) {
	d.noteRows(t)
	d.world.watch.stored(t)
}

func (d *database) begun(load *sale.Load) {
	d.noteAbsorbed(load.Bucket)
	d.world.counter.count("engine: rebuilds", 1)
	d.world.watch.begun(load.Bucket, load.Epoch)
}

func (d *database) settled(plan *ledger.Plan, closely bool) {
	count := d.world.counter.count
	count("engine: settlements that look closer", int(oneIf(closely)))
	count("engine: batches and transfers settled", len(plan.Markers)+len(plan.Forks))
	count("engine: duplicates", plan.Settlement.Duplicate)
	count("engine: forks", len(plan.Forks))
	count("engine: transfers between buckets", len(plan.Outbox))
	count("engine: buckets closed by settlement", len(plan.Settlement.Closed))
}

func (d *database) noteApplied(row *sale.OutboxRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range row.Orders {
		d.applied[o.OrderID] = virtualNow()
	}
	d.noteDone(row)
}
