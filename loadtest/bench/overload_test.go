package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/loadtest/client"
)

const (
	overloadTimes       = 3    // times the greatest rate
	overloadConnections = 6000 // that send presses
	overloadBound       = 4000 // purchases that a rule admits at once in the second part: fewer than overloadConnections
	greatestOrders      = 3 * acceptOrders
	idleConnections     = 10_000
	halfOpen            = 200 // connections that sent half a request
	vanishEvery         = 5 * time.Millisecond
	overloadFor         = 3 * time.Second
	answerWithin        = 5 * time.Second // the contract's limit
	overloadMemory      = 500             // MB: 6,000 connections at work of 30 KB, 10,000 that wait, garbage and the engine
)

// overload sends three times the presses that can be accepted, in an open loop, next to idle, broken and vanishing
// clients: first with the default settings, which admit every buyer, and then under a rule that refuses presses while
// too many are in flight. The greatest rate is measured before each repetition, without that crowd. The client uses the same
// cores as the engine: the CPU time that it uses beyond that of the measurement of the greatest rate is subtracted from that
// rate in the second figure.
func overload(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.openSale("rush", 9_999_999)
	s.setRules()
	s.warm("rush")
	accepted := &Figure{Name: "  accepted ÷ greatest", Unit: "orders/s"}
	fair := &Figure{Name: "  accepted ÷ greatest with the cores that this client leaves", Unit: "orders/s", Target: 0.85,
		Least: true}
	var greatest, lessBusy float64
	figures := s.overloads(fmt.Sprintf("overload, %d × the greatest rate for %s", overloadTimes, overloadFor),
		func() float64 {
			greatest, lessBusy = s.greatestBesideClient()
			return greatest
		}, func(run offering) {
			taken := float64(run.taken) / run.took.Seconds()
			accepted.Add(taken, greatest)
			fair.Add(taken, greatest*run.left(s.cores())/lessBusy)
		})
	s.run(fmt.Sprintf(`{"isolation":[{"resource":"purchase","concurrency":%d}],"buyer":null}`, overloadBound), "rules", "put",
		"-f", "-")
	refused := &Figure{Name: "  refused as overloaded ÷ all", Unit: "presses"}
	bounded := s.overloads(fmt.Sprintf("the same where a rule lets %d in at once", overloadBound),
		func() float64 { return greatest }, func(run offering) {
			refused.Add(float64(run.refused), float64(run.taken+run.refused))
		})
	memory := &Figure{Name: "  gateway: resident, at the most", Unit: "MB", Target: overloadMemory,
		Ours: []float64{s.resident("VmHWM")}}
	return slices.Concat(figures, []*Figure{accepted, fair}, bounded, []*Figure{refused, memory})
}

// overloads offers presses in each repetition, overloadTimes as many as greatest returns, and returns the answers.
func (s *stack) overloads(name string, greatest func() float64, each func(offering)) []*Figure {
	s.b.Helper()
	offered := &Figure{Name: name + ": answered", Unit: "presses/s"}
	late := &Figure{Name: "  answered later than 5 s, or not at all, in all repetitions", Unit: "presses", Target: 0.5,
		Ours: []float64{0}}
	slowest := &Figure{Name: "  the slowest answer since its press was sent", Unit: "ms"}
	due := &Figure{Name: "  since its press was due: a client with all connections at work sends late", Unit: "ms"}
	for range repetitions {
		rate := overloadTimes * greatest()
		requests := s.presses("rush", int(rate*overloadFor.Seconds()))
		disperse := s.crowdAround()
		run := s.offer(requests, rate)
		disperse()
		offered.Ours = append(offered.Ours, float64(run.taken+run.refused)/run.took.Seconds())
		late.Ours[0] += float64(run.late)
		slowest.Ours = append(slowest.Ours, milliseconds(run.slowest))
		due.Ours = append(due.Ours, milliseconds(run.slowestDue))
		each(run)
		say("overload: %.0f presses/s, %d taken, %d refused as overloaded, %d late, client %.2f cores, %s", rate, run.taken,
			run.refused, run.late, run.client, run.took.Round(time.Millisecond))
		s.drained()
	}
	return []*Figure{offered, late, slowest, due}
}

