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

// Bounds on clients that send wrong tokens. A request with the right token never waits, even from the same address:
// guessing tokens must not keep an operator from pausing a sale.
const (
	strangerPace    = 100 * time.Millisecond // between two wrong tokens of one address, after its burst
	strangerBurst   = 20
	strangerWait    = 5 * time.Second // the longest delay of a refusal, so that at most 50 requests of one address wait
	strangerEntries = 4096            // addresses remembered; further addresses share one entry
	strangerLog     = time.Second     // at most one log line in this time
)

// strangers are the clients that send a wrong operators' or shop's token. Their requests are counted, logged at most
// once a second with a count, and slowed per address.
type strangers struct {
	log     *slog.Logger
	refused prometheus.Counter
	pace    time.Duration

	mu     sync.Mutex
	next   map[strangerKey]time.Time // when an address or a claimed name has its whole burst again
	silent bool                      // a line was logged within strangerLog
	count  int                       // requests that are not logged yet
	last   netip.Addr                // address of the last of them
}

// strangerKey is what wrong tokens are counted against: an address, or a name that a forged cookie claims.
type strangerKey struct {
	address netip.Addr
	name    string
}

// newStrangers exports the count as flashsale_operator_token_refusals_total.
func newStrangers(registerer prometheus.Registerer, log *slog.Logger) *strangers {
	s := &strangers{
		log: log, pace: strangerPace, next: map[strangerKey]time.Time{},
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

// refuse counts and logs a request with a wrong token, and returns its answer when the answer is due. When the
// address's queue is full, the answer is rate_limited at once and the connection is closed, so every further guess
// costs a new connection. A delay does not hide that a token is wrong, because a right one is answered at once; the
// tokens' length protects against guessing. A request without a token is not a guess: its answer is due at once.
func (s *strangers) refuse(w http.ResponseWriter, r *http.Request) sale.Problem {
	if !s.inTime(r, len(r.Header.Values("Authorization")) > 0, "") {
		return s.slowed(w)
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	return sale.ProblemOf(sale.OutcomeUnauthenticated, "")
}

// refuseGuess is refuse for a guess outside the header: a token in a body, or a cookie that claims a name. A claimed name is
// slowed like an address, so that guesses from many addresses are slow too.
func (s *strangers) refuseGuess(w http.ResponseWriter, r *http.Request, claimed string) sale.Problem {
	if !s.inTime(r, true, claimed) {
		return s.slowed(w)
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	return sale.ProblemOf(sale.OutcomeUnauthenticated, "")
}

func (s *strangers) slowed(w http.ResponseWriter) sale.Problem {
	w.Header().Set("Retry-After", strconv.Itoa(int(strangerWait/time.Second)))
	w.Header().Set("Connection", "close")
	return sale.ProblemOf(sale.OutcomeRateLimited, "this address has sent too many wrong tokens")
}

// inTime returns true when the answer is due, and false at once when the queue of the address or of the claimed name is full.
func (s *strangers) inTime(r *http.Request, guess bool, claimed string) bool {
	if !guess {
		return true
	}
	s.refused.Inc()
	address := strangerOf(r)
	s.note(address)
	wait, ok := s.delay(strangerKey{address: address}, time.Now())
	if ok && claimed != "" {
		var more time.Duration
		more, ok = s.delay(strangerKey{name: claimed}, time.Now())
		wait = max(wait, more)
	}
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

// delay returns how long the answer to a wrong token of an address or a name is delayed, by the generic cell rate algorithm as
// for the buyers' limits. It returns false when the delay would exceed strangerWait; such a request takes no place in
// the queue.
func (s *strangers) delay(of strangerKey, now time.Time) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.next[of]; !known && len(s.next) >= strangerEntries {
		for old, full := range s.next {
			if full.Before(now) {
				delete(s.next, old)
			}
		}
		if len(s.next) >= strangerEntries {
			of = strangerKey{}
		}
	}
	full := s.next[of]
	if full.Before(now) {
		full = now
	}
	full = full.Add(s.pace)
	if wait = full.Sub(now) - strangerBurst*s.pace; wait > strangerWait {
		return 0, false
	}
	s.next[of] = full
	return wait, true
}

// note logs the request, unless a line was logged just now: then the next line counts it too.
func (s *strangers) note(address netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.last = address
	if !s.silent {
		s.tell()
	}
}

// tell logs the line and suppresses further lines for strangerLog. The caller owns the mutex.
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

// strangerOf returns the address that a wrong token counts against: the peer, an IPv6 one by its /64.
func strangerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // not a TCP connection: all of these share one entry
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
