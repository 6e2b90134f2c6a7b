package admin

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/role"
	"flashsale/sale"
)

// Weights of a store that a process uses: what it means for the process when the store goes away.
const (
	WeightRequired = "required" // the process does not do its work
	WeightDegraded = "degraded" // the process goes on, with less
)

// StoreProbe asks one store for a sign of life.
type StoreProbe struct {
	Store  string // redis, kafka or mysql
	At     string // its addresses, as the settings name them; empty: an embedded engine
	Ping   func(ctx context.Context) error
	Weight string
	Means  string // what the process does not do while the store is away, for operators
}

// name returns the name of the store in /readyz and in the metrics. Live screens call the database mysql.
func (p *StoreProbe) name() string {
	if p.Store == "mysql" {
		return "database"
	}
	return p.Store
}

const (
	probeLimit = 2 * time.Second        // a store that answers later is not up
	probeAgain = 900 * time.Millisecond // between two probes of a store
	probeWait  = 50 * time.Millisecond  // a reading waits so long for the results of probes, and then shows the earlier ones
	watchEvery = 5 * time.Second        // between two looks of Run
)

var upDesc = prometheus.NewDesc("flashsale_store_up",
	"1 if the process reached the store at the last look, otherwise 0.", []string{"store"}, nil)

// StoreWatch knows which stores this process reaches. It asks a store when it is looked at, at most once a second, and every
// watchEvery while Run runs. It is a prometheus.Collector of what it has found last.
type StoreWatch struct {
	log    *slog.Logger
	mu     sync.Mutex
	stores []*watchedStore
}

type watchedStore struct {
	probe StoreProbe
	known bool // found has a result
	found sale.StoreHealth
	asked time.Time
	done  chan struct{} // closed when the probe under way has ended; nil: none is
	told  role.Health
}

// NewStoreWatch returns a watch of stores that were not asked yet. It logs when a store goes away, and when it is back.
func NewStoreWatch(log *slog.Logger, probes ...StoreProbe) *StoreWatch {
	w := &StoreWatch{log: log}
	for _, p := range probes {
		told := role.Health{Failing: "a store is away", Working: "a store is back", Log: log.With("store", p.name())}
		w.stores = append(w.stores, &watchedStore{probe: p, found: sale.StoreHealth{Store: p.Store}, told: told})
	}
	return w
}

// fault returns the error of a probe, with the addresses of the store.
func (p *StoreProbe) fault(err error) error {
	if err == nil || p.At == "" || strings.Contains(err.Error(), p.At) {
		return err
	}
	return fmt.Errorf("%s: %w", p.At, err)
}

// Run looks at the stores from time to time until ctx ends.
func (w *StoreWatch) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "stores", Every: watchEvery, Log: w.log,
		Unit: func(ctx context.Context) error { w.look(ctx); return nil },
	}
	loop.Run(ctx)
}

// Describe is part of prometheus.Collector.
func (w *StoreWatch) Describe(out chan<- *prometheus.Desc) { out <- upDesc }

// Collect is part of prometheus.Collector. A store that was never asked has no series.
func (w *StoreWatch) Collect(out chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stores {
		if s.known {
			out <- gauge(upDesc, oneIf(s.found.Up), s.probe.name())
		}
	}
}

// dependency is a store in the answer of /readyz.
type dependency struct {
	Name   string `json:"name"`
	Weight string `json:"weight"`
	Up     *bool  `json:"up"` // null: not asked yet
	Detail string `json:"detail,omitempty"`
	Means  string `json:"means"`
}

// dependencies returns the stores as the last look has found them. A nil watch has none.
func (w *StoreWatch) dependencies() []dependency {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]dependency, 0, len(w.stores))
	for _, s := range w.stores {
		one := dependency{Name: s.probe.name(), Weight: s.probe.Weight, Detail: s.found.Detail, Means: s.probe.Means}
		if s.known {
			up := s.found.Up
			one.Up = &up
		}
		all = append(all, one)
	}
	return all
}

// look returns the state of every store, by the last probe of each. It waits for the first results, probeLimit at most.
func (w *StoreWatch) look(ctx context.Context) []sale.StoreHealth {
	shortly, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	begun, known := make([]<-chan struct{}, len(w.stores)), make([]bool, len(w.stores))
	w.mu.Lock()
	for i, s := range w.stores {
		begun[i], known[i] = w.ask(s), s.known
	}
	w.mu.Unlock()
	for i := range begun {
		enough := ctx
		if known[i] {
			enough = shortly
		}
		if begun[i] != nil {
			select {
			case <-begun[i]:
			case <-enough.Done():
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]sale.StoreHealth, len(w.stores))
	for i, s := range w.stores {
		all[i] = s.found
	}
	return all
}

// ask starts a probe of the store when it is time, and returns a channel that is closed when the one under way has ended, nil
// when none is. The caller has the lock.
func (w *StoreWatch) ask(s *watchedStore) <-chan struct{} {
	if s.done != nil || time.Since(s.asked) < probeAgain {
		return s.done
	}
	s.asked, s.done = time.Now(), make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
		defer cancel()
		err := s.probe.fault(s.probe.Ping(ctx))
		w.mu.Lock()
		defer w.mu.Unlock()
		s.known, s.found.Up, s.found.Detail = true, err == nil, ""
		if err != nil {
			s.found.Detail = err.Error()
		}
		s.told.Note(context.Background(), err)
		close(s.done)
		s.done = nil
	}()
	return s.done
}