// greatestBesideClient measures the greatest rate for about as long as the overload will last, and how many cores the
// client left to the engine.
func (s *stack) greatestBesideClient() (rate, left float64) {
	s.b.Helper()
	requests := s.presses("rush", greatestOrders)
	before, err := CPUTime(os.Getpid())
	require.NoError(s.b, err)
	count, took := s.take(requests, nil)
	after, err := CPUTime(os.Getpid())
	require.NoError(s.b, err)
	s.drained()
	return float64(count.Answers) / took.Seconds(), s.cores() - (after-before).Seconds()/took.Seconds()
}

func (s *stack) cores() float64 {
	s.b.Helper()
	machine, err := ThisMachine(".")
	require.NoError(s.b, err)
	return float64(machine.Cores)
}

// crowdAround opens the idle, broken and vanishing connections, until stop.
func (s *stack) crowdAround() (stop func()) {
	s.b.Helper()
	var open []net.Conn
	for n := range idleConnections + halfOpen {
		conn, err := net.Dial("tcp", s.gateway.Listen)
		require.NoError(s.b, err)
		open = append(open, conn)
		if n < halfOpen {
			press := s.presses("rush", 1).At(0)
			_, err := conn.Write(press[:len(press)/2])
			require.NoError(s.b, err)
		}
	}
	over := make(chan struct{})
	vanishing := s.presses("rush", 10_000)
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(vanishEvery)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-ticker.C:
			}
			if conn, err := net.Dial("tcp", s.gateway.Listen); err == nil {
				_, _ = conn.Write(vanishing.At(n % vanishing.Len())) // the client reads no answer
				_ = conn.Close()
			}
		}
	})
	return func() {
		close(over)
		running.Wait()
		for _, conn := range open {
			_ = conn.Close() // the gateway may have closed it first
		}
	}
}

// offering is the answers to presses at a given rate.
type offering struct {
	taken, refused, other, late int64
	slowest, slowestDue         time.Duration
	took                        time.Duration
	client                      float64 // cores that the client used
}

// left is how many cores the client left to the engine.
func (o *offering) left(cores float64) float64 { return cores - o.client }

// offer sends presses at a rate. Each press of a connection has its due time; a press that is due
// before the previous answer has arrived leaves late, and its wait is counted in addition to the gateway's latency.
func (s *stack) offer(requests *Requests, rate float64) offering {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), s.gateway.Listen, overloadConnections)
	require.NoError(s.b, err)
	defer driver.Close()
	used, err := CPUTime(os.Getpid())
	require.NoError(s.b, err)
	lanes := make([]offering, len(driver.conns))
	began := time.Now()
	var running sync.WaitGroup
	for i, conn := range driver.conns {
		running.Go(func() { lanes[i].press(s.b.Context(), conn, requests, i, len(lanes), began, rate) })
	}
	running.Wait()
	all := offering{took: time.Since(began)}
	after, err := CPUTime(os.Getpid())
	require.NoError(s.b, err)
	all.client = (after - used).Seconds() / all.took.Seconds()
	for _, l := range lanes {
		all.taken, all.refused, all.other, all.late = all.taken+l.taken, all.refused+l.refused, all.other+l.other, all.late+l.late
		all.slowest = max(all.slowest, l.slowest)
		all.slowestDue = max(all.slowestDue, l.slowestDue)
	}
	require.Zero(s.b, all.other, "answers that are neither 202 nor 503 with Retry-After")
	return all
}

// press sends every step-th request from the first at its due time.
func (o *offering) press(
	ctx context.Context, conn *client.Conn, requests *Requests, first, step int, began time.Time, rate float64,
) {
	var response client.Response
	end := began.Add(overloadFor + time.Minute)
	for n := first; n < requests.Len(); n += step {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			<-time.After(wait)
		}
		sent := time.Now()
		err := conn.Do(ctx, requests.At(n), end, &response)
		waited := time.Since(sent)
		o.slowest, o.slowestDue = max(o.slowest, waited), max(o.slowestDue, time.Since(due))
		if err != nil || waited > answerWithin {
			o.late++
		}
		switch {
		case err != nil:
		case response.Status == 202:
			o.taken++
		case response.Status == 503 && response.RetryAfter > 0:
			o.refused++
		default:
			o.other++
		}
	}
}
