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
	overloadTimes       = 3    // of the greatest rate
	overloadConnections = 6000 // that press
	overloadBound       = 4000 // purchases that a rule lets in at once, afterwards: fewer than connections that press
	greatestOrders      = 3 * acceptOrders
	idleConnections     = 10_000
	halfOpen            = 200 // connections that sent half a request
	vanishEvery         = 5 * time.Millisecond
	overloadFor         = 3 * time.Second
	answerWithin        = 5 * time.Second // the contract's
	overloadMemory      = 700             // MB: 16,000 connections of 30 KB, garbage included, and what an engine needs
)

// overload presses three times as often as orders can be taken, whether or not anybody was answered, among idle, broken
// and vanishing clients: with the settings as they come, which let everybody in, and then under a rule that refuses whoever
// comes while too many are in. The client works on the same cores as the engine: what it uses more than when the greatest
// rate was measured is taken off that rate in the second figure.
func overload(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.openSale("rush", 9_999_999)
	s.setRules()
	s.warm("rush")
	greatest, lessBusy := s.greatestBesideClient()
	accepted := &Figure{Name: "  accepted ÷ greatest", Unit: "orders/s"}
	fair := &Figure{Name: "  accepted ÷ greatest with the cores that this client leaves", Unit: "orders/s", Target: 0.8,
		Least: true}
	stop := s.crowdAround()
	defer stop()
	figures := s.overloads(fmt.Sprintf("overload, %d × %.0f presses/s for %s", overloadTimes, greatest, overloadFor), greatest,
		func(run offering) {
			taken := float64(run.taken) / run.took.Seconds()
			accepted.Add(taken, greatest)
			fair.Add(taken, greatest*run.left(s.cores())/lessBusy)
		})
	s.run(fmt.Sprintf(`{"isolation":[{"resource":"purchase","concurrency":%d}],"buyer":null}`, overloadBound), "rules", "put",
		"-f", "-")
	refused := &Figure{Name: "  refused as overloaded ÷ all", Unit: "presses"}
	bounded := s.overloads(fmt.Sprintf("the same where a rule lets %d in at once", overloadBound), greatest, func(run offering) {
		refused.Add(float64(run.refused), float64(run.taken+run.refused))
	})
	memory := &Figure{Name: "  gateway: resident, at the most", Unit: "MB", Target: overloadMemory,
		Ours: []float64{s.resident("VmHWM")}}
	return slices.Concat(figures, []*Figure{accepted, fair}, bounded, []*Figure{refused, memory})
}

// overloads offers presses in each repetition and returns how they were answered.
func (s *stack) overloads(name string, greatest float64, each func(offering)) []*Figure {
	s.b.Helper()
	offered := &Figure{Name: name + ": answered", Unit: "presses/s"}
	late := &Figure{Name: "  answered later than 5 s, or not at all, in all repetitions", Unit: "presses", Target: 0.5,
		Ours: []float64{0}}
	slowest := &Figure{Name: "  the slowest answer since its press was sent", Unit: "ms"}
	due := &Figure{Name: "  since its press was due: a client with all connections at work sends late", Unit: "ms"}
	for range repetitions {
		run := s.offer(overloadTimes * greatest)
		offered.Ours = append(offered.Ours, float64(run.taken+run.refused)/run.took.Seconds())
		late.Ours[0] += float64(run.late)
		slowest.Ours = append(slowest.Ours, milliseconds(run.slowest))
		due.Ours = append(due.Ours, milliseconds(run.slowestDue))
		each(run)
		say("overload: %d taken, %d refused as overloaded, %d late, client %.2f cores, %s", run.taken, run.refused, run.late,
			run.client, run.took.Round(time.Millisecond))
		s.drained()
	}
	return []*Figure{offered, late, slowest, due}
}

// greatestBesideClient measures the greatest rate, kept up about as long as the overload will last, and how many cores the
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

// crowdAround opens the connections that nobody uses well, until stop.
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
				_, _ = conn.Write(vanishing.At(n % vanishing.Len())) // nobody waits for the answer
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

// offering is what presses at a given rate were answered.
type offering struct {
	taken, refused, other, late int64
	slowest, slowestDue         time.Duration
	took                        time.Duration
	client                      float64 // cores that the client was busy with
}

// left is how many cores the client left to the engine.
func (o *offering) left(cores float64) float64 { return cores - o.client }

// offer presses at a rate for overloadFor. The presses of a connection have their moments; one that is due while the answer
// to the one before is not there leaves late: what it has waited since it was due is counted beside what the gateway took.
func (s *stack) offer(rate float64) offering {
	s.b.Helper()
	requests := s.presses("rush", int(rate*overloadFor.Seconds()))
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

// press sends every step-th request from the first at its moment.
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
