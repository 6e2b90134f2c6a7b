package admin

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// Bounds on who sends wrong tokens. A right one never waits, also from the same address: whoever guesses tokens must not
// keep an operator from pausing a sale.
const (
	strangerPace    = 100 * time.Millisecond // between two wrong tokens of one address, once its burst is used up
	strangerBurst   = 20
	strangerWait    = 5 * time.Second // the longest that one waits for his refusal, so that 50 of one address wait at most
	strangerEntries = 4096            // addresses remembered; beyond them the newcomers share one entry
	strangerLog     = time.Second     // at most one line in this time
)

// strangers are those who send a wrong operators' or shop's token: counted, logged once a second with a count, and slowed
// per address.
type strangers struct {
	log     *slog.Logger
	refused prometheus.Counter
	pace    time.Duration

	mu     sync.Mutex
	next   map[netip.Addr]time.Time // when the address has its whole burst again
	silent bool                     // a line was written within strangerLog
	count  int                      // of those who are not logged yet
	last   netip.Addr               // where the last of them came from
}

// newStrangers shows the count as flashsale_operator_token_refusals_total.
func newStrangers(registerer prometheus.Registerer, log *slog.Logger) *strangers {
	s := &strangers{
		log: log, pace: strangerPace, next: map[netip.Addr]time.Time{},
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_operator_token_refusals_total",
			Help: "Requests of the operators' listener with a wrong token.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(s.refused)
	}
	return s
}

// refuse counts and logs a request that carries a wrong token, and returns its answer when that is due. Where the address's
// line is full it is rate_limited, at once, and the connection ends: a guess beyond the pace costs a new one. No pace hides from
// a guesser that his token is wrong, because a right one is answered at once: against that it is long.
// A request without any token is nobody's guess: its answer is due at once.
func (s *strangers) refuse(w http.ResponseWriter, r *http.Request) sale.Problem {
	if !s.inTime(r) {
		w.Header().Set("Retry-After", strconv.Itoa(int(strangerWait/time.Second)))
		w.Header().Set("Connection", "close")
		return sale.ProblemOf(sale.OutcomeRateLimited, "too many wrong tokens come from this address")
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	return sale.ProblemOf(sale.OutcomeUnauthenticated, "")
}

// inTime returns true when the answer is due, and false at once where the address's line is full.
func (s *strangers) inTime(r *http.Request) bool {
	if len(r.Header.Values("Authorization")) == 0 {
		return true
	}
	s.refused.Inc()
	address := strangerOf(r)
	s.note(address)
	wait, ok := s.delay(address, time.Now())
	if !ok || wait <= 0 {
		return ok
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	return true
}

// delay returns how long a wrong token of the address has to wait (the generic cell rate algorithm, as the buyers' limits), and
// false where that is too long: then it takes no place in the line.
func (s *strangers) delay(address netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.next[address]; !known && len(s.next) >= strangerEntries {
		for old, full := range s.next {
			if full.Before(now) {
				delete(s.next, old)
			}
		}
		if len(s.next) >= strangerEntries {
			address = netip.Addr{}
		}
	}
	full := s.next[address]
	if full.Before(now) {
		full = now
	}
	full = full.Add(s.pace)
	if wait = full.Sub(now) - strangerBurst*s.pace; wait > strangerWait {
		return 0, false
	}
	s.next[address] = full
	return wait, true
}

// note writes a line, unless one was written just now: then the next line tells of this one too.
func (s *strangers) note(address netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.last = address
	if !s.silent {
		s.tell()
	}
}

// tell writes the line and keeps silent for a while. The lock is held.
func (s *strangers) tell() {
	s.log.Warn("wrong operators' token", "count", s.count, "address", s.last)
	s.count, s.silent = 0, true
	time.AfterFunc(strangerLog, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.silent = false
		if s.count > 0 {
			s.tell()
		}
	})
}

// strangerOf returns whom a wrong token is held against: the peer, an IPv6 one by its /64.
func strangerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // no TCP connection: all of them share one entry
	}
	address := peer.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address
	}
	network, err := address.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return network.Addr()
}
