package admin

import (
	"context"
	"sync"

	"flashsale/sale"
)

// fakePulses is what the process knows of the others, and its probes of the stores.
type fakePulses struct {
	mu    sync.Mutex
	rates sale.Rates
	away  map[string]error         // of a store, the error of its probes
	hangs map[string]chan struct{} // of a store, what its probes wait for
	asked map[string]int           // probes by store
}

func newFakePulses() *fakePulses {
	n := sale.Unknown()
	return &fakePulses{
		rates: sale.Rates{
			PressesPerS: 200, OrdersPerS: 40, RefusedPerS: map[string]sale.Number{"sold_out": 150, "rate_limited": 10},
			P50MS: 1.5, P99MS: 9.25, SettleLagRecords: 3, OldestHeldS: n, EventsWaiting: 0, RowsPerS: 41,
		},
		away: map[string]error{}, hangs: map[string]chan struct{}{}, asked: map[string]int{},
	}
}

func (f *fakePulses) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakePulses) Rates(string) sale.Rates {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rates
}

func (f *fakePulses) History(id string) sale.History {
	none := []sale.Number{sale.Unknown(), 7}
	return sale.History{
		StepS: 5, From: sale.Time{Time: tenOClock}, Sale: id, Presses: none, Orders: none,
		Refused: map[string][]sale.Number{"sold_out": none}, P50MS: none, P99MS: none, SettleLag: none, OldestHeld: none,
		EventsWaiting: none,
	}
}

func (f *fakePulses) Processes() []sale.Process {
	return []sale.Process{
		{Name: "host/1/a", Role: "gateway", Version: "1.2.3", SeenMSAgo: 0, Ready: true, Waiting: map[string]string{}},
		{Name: "host/2/b", Role: "settle", Version: "1.2.3", SeenMSAgo: 900,
			Waiting: map[string]string{"kafka": "not reached yet"}},
	}
}

func (f *fakePulses) probes() (all []StoreProbe) {
	for _, store := range []string{"redis", "kafka", "mysql"} {
		all = append(all, StoreProbe{Store: store, Weight: WeightRequired, Ping: func(ctx context.Context) error {
			f.mu.Lock()
			f.asked[store]++
			err, hangs := f.away[store], f.hangs[store]
			f.mu.Unlock()
			if hangs != nil {
				select {
				case <-hangs:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return err
		}})
	}
	return all
}
