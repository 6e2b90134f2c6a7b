package admin

import (
	"context"
	"sync"
	"time"

	"flashsale/sale"
)

// StoreProbe asks one store for a sign of life.
type StoreProbe struct {
	Store string // redis, kafka or mysql
	Ping  func(ctx context.Context) error
}

const (
	probeLimit = 2 * time.Second        // a store that answers later is not up
	probeAgain = 900 * time.Millisecond // between two probes of a store
	probeWait  = 50 * time.Millisecond  // a reading waits so long for the results of probes, and then shows the earlier ones
)

// storeWatch knows which stores this process reaches. It asks a store only when it is looked at, and at most once a second.
type storeWatch struct {
	mu     sync.Mutex
	stores []*watchedStore
}

type watchedStore struct {
	probe StoreProbe
	known bool // found has a result
	found sale.StoreHealth
	asked time.Time
	done  chan struct{} // closed when the probe under way has ended; nil: none is
}

func newStoreWatch(probes []StoreProbe) *storeWatch {
	w := &storeWatch{}
	for _, p := range probes {
		w.stores = append(w.stores, &watchedStore{probe: p, found: sale.StoreHealth{Store: p.Store}})
	}
	return w
}

// look returns the state of every store, by the last probe of each. It waits for the first results, probeLimit at most.
func (w *storeWatch) look(ctx context.Context) []sale.StoreHealth {
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
func (w *storeWatch) ask(s *watchedStore) <-chan struct{} {
	if s.done != nil || time.Since(s.asked) < probeAgain {
		return s.done
	}
	s.asked, s.done = time.Now(), make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
		defer cancel()
		err := s.probe.Ping(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		s.known, s.found.Up, s.found.Detail = true, err == nil, ""
		if err != nil {
			s.found.Detail = err.Error()
		}
		close(s.done)
		s.done = nil
	}()
	return s.done
}
