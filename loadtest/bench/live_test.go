package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	deployed "flashsale/test/stack"
)

const (
	liveWatchers = 30
	liveFor      = 10 * time.Second
	liveRate     = 5_000 // orders/s while the watchers' cost is measured during a rush
	liveOrders   = 400_000
	liveTarget   = 2   // % of a core for all watchers
	liveDelay    = 1.1 // s, from a change in Redis to its event
)

// live measures what thirty operators who watch one sale cost the gateway: of an idle sale of one, a hundred and ten thousand
// SKUs, and during a rush; turns with and without them alternate. It also measures how late a change of the units is shown while
// the engine sells as fast as it can.
func live(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.openUsual()
	s.warm("rush")
	s.preloadMany("wide-100", 100)
	s.preloadMany("wide-10000", manySKUs)
	s.finish("rush")
	var figures []*Figure
	for _, of := range []struct {
		name, saleID string
		target       float64
	}{{"one SKU", "rush", liveTarget}, {"100 SKUs", "wide-100", liveTarget}, {"10,000 SKUs", "wide-10000", liveTarget}} {
		f := &Figure{Name: fmt.Sprintf("%d watchers of an idle sale of %s: gateway", liveWatchers, of.name), Unit: "% of a core",
			Target: of.target}
		for range repetitions {
			without := s.watched(0, of.saleID, func() { <-time.After(liveFor) })
			f.Ours = append(f.Ours, s.watched(liveWatchers, of.saleID, func() { <-time.After(liveFor) })-without)
		}
		figures = append(figures, f)
	}
	rush := &Figure{Name: fmt.Sprintf("the same of one SKU at %d orders/s", liveRate), Unit: "% of a core", Target: liveTarget}
	for range repetitions {
		without := s.watched(0, "rush", func() { s.sellAt(liveRate) })
		rush.Ours = append(rush.Ours, s.watched(liveWatchers, "rush", func() { s.sellAt(liveRate) })-without)
	}
	late := &Figure{Name: "from a change of the units to its event, selling as fast as possible", Unit: "s", Target: liveDelay}
	sold := &Figure{Name: "… orders meanwhile", Unit: "orders/s"}
	for range repetitions {
		seconds, rate := s.delay()
		late.Ours, sold.Ours = append(late.Ours, seconds), append(sold.Ours, rate)
	}
	return append(figures, rush, late, sold)
}

// sellAt sells for liveFor at a rate.
func (s *stack) sellAt(rate float64) {
	s.b.Helper()
	requests := s.presses("rush", int(rate*liveFor.Seconds()))
	driver, err := NewDriver(s.b.Context(), s.gateway.Listen, acceptConnection)
	require.NoError(s.b, err)
	defer driver.Close()
	count, err := driver.At(s.b.Context(), requests, rate)
	require.NoError(s.b, err)
	require.NoError(s.b, count.Only(202))
}

// watched returns the CPU of the gateway in % of a core while work runs and so many clients watch a sale.
func (s *stack) watched(watchers int, saleID string, work func()) float64 {
	s.b.Helper()
	ctx, cancel := context.WithCancel(s.b.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range watchers {
		events := s.watch(ctx, saleID)
		all.Go(func() {
			for range events {
			}
		})
	}
	<-time.After(6 * time.Second) // what watched before is not read any more, and the first events are over
	meter, err := StartMeter(s.gateway.PID())
	require.NoError(s.b, err)
	work()
	used, took, err := meter.Stop()
	require.NoError(s.b, err)
	return 100 * used[0].Seconds() / took.Seconds()
}

// shownUnits is the units for sale that an event shows, and when it came.
type shownUnits struct {
	at    time.Time
	units int64
}

// watch follows the live screen of a sale until ctx ends.
func (s *stack) watch(ctx context.Context, saleID string) <-chan shownUnits {
	s.b.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+s.gateway.Operators+"/admin/v1/sales/"+saleID+"/live", nil)
	require.NoError(s.b, err)
	request.Header.Set("Authorization", "Bearer "+deployed.AdminToken)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(s.b, err)
	require.Equal(s.b, http.StatusOK, response.StatusCode)
	events := make(chan shownUnits, 1000)
	s.b.Cleanup(func() { _ = response.Body.Close() })
	go readUnits(response.Body, events)
	return events
}

// readUnits sends the units that the events of a stream show until it ends.
func readUnits(stream io.Reader, events chan<- shownUnits) {
	defer close(events)
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		var live struct{ Total *struct{ Available int64 } }
		if is && strings.Contains(data, `"total":{`) && json.Unmarshal([]byte(data), &live) == nil && live.Total != nil {
			events <- shownUnits{time.Now(), live.Total.Available}
		}
	}
}

// delay sells as fast as possible and returns the longest time, in seconds, from a change of the units in Redis to the event that
// shows it, and the orders sold a second.
func (s *stack) delay() (seconds, rate float64) {
	s.b.Helper()
	requests := s.presses("rush", liveOrders)
	ctx, cancel := context.WithCancel(s.b.Context())
	defer cancel()
	events := s.watch(ctx, "rush")
	first := <-events
	sampled, selling := make(chan []shownUnits), make(chan struct{})
	go func() { sampled <- s.sample(selling) }()
	_, _, took := s.drive(s.gateway.Listen, requests)
	last := s.unitsInRedis()
	longest, shown := time.Duration(0), []shownUnits{first}
	for e := range events {
		if shown = append(shown, e); e.units <= last {
			break
		}
	}
	close(selling)
	changes := <-sampled
	for i := range shown[1:] {
		for _, c := range changes {
			if c.units < shown[i].units { // the first change that event i does not show, and i+1 does
				longest = max(longest, shown[i+1].at.Sub(c.at))
				break
			}
		}
	}
	s.finish("rush")
	return longest.Seconds(), liveOrders / took.Seconds()
}

// sample reads the units in Redis every few milliseconds until done is closed.
func (s *stack) sample(done <-chan struct{}) (all []shownUnits) {
	for {
		select {
		case <-done:
			return all
		case <-time.After(5 * time.Millisecond):
			all = append(all, shownUnits{time.Now(), s.unitsInRedis()})
		}
	}
}

func (s *stack) unitsInRedis() (units int64) {
	stock := fmt.Sprint(s.Redis[0].MustDo(s.b, "HGET", namespace+":{rush:0}:stock", "phone"))
	_, err := fmt.Sscan(stock, &units)
	require.NoError(s.b, err)
	return units
}
