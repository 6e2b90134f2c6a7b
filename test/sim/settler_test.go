package sim

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/expiry"
	"flashsale/recovery"
	"flashsale/scripts"
)

// settler is a settle process: consumer, relay, controller with its rebuilds, outbox applier and reaper.
type settler struct {
	*process
	member *member
}

func (w *world) startSettler(name string) {
	p := w.newProcess(name)
	database := clerk{p}
	redis := scripts.NewRedis(p.redisClient(), scripts.Options{Namespace: namespace})
	log := w.log(p)
	controller := recovery.NewController(recovery.ControllerOptions{
		Redis: redis, Rebuilder: recovery.NewRebuilder(redis, publisher{p}, database), Catalogue: database, Buckets: database,
		Units: database, Leases: database, Owner: holder(p), Log: log,
	})
	relay := recovery.NewRelay(recovery.RelayOptions{
		Redis: redis, Publisher: publisher{p}, Leases: database, Owner: holder(p), Watched: controller.Watched, Log: log,
	})
	applier := recovery.NewOutboxApplier(recovery.OutboxApplierOptions{
		Redis: redis, Outbox: database, Report: database, Leases: database, Owner: holder(p), Log: log,
	})
	registry := prometheus.NewRegistry()
	reaper, err := expiry.NewReaper(expiry.ReaperOptions{
		Orders: database, Leases: database, Owner: holder(p), Registerer: registry, Log: log,
	})
	if err != nil {
		panic(err)
	}
	s := &settler{process: p, member: newMember(p, registry, log)}
	identity := recovery.NewIdentity(redis, database, log)
	w.work.Go(func() { identity.Run(p.ctx) })
	w.work.Go(func() { controller.Run(p.ctx) })
	w.work.Go(func() { relay.Run(p.ctx) })
	w.work.Go(func() { applier.Run(p.ctx) })
	w.work.Go(func() { reaper.Run(p.ctx) })
	w.work.Go(func() { s.member.run(p.ctx) })
	w.work.Go(func() { s.member.handler.Rewind(p.ctx) })
	w.mu.Lock()
	w.settlers = append(w.settlers, s)
	w.mu.Unlock()
	w.work.Go(func() { w.replace(p, func() { w.startSettler(name) }) })
}

// shares deals the partitions among the members of the group: without dead consumers and without those that have been
// stopped for longer than the session timeout.
func (w *world) shares(of *member) (mine []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var alive []*member
	for _, s := range w.settlers {
		if !s.dead() && !s.frozenFor(sessionTimeout) || s.member == of {
			alive = append(alive, s.member)
		}
	}
	for partition := range w.shape.partitions {
		if len(alive) > 0 && alive[int(partition)%len(alive)] == of {
			mine = append(mine, partition)
		}
	}
	return mine
}

const sessionTimeout = 500 * time.Millisecond

func (p *process) frozenFor(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.frozen) > d
}

func await(ctx context.Context, until <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-until:
	}
}
