package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"flashsale/sale"
)

// profilePath is the path where Go's tools look for profiles: go tool pprof http://…/debug/pprof/profile. Profiles
// reveal how the process spends its time and memory, so they need the operators' token.
const profilePath = "/debug/pprof/{profile}"

// Bounds of a CPU profile.
const (
	profileFor     = 30 * time.Second
	profileLongest = 5 * time.Minute
)

// stopper ends long requests when the server shuts down.
type stopper struct {
	stop chan struct{}
	once sync.Once
}

func newStopper() *stopper { return &stopper{stop: make(chan struct{})} }

// StopStreams ends long requests: event streams and profiles.
func (s *stopper) StopStreams() { s.once.Do(func() { close(s.stop) }) }

// stopped reports whether StopStreams was called.
func (s *stopper) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// serveProfile answers with a profile of runtime/pprof, or with a CPU profile of the next seconds.
func (s *stopper) serveProfile(c *call) error {
	name := c.r.PathValue("profile")
	if name == "profile" {
		return s.profileTime(c)
	}
	found := pprof.Lookup(name)
	if found == nil {
		return sale.ProblemOf(sale.OutcomeNotFound, "")
	}
	var page bytes.Buffer
	if err := found.WriteTo(&page, 0); err != nil {
		return fmt.Errorf("write profile %s: %w", name, err)
	}
	send(c.w, http.StatusOK, profileType, page.Bytes())
	return nil
}

const profileType = "application/octet-stream"

// profileTime takes a CPU profile for the seconds in the query. A process takes one such profile at a time.
func (s *stopper) profileTime(c *call) error {
	length := profileFor
	if text := c.r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		if length = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || length > profileLongest {
			return sale.ProblemOf(sale.OutcomeMalformed, "seconds must be 1 to 300", sale.Member{Name: "field", Value: "seconds"})
		}
	}
	var page bytes.Buffer
	if err := pprof.StartCPUProfile(&page); err != nil {
		return sale.ProblemOf(sale.OutcomeOverloaded, "another CPU profile is being taken")
	}
	over := time.NewTimer(length)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.stop:
	case <-c.r.Context().Done():
	}
	pprof.StopCPUProfile()
	send(c.w, http.StatusOK, profileType, page.Bytes())
	return nil
}
