package sim

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/recovery"
	"flashsale/reserve"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/buyers/history"
)

// front is a gateway: the real engine and order ids, with a catalogue that polls the database as a gateway's does.
type front struct {
	*process
	engine *reserve.Engine
	known  sale.Changes
	sale   sale.Sale
	rows   map[int]sale.BucketRow
}

const (
	followEvery = 100 * time.Millisecond
	namespace   = "sim"
)

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// always is a circuit breaker that never opens.
type always struct{}

func (always) Enter(string) (func(error), bool) { return func(error) {}, true }

func (w *world) startFront(name string) {
	p := w.newProcess(name)
	f := &front{process: p, rows: map[int]sale.BucketRow{}}
	database := clerk{p}
	ids := reserve.NewOrderIDs(database, holder(p), silent())
	redis := scripts.NewRedis(p.redisClient(), scripts.Options{Namespace: namespace})
	identity := recovery.NewIdentity(redis, database, w.log(p))
	f.engine = reserve.NewEngine(reserve.EngineOptions{
		Redis: redis, Producer: publisher{p}, IDs: ids,
		AckTimeout: 300 * time.Millisecond, JournalMaxOrders: 100_000, BatchMaxOrders: 4, BatchMaxWait: 5 * time.Millisecond,
		Breaker: always{}, Report: database,
		Buckets: database, Registerer: prometheus.NewRegistry(), Log: w.log(p),
	})
	p.end = func() {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_ = f.engine.Drain(gone) // its calls under way are lost with the process
	}
	w.work.Go(func() { ids.Run(p.ctx) })
	w.work.Go(func() { identity.Run(p.ctx) })
	w.work.Go(func() { f.follow(database) })
	w.mu.Lock()
	w.fronts = append(w.fronts, f)
	w.mu.Unlock()
	w.work.Go(func() { w.replace(p, func() { w.startFront(name) }) })
}

func holder(p *process) string {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.name + "/" + string(rune('a'+p.world.lives[p.name]))
}

// replace starts a process anew some time after its death.
func (w *world) replace(p *process, start func()) {
	<-p.died
	w.mu.Lock()
	w.fronts = without(w.fronts, func(f *front) bool { return f.process == p })
	w.settlers = without(w.settlers, func(s *settler) bool { return s.process == p })
	w.mu.Unlock()
	wait := p.chance.span(20*time.Millisecond, 2*time.Second)
	time.Sleep(wait)
	if !w.over() {
		start()
	}
}

func without[T any](of []T, drop func(T) bool) []T {
	kept := make([]T, 0, len(of))
	for _, v := range of {
		if !drop(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func (f *front) follow(database clerk) {
	for f.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(f.ctx, 5*time.Second)
		changes, err := database.Changes(ctx, f.known.Version)
		cancel()
		if err == nil {
			f.take(changes)
		}
		_ = hold(f.ctx, followEvery) // the loop looks at ctx
	}
}

func (f *front) take(changes sale.Changes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.Version = max(f.known.Version, changes.Version)
	for _, s := range changes.Sales {
		f.sale = s
	}
	for _, row := range changes.Buckets {
		if row.Epoch >= f.rows[row.Number].Epoch {
			f.rows[row.Number] = row
		}
	}
}

// press does what the gateway does with a press of Buy after the checks that need no stock. perhaps means that there was no
// answer.
func (f *front) press(buyer, key string, wanted []history.Line) (a sale.Answer, perhaps bool) {
	if f.thaw(f.ctx) != nil {
		return sale.Answer{Outcome: sale.OutcomeUnavailable}, false // the connection was refused
	}
	f.mu.Lock()
	s := f.sale
	row := f.rows[sale.HomeBucket(buyer, s.Buckets)]
	f.mu.Unlock()
	lines, unknown := knownLines(&s, wanted)
	switch {
	case s.ID == "":
		return sale.Answer{Outcome: sale.OutcomeSaleNotFound}, false
	case unknown != "":
		return sale.Answer{Outcome: sale.OutcomeSKUNotFound, SKU: unknown}, false
	case s.State == sale.StatePaused:
		return sale.Answer{Outcome: sale.OutcomePaused}, false
	case row.State != sale.BucketOpen:
		return sale.Answer{Outcome: sale.OutcomeFenced}, false
	}
	answered := make(chan sale.Answer, 1)
	go func() {
		answered <- f.engine.Reserve(sale.Purchase{
			Bucket: row.Bucket, Epoch: row.Epoch, Partition: row.Partition, Buckets: s.Buckets, Buyer: buyer, Key: key,
			Lines: lines, Grief: f.world.shape.grief.ForSale(s.PaymentTTL),
		})
	}()
	select {
	case a := <-answered:
		return a, f.thaw(f.ctx) != nil
	case <-f.died:
		return sale.Answer{}, true
	}
}

// knownLines returns the lines of a purchase with the numbers and prices of the sale's items, or the SKU that the gateway does
// not know.
func knownLines(s *sale.Sale, wanted []history.Line) (lines []sale.Line, unknown string) {
	for _, w := range wanted {
		item, known := s.Item(w.SKU)
		if !known {
			return nil, w.SKU
		}
		lines = append(lines, sale.Line{SKU: w.SKU, Quantity: w.Quantity, UnitPriceCents: item.PriceCents, Number: item.Number})
	}
	return lines, ""
}
