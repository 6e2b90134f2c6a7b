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

// profilePath is where Go's tools look for profiles: go tool pprof http://…/debug/pprof/profile. They say where the process
// spends its time and what it allocates, and so need the operators' token.
const profilePath = "GET /debug/pprof/{profile}"

// Bounds of a profile of the processor's time.
const (
	profileFor     = 30 * time.Second
	profileLongest = 5 * time.Minute
)

// stopper tells requests that would go on for long that the server wants to end.
type stopper struct {
	stop chan struct{}
	once sync.Once
}

func newStopper() *stopper { return &stopper{stop: make(chan struct{})} }

// StopStreams ends what goes on for long: event streams, profiles.
func (s *stopper) StopStreams() { s.once.Do(func() { close(s.stop) }) }

// serveProfile answers with one of the profiles of runtime/pprof, or with where the time of the next seconds goes.
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

// profileTime watches the processor for the seconds asked for. There is one such profile in a process at a time.
func (s *stopper) profileTime(c *call) error {
	length := profileFor
	if text := c.r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		if length = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || length > profileLongest {
			return sale.ProblemOf(sale.OutcomeMalformed, "seconds is 1 to 300", sale.Member{Name: "field", Value: "seconds"})
		}
	}
	var page bytes.Buffer
	if err := pprof.StartCPUProfile(&page); err != nil {
		return sale.ProblemOf(sale.OutcomeOverloaded, "another profile of the processor's time is being taken")
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
