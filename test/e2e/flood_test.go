package e2e

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flashsale/test/buyers"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	floodConnections = 600
	floodReaders     = 400 // buyers who read during the flood, one after the other: none of them reaches the limit of a buyer
)

// TestFloodOfOneBuyerLeavesOthersTheirReads: one buyer asks for their orders over 600 connections as fast as answers
// arrive. The buyer's limit refuses them, the median read of others takes at most twice as long as without the flood, and a
// pause reaches the gateway within its second.
func TestFloodOfOneBuyerLeavesOthersTheirReads(t *testing.T) {
	s := limitedStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(1000)))
	tokens := make([]string, floodReaders)
	for i := range tokens {
		buyer := fmt.Sprintf("reader-%d", i)
		tokens[i] = token(buyer)
		s.taken(ask{buyer: buyer})
	}
	s.taken(ask{buyer: "flood"})
	s.rowsAtRest("rush")

	calm := s.bestMedianRead(tokens)
	flood := s.flood(token("flood"))
	flooded := s.bestMedianRead(tokens)
	s.move("rush", "pause")
	paused := time.Now()
	s.eventuallyState(s.Gateways[0], "rush", "paused")
	assert.Less(t, time.Since(paused), time.Second, "the catalogue is followed on connections of its own")
	answered, refused := flood()
	t.Logf("median read of others %s, beside the flood %s; the flood was answered %d times and refused %d times",
		calm, flooded, answered, refused)
	assert.LessOrEqual(t, flooded, 2*calm)
	assert.Greater(t, refused, 10*answered)
}

// bestMedianRead returns the best of a few medians: other load of the machine is not what the test measures.
func (s *stack) bestMedianRead(tokens []string) time.Duration {
	s.t.Helper()
	best := time.Hour
	for range 3 {
		best = min(best, s.medianRead(tokens))
	}
	return best
}

// medianRead lets every reader ask for their orders once and returns the median time.
func (s *stack) medianRead(tokens []string) time.Duration {
	s.t.Helper()
	c, err := buyers.Dial(s.Gateways[0].Buyers)
	require.NoError(s.t, err)
	defer c.Close()
	took := make([]time.Duration, len(tokens))
	for i, token := range tokens {
		begun := time.Now()
		status, _, body, err := c.Exchange(s.readRequest(token))
		took[i] = time.Since(begun)
		require.NoError(s.t, err)
		require.Equal(s.t, 200, status, "%s", body)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func (s *stack) readRequest(token string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer %s\r\n\r\n", ask{}.path(), token)
}

// flood sends requests over many connections, each as soon as it was answered, until the returned function is called, which
// returns how often the buyer was answered and refused. flood returns when every connection has been answered once.
func (s *stack) flood(token string) (stop func() (answered, refused int64)) {
	s.t.Helper()
	var answered, refused atomic.Int64
	var over atomic.Bool
	var all, first sync.WaitGroup
	faults := make(chan error, floodConnections)
	request := s.readRequest(token)
	first.Add(floodConnections)
	for range floodConnections {
		all.Go(func() {
			c, err := buyers.Dial(s.Gateways[0].Buyers)
			firstDone := sync.OnceFunc(first.Done)
			defer firstDone()
			for err == nil && !over.Load() {
				var status int
				if status, _, _, err = c.Exchange(request); status == 200 {
					answered.Add(1)
				} else if status == 429 {
					refused.Add(1)
				}
				firstDone()
			}
			if err != nil {
				faults <- err
				return
			}
			faults <- c.Close()
		})
	}
	first.Wait()
	return func() (int64, int64) {
		over.Store(true)
		all.Wait()
		for range floodConnections {
			require.NoError(s.t, <-faults)
		}
		return answered.Load(), refused.Load()
	}
}
