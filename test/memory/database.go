package memory

import (
	"context"
	"sync"
	"time"

	"flashsale/sale"
)

// Options configures a Database. The zero value is usable.
type Options struct {
	Now      func() time.Time // the database's clock; time.Now when nil
	Nodes    int64            // node ids for order ids, 0 to Nodes-1; 0 means sale.MaxNode+1
	EngineID string           // "engine-in-memory" when empty
	Hooks    Hooks            // see SetHooks
}

// Database is the engine's database in memory. Its methods are those of store.Store and keep the same contracts. It may be
// used by several goroutines at once.
type Database struct {
	now      func() time.Time
	nodes    int64
	engineID string

	mu    sync.Mutex
	hooks Hooks
	t     Tables
}

// New returns an empty database, as after the migrations.
func New(opts Options) *Database {
	d := &Database{now: opts.Now, nodes: opts.Nodes, engineID: opts.EngineID, hooks: opts.Hooks, t: emptyTables()}
	if d.now == nil {
		d.now = time.Now
	}
	if d.nodes == 0 {
		d.nodes = sale.MaxNode + 1
	}
	if d.engineID == "" {
		d.engineID = "engine-in-memory"
	}
	return d
}

// Snapshot returns a copy of everything in the database, of one moment.
func (d *Database) Snapshot() Tables {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.t.clone()
}

// EngineID returns the id of this database.
func (d *Database) EngineID(ctx context.Context) (string, error) {
	return call(ctx, d, "EngineID", func() (string, error) { return d.engineID, nil })
}

func (d *Database) nowMS() int64 { return d.now().UnixMilli() }

// call runs one transaction under the lock, between the hooks.
func call[T any](ctx context.Context, d *Database, method string, do func() (T, error)) (T, error) {
	var none T
	if err := d.before(ctx, method); err != nil {
		return none, err
	}
	done, err := locked(d, do)
	if err != nil {
		return none, err
	}
	if err := d.after(ctx, method); err != nil {
		return none, err
	}
	return done, nil
}

// locked runs a function under the lock. A hook that panics leaves no lock behind.
func locked[T any](d *Database, do func() (T, error)) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return do()
}

// run is call for a transaction without a result.
func (d *Database) run(ctx context.Context, method string, do func() error) error {
	_, err := call(ctx, d, method, func() (struct{}, error) { return struct{}{}, do() })
	return err
}
