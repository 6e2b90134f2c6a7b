package memory

import (
	"context"
	"fmt"

	"flashsale/ledger"
	"flashsale/sale"
)

// Hooks are what a test adds to the database. Every field may be nil. A method is named as in Go, such as "Settle".
//
// Before and After run without the database's lock and may wait for a signal or for ctx; the others run under the lock,
// must not call the database, and must not keep their arguments.
type Hooks struct {
	// Before runs before a call does anything. With an error the call fails and nothing has happened.
	Before func(ctx context.Context, method string) error
	// After runs when a call has succeeded and is committed. With an error the call fails although it has happened.
	After func(ctx context.Context, method string) error
	// Poison picks the record of a settlement that the database refuses, nil when there is none. The error is returned as it is.
	Poison func(t *Tables, deliveries []sale.Delivery) *sale.PoisonError
	// Begun is called for every bucket that begins an epoch.
	Begun func(load *sale.Load)
	// Settled is called for every plan that Settle has written; closely is true when everything was read before the plan
	// was made.
	Settled func(plan *ledger.Plan, closely bool)
	// Applied is called for every outbox row that is deleted because Redis has applied it.
	Applied func(row *sale.OutboxRow)
	// Froze is called for every sale whose holds are frozen now, Thaws for every thaw that begins, Thawed for every one that has
	// moved all orders.
	Froze, Thaws, Thawed func(t *Tables, id string)
	// Written runs after every plan that was written.
	Written func(t *Tables)
	// Violated is called for a write that the real database would refuse. When it is nil, such a write panics.
	Violated func(fault string)
}

// SetHooks replaces the hooks. Calls that are under way keep the ones that they have begun with.
func (d *Database) SetHooks(h Hooks) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks = h
}

// Fail makes every call fail with err, which may be nil, from now on; nothing happens in a call that fails. It replaces
// Hooks.Before.
func (d *Database) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.Before = func(context.Context, string) error { return err }
}

func (d *Database) present() Hooks {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hooks
}

func (d *Database) before(ctx context.Context, method string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if hook := d.present().Before; hook != nil {
		return hook(ctx, method)
	}
	return nil
}

func (d *Database) after(ctx context.Context, method string) error {
	if hook := d.present().After; hook != nil {
		return hook(ctx, method)
	}
	return nil
}

// violated reports a write that breaks what the real database enforces.
func (d *Database) violated(format string, args ...any) {
	fault := fmt.Sprintf(format, args...)
	if d.hooks.Violated == nil {
		panic("memory: " + fault)
	}
	d.hooks.Violated(fault)
}
