package sim

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// world is one simulated sale: servers, processes, planned faults and watchers.
type world struct {
	seed     uint64
	shape    shape
	cache    *cache
	queue    *queue
	database *database
	plan     *plan
	trace    *trace
	watch    *watcher
	counter  *counter
	began    time.Time
	starts   time.Time // of the sale
	ended    atomic.Bool
	healed   atomic.Bool

	pausing  chan struct{}
	freezing chan struct{}
	changes  sync.WaitGroup // of the stock and the holds

	mu       sync.Mutex
	lives    map[string]int // processes started, by name
	fronts   []*front
	settlers []*settler
	work     sync.WaitGroup
}

// shape is what kind of sale it is.
type shape struct {
	items      []sale.Item // of the preload
	added      []sale.Item // while the sale sells
	buckets    int
	limit      int        // units of a SKU per buyer
	saleLimit  int        // units of all SKUs per buyer, 0 = none
	ttl        int64      // seconds to pay
	restocks   []restock  // changes of stock
	freezes    []freezing // of the holds
	gateways   int
	settlers   int
	partitions int32
	buyers     int
	noise      int           // one call in this many fails, 0 = none
	slowness   time.Duration // longest ordinary travel of a message
	faults     int
	span       time.Duration // in which the buyers arrive
	starts     time.Duration // when the sale starts
	hidden     bool          // Redis hides its replication id
	grief      sale.Grief
	poison     int // the number of the batch that cannot settle; 0 = none
}

func drawShape(c *chance) shape {
	s := shape{
		buckets: pick(c, 1, 1, 1, 2, 3, 4), limit: pick(c, 1, 1, 2, 3), saleLimit: pick(c, 0, 0, 0, 0, 1, 2, 3, 4),
		ttl:      pick(c, int64(0), 0, 2, 4),
		gateways: pick(c, 1, 2, 2), settlers: pick(c, 1, 2), partitions: int32(pick(c, 1, 2)),
		noise: pick(c, 0, 0, 400, 150, 60), slowness: pick(c, 400*time.Microsecond, time.Millisecond, 12*time.Millisecond),
		faults: pick(c, 0, 1, 1, 2, 3, 4, 6), span: pick(c, 5*time.Millisecond, 100*time.Millisecond, time.Second, 4*time.Second),
	}
	s.drawItems(c)
	s.buyers = min(s.units(), 8) + c.between(2, 7)
	s.starts = pick(c, -time.Minute, -time.Minute, -time.Minute, 300*time.Millisecond, 1200*time.Millisecond)
	s.hidden = c.one(6)
	s.grief = pick(c, sale.Grief{}, sale.DefaultGrief(), sale.Grief{Unpaid: 1, WindowS: 3600}, sale.Grief{Unpaid: 1, WindowS: 1})
	if c.one(4) {
		s.poison = c.between(1, 8)
	}
	s.drawRestocks(c)
	s.drawFreezes(c)
	return s
}

const saleID = "sale"

func newWorld(seed uint64) *world {
	shaping := newChance(seed, "shape")
	w := &world{seed: seed, shape: drawShape(shaping), lives: map[string]int{}, began: time.Now(), trace: &trace{},
		counter: &counter{tally: tally{}},
		pausing: make(chan struct{}, 1), freezing: make(chan struct{}, 1)}
	w.watch = newWatcher(w)
	w.cache = newCache(w.watch.taken, w.watch.lost, w.shape.hidden)
	w.queue = newQueue(int(w.shape.partitions), w.watch.logged)
	w.starts = w.began.Add(w.shape.starts)
	w.database = newDatabase(w, sale.Sale{
		ID: saleID, State: sale.StateOpen, Name: "Sale", Currency: "CNY", PerBuyerLimit: w.shape.limit,
		SaleLimit: w.shape.saleLimit, PaymentTTL: w.shape.ttl, Eligibility: sale.EligibilityOpen, Buckets: w.shape.buckets,
		StartsAt: sale.Time{Time: w.starts}, EndsAt: sale.Time{Time: time.Now().Add(time.Hour)}, Items: w.shape.items,
	})
	w.plan = drawPlan(newChance(seed, "plan"), w.shape.faults)
	return w
}

// over reports whether the sale has been judged: messages still under way then have no effect.
func (w *world) over() bool { return w.ended.Load() }

// travel draws how long a message is on its way.
func (w *world) travel(c *chance) time.Duration { return c.span(20*time.Microsecond, w.shape.slowness) }

// noisy reports whether the next call may fail by chance.
func (w *world) noisy(c *chance) bool { return !w.healed.Load() && c.one(w.shape.noise) }

// step is called before every call of every process. It returns the fate of the call and does the fault that is due.
func (w *world) step(p *process, to *place, what string) (becomes fate) {
	if !w.healed.Load() {
		becomes = w.plan.reached(w, p, what)
	}
	if becomes == arrives && w.noisy(p.chance) {
		becomes = fate(p.chance.between(int(lostRequest), int(fates)-1))
	}
	if becomes != arrives {
		w.counter.count(counts[becomes], 1)
	}
	return becomes
}

// heal ends every fault: from now on everything works.
func (w *world) heal() {
	w.healed.Store(true)
	for _, to := range []*place{w.cache.place, w.queue.place, w.database.place} {
		to.mu.Lock()
		to.downTo = time.Now()
		to.mu.Unlock()
	}
	for _, p := range w.processes() {
		p.mu.Lock()
		p.frozen = time.Now()
		p.mu.Unlock()
	}
}

func (w *world) gateways() []*front {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.fronts)
}

func (w *world) processes() (all []*process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.fronts {
		all = append(all, f.process)
	}
	for _, s := range w.settlers {
		all = append(all, s.process)
	}
	return all
}

// patience is a context that ends with the process or after a while.
func (p *process) patience(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, d)
}
