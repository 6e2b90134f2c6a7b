package reserve

import "time"

// gather lets a flow wait for a fuller batch where one is at hand: when the purchases of the last batch and those that wait
// would fill three quarters of a batch, it waits until seven eighths of them wait, but not longer than BatchMaxWait after
// the last batch began. A batch costs Redis, Kafka and the gateway about the same whether it is half full or full. With
// fewer purchases under way nothing waits, so that an idle or a moderately busy engine answers as soon as it can.
func (f *flow) gather(last int, began time.Time) {
	wait := f.engine.BatchMaxWait - time.Since(began)
	if wait <= 0 || !f.expect(last) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.enough:
	case <-timer.C:
		f.expectNoMore()
	}
}

// expect has put tell when enough purchases wait. It reports whether that is worth waiting for.
func (s *shelf) expect(last int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	underWay, full := last+s.ready, s.engine.BatchMaxOrders
	wanted := min(underWay*7/8, full)
	if s.flows > 1 || underWay < full*3/4 || s.ready >= wanted {
		return false
	}
	s.wanted = wanted
	return true
}

// arrived tells the flow that gathers when enough wait; the caller holds the lock.
func (s *shelf) arrived() {
	if s.wanted > 0 && s.ready >= s.wanted {
		s.wanted = 0
		s.enough <- struct{}{}
	}
}

// expectNoMore takes back what expect has asked for, and the word that came meanwhile.
func (s *shelf) expectNoMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted == 0 {
		<-s.enough
	}
	s.wanted = 0
}
