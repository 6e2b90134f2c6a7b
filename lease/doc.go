// Package lease lets one process at a time do a piece of work. A lease is a row of the database: a name, its owner and the
// moment at which it ends by the database's clock. This package alone acquires, renews and releases leases, and names them
// all.
//
// # What a lease guarantees
//
// At any moment of the database's clock a lease has at most one owner. That alone does not make work safe: a process that
// was stopped may continue after its lease has ended, and a delayed statement may reach a store after it. A lease therefore
// saves work and prevents conflicts between processes, and every step under a lease has a guard of its own
// (docs/recovery.md: compare-and-set on epoch and state, numbers of the outbox, ids of events).
//
// # How long it lasts
//
// A lease lasts 6 s (TTL) from its last renewal. The owner renews it every second for as long as the work lasts, in a
// goroutine of its own, so the work may take longer than the TTL and may rest. When the owner dies, another process can
// acquire the lease 6 s later at the latest. An owner that ends releases the lease, so
// that another process need not wait.
//
// # How it is lost
//
// A lease is lost when a renewal finds another owner, or when no renewal has succeeded for 4 s, two thirds of the TTL. Then
// the context of the work ends with ErrLost as its cause. One renewal that hangs, or a database that is away for 2.5 s,
// loses nothing.
//
// # What it assumes of clocks
//
// The database's clock decides which process owns a lease, and only the length of its seconds matters. The owner counts the
// 4 s by its own monotonic clock, from the moment of its request, which is before the database's answer. So the work ends
// before the lease as long as the rates of the two clocks differ by less than a third and the owner is not stopped. An owner
// that was stopped for longer loses the lease before it begins another unit.
//
// # How it is used
//
// Lease.Do is for one piece of work now and then: acquire, work, release. Lease.Serve is for a role that one process at a
// time has: it keeps the lease from unit to unit, and asks every second while another process has it.
package lease
