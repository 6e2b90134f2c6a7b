package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// liveEvent is one event of a live stream.
type liveEvent struct {
	name string
	data object
}

// follow opens a live stream of the first gateway. Its channel ends with the stream.
func (s *stack) follow(path string) <-chan liveEvent {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Gateways[0].Operators+path, nil)
	require.NoError(s.t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	events := make(chan liveEvent, 1000)
	s.t.Cleanup(cancel)
	s.t.Cleanup(func() { _ = response.Body.Close() })
	go readEvents(response.Body, events)
	return events
}

// readEvents sends the events of a stream until it ends.
func readEvents(stream io.Reader, events chan<- liveEvent) {
	defer close(events)
	var one liveEvent
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		switch field, value, _ := strings.Cut(lines.Text(), ": "); {
		case field == "event":
			one = liveEvent{name: value}
		case field == "data" && json.Unmarshal([]byte(value), &one.data) == nil:
			events <- one
		}
	}
}

// until reads events until one is as wanted.
func (s *stack) until(events <-chan liveEvent, what string, wanted func(liveEvent) bool) liveEvent {
	s.t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	var last liveEvent
	for {
		select {
		case e, open := <-events:
			require.True(s.t, open, "the stream ended before: %s", what)
			if wanted(e) {
				return e
			}
			last = e
		case <-timeout.C:
			require.Failf(s.t, "not seen", "%s; the last event: %s %v", what, last.name, last.data)
		}
	}
}

// live returns a condition on the data of an event `live`.
func live(holds func(total, data object) bool) func(liveEvent) bool {
	return func(e liveEvent) bool {
		return e.name == "live" && holds(e.data["total"].(object), e.data)
	}
}

// TestLiveScreen follows a sale on the first of two gateways: presses on the other one count too, units go from available to
// settled to paid, both gateways and the settling process are there, what an operator does is told, and while Redis is stopped
// the screen goes on.
func TestLiveScreen(t *testing.T) {
	s := newStack(t, servers{Redis: []*harness.RedisServer{harness.Redis(t)}}).run(2, 1)
	s.open("rush", lasting(phone(50)))
	events := s.follow("/admin/v1/sales/rush/live")
	require.Equal(t, "history", (<-events).name)
	s.until(events, "both gateways and settle", live(func(_, data object) bool {
		return len(data["processes"].([]any)) == 3
	}))
	began := time.Now()
	s.until(events, "two steps of the history, of which one is whole", live(func(_, _ object) bool {
		return time.Since(began) > 10*time.Second
	}))
	pressed := time.Now()
	var orders []string
	for i, buyer := range []string{"ann", "bob", "cat", "dan"} {
		answer := s.buy(ask{gateway: i % 2, buyer: buyer})
		require.Equal(t, http.StatusAccepted, answer.status, "%s", answer.body)
		orders = append(orders, answer.json(s)["order_id"].(string))
	}
	s.until(events, "four settled units", live(func(total, _ object) bool {
		return total["settled"] == 4.0 && total["unpaid"] == 4.0 && total["available"] == 46.0 && total["conserved"] == true
	}))
	paid := s.shop("PUT", orders[0]+"/payment", object{"payment_id": "p-1"})
	require.Equal(t, http.StatusOK, paid.status, "%s", paid.body)
	s.until(events, "one paid unit", live(func(total, _ object) bool { return total["paid"] == 1.0 && total["unpaid"] == 3.0 }))
	s.operate("POST", "/admin/v1/sales/rush/pause", nil)
	told := s.until(events, "the pause in the trail", func(e liveEvent) bool {
		return e.name == "trail" && e.data["verb"] == "pause"
	})
	require.Equal(t, "sale/rush", told.data["target"])

	// A step without pulses counts what it saw for the whole of it, so that of the presses ends before Redis stands still.
	s.until(events, "the step of the presses is over", live(func(_, _ object) bool {
		return time.Since(pressed) > 6*time.Second
	}))
	s.Redis[0].Pause()
	s.until(events, "Redis is away, and the books are shown", live(func(total, data object) bool {
		redis := data["stores"].([]any)[0].(object)
		return redis["up"] == false && total["available"] == nil && total["loaded"] == 50.0 && total["paid"] == 1.0
	}))
	s.Redis[0].Continue()
	s.until(events, "Redis is back", live(func(total, data object) bool {
		return data["stores"].([]any)[0].(object)["up"] == true && total["available"] == 46.0
	}))
	history := s.until(s.follow("/admin/v1/sales/rush/live"), "history", func(e liveEvent) bool { return e.name == "history" })
	sum := 0.0
	for _, perSecond := range history.data["orders"].([]any) {
		n, _ := perSecond.(float64)
		sum += 5 * n
	}
	require.InDelta(t, 4, sum, 1.1, "the presses of both gateways; a step is four to six pulses")
}
