package bench

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	warmFor       = 500 * time.Millisecond
	measureFor    = 1500 * time.Millisecond
	soldOutTokens = 100_000 // distinct tokens of refused buyers
)

// perRequest is the CPU time of one process for each of n requests, in µs.
func perRequest(used time.Duration, n int64) float64 {
	return float64(used.Nanoseconds()) / 1000 / float64(n)
}

// soldOut sells the sale "gone" out and measures the refusal of all other buyers.
func (s *stack) soldOut() []*Figure {
	buyers := s.presses("gone", 1000)
	driver, err := NewDriver(s.b.Context(), s.gateway.Listen, 64)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.Once(s.b.Context(), buyers)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
	withTokens, without := s.presses("gone", soldOutTokens), &Requests{}
	without.Add(Purchase(s.gateway.Listen, "gone", "phone", "", ""))
	s.latch(withTokens.At(0), without.At(0))
	var figures []*Figure
	for _, connections := range []int{64, 512} {
		figures = append(figures,
			s.refusals(fmt.Sprintf("sold out, %d connections", connections), 1.25, connections, without),
			s.refusals(fmt.Sprintf("sold out, %d connections, a new token each", connections), 1.4, connections, withTokens))
	}
	return figures
}

// latch presses once with a token, which closes the gateway's sold-out latch, and waits until presses without a token
// are refused from memory too: then the gateway has the filter of owners.
func (s *stack) latch(withToken, without []byte) {
	s.b.Helper()
	answer, err := Ask(s.gateway.Listen, withToken)
	require.NoError(s.b, err)
	require.Equal(s.b, 409, answer.Status, answer.Body)
	require.Eventually(s.b, func() bool {
		answer, err := Ask(s.gateway.Listen, without)
		return err == nil && answer.Status == 409 && strings.Contains(answer.Body, "sold_out")
	}, time.Minute, 10*time.Millisecond)
}

// refusals measures gateway and bare handler alternately with the same requests.
func (s *stack) refusals(name string, target float64, connections int, requests *Requests) *Figure {
	figure := &Figure{Name: name, Unit: "gateway CPU µs a request ÷ bare", Target: target}
	answer, err := Ask(s.gateway.Listen, requests.At(0))
	require.NoError(s.b, err)
	require.Equal(s.b, 409, answer.Status, answer.Body)
	require.NoError(s.b, SetBareAnswer(s.bareAt, answer.Bytes))
	for range repetitions {
		ours := s.costOf(s.gateway.Listen, s.gateway.PID(), connections, requests, 409)
		figure.Add(ours, s.costOf(s.bareAt, s.bare.PID(), connections, requests, 200))
	}
	return figure
}

// costOf returns the CPU µs per request of one process, after a warm-up.
func (s *stack) costOf(address string, pid, connections int, requests *Requests, status int) float64 {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), address, connections)
	require.NoError(s.b, err)
	defer driver.Close()
	_, err = driver.For(s.b.Context(), requests, warmFor)
	require.NoError(s.b, err)
	meter, err := StartMeter(pid)
	require.NoError(s.b, err)
	count, err := driver.For(s.b.Context(), requests, measureFor)
	require.NoError(s.b, err)
	used, _, err := meter.Stop()
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(status))
	return perRequest(used[0], count.Answers)
}
