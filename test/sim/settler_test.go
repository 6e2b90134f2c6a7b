package sim

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/expiry"
	"flashsale/reserve"
)

// settler is a settle process: consumer, relay, keeper with its rebuilds, courier and reaper.
type settler struct {
	*process
	member *member
}

func (w *world) startSettler(name string) {
	p := w.newProcess(name)
	database := clerk{p}
	redis := reserve.NewRedis(p.redisClient(), reserve.Options{Namespace: namespace})
	log := w.log(p)
	keeper := reserve.NewKeeper(reserve.KeeperOptions{
		Redis: redis, Rebuilder: reserve.NewRebuilder(redis, publisher{p}, database), Catalogue: database, Books: database,
		Units: database, Leases: database, Holder: holder(p), Log: log,
	})
	relay := reserve.NewRelay(reserve.RelayOptions{
		Redis: redis, Publisher: publisher{p}, Leases: database, Holder: holder(p), Watched: keeper.Watched, Log: log,
	})
	courier := reserve.NewCourier(reserve.CourierOptions{
		Redis: redis, Outbox: database, Report: database, Leases: database, Holder: holder(p), Log: log,
	})
	registry := prometheus.NewRegistry()
	reaper, err := expiry.NewReaper(expiry.ReaperOptions{
		Orders: database, Leases: database, Holder: holder(p), Registerer: registry, Log: log,
	})
	if err != nil {
		panic(err)
	}
	s := &settler{process: p, member: newMember(p, registry, log)}
	identity := reserve.NewIdentity(redis, database, log)
	w.work.Go(func() { _ = identity.Run(p.ctx) }) // nil by its contract
	w.work.Go(func() { _ = keeper.Run(p.ctx) })   // nil by its contract
	w.work.Go(func() { _ = relay.Run(p.ctx) })    // likewise
	w.work.Go(func() { _ = courier.Run(p.ctx) })  // likewise
	w.work.Go(func() { reaper.Run(p.ctx) })
	w.work.Go(func() { s.member.run(p.ctx) })
	w.mu.Lock()
	w.settlers = append(w.settlers, s)
	w.mu.Unlock()
	w.work.Go(func() { w.replace(p, func() { w.startSettler(name) }) })
}

// shares deals the partitions among the consumers that the group knows: not the dead, and not those that have been stopped
// for longer than the group waits.
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
