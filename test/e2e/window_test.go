package e2e

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flashsale/test/buyers"
	"flashsale/test/buyers/history"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWindow watches one sale from before its start until after its end, by Redis's clock.
func TestWindow(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	starts := time.Now().Add(3 * time.Second).Truncate(time.Millisecond)
	ends := starts.Add(3 * time.Second)
	d := lasting(phone(rushUnits))
	d.StartsAt, d.EndsAt = stamp(starts), stamp(ends)
	s.create("rush", d)
	s.move("rush", "preload")
	s.move("rush", "open")
	var group sync.WaitGroup
	var buyer atomic.Int64
	for _, g := range s.Gateways {
		group.Add(1)
		go func() {
			defer group.Done()
			watchWindow(t, g, &buyer, starts, ends)
		}()
	}
	group.Wait()
	s.audit("rush")
	for id := range s.books("rush").rows {
		order := s.operate("GET", "/admin/v1/orders/"+id, nil).json(s)
		created := parseTime(t, order["created_at"])
		require.False(t, created.Before(starts), "order %s of %s was taken before the start", id, created)
		require.True(t, created.Before(ends), "order %s of %s was taken after the end", id, created)
	}
}

// watchWindow presses at one gateway until it hears that the sale is over: first not_started, then orders, then
// sale_ended, each at once.
func watchWindow(t *testing.T, g *gateway, buyer *atomic.Int64, starts, ends time.Time) {
	c := buyers.NewCrowd(&buyers.Deployment{Gateways: []buyers.Gateway{{Buyers: g.Buyers}}, Secret: secret}, &history.Recorder{})
	with := c.NewClient()
	defer with.Close()
	var codes []string
	for len(codes) == 0 || codes[len(codes)-1] != "sale_ended" {
		name := "window-" + strconv.FormatInt(buyer.Add(1), 10)
		answer := c.Ask(with, history.Question{Verb: history.Buy, Sale: "rush", SKU: "phone", Buyer: name})
		word := answer.Word()
		const skew = 300 * time.Millisecond // how late a gateway may notice
		switch {
		case word == "not_started" || word == "sale_not_found":
			assert.True(t, answer.Sent().Before(starts.Add(skew)), "%s long after the start", word)
		case word == "sale_ended":
			assert.True(t, answer.Got().After(ends.Add(-skew)), "ended long before the end")
		default:
			if !assert.Equal(t, 202, answer.Status, word) {
				return
			}
		}
		if len(codes) == 0 || codes[len(codes)-1] != word {
			codes = append(codes, word)
		}
		<-time.After(2 * time.Millisecond) // a steady press, not a flood
	}
	assert.Contains(t, codes, "not_started")
	assert.Contains(t, codes, "queued")
}

func stamp(moment time.Time) string { return moment.UTC().Format("2006-01-02T15:04:05.000Z") }

func parseTime(t *testing.T, value any) time.Time {
	t.Helper()
	text, _ := value.(string)
	moment, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	require.NoError(t, err, "times are RFC 3339 in UTC with milliseconds")
	return moment
}

// TestPauseAndResume: from the answer to pause on, nothing is taken at any gateway, and within a second each says so;
// within a second of resume each sells again.
func TestPauseAndResume(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	s.open("rush", lasting(phone(1_000_000)))
	c := newCrowd(s, "rush", 40_000)
	c.Connections = 16
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.paced(2_000, "phone", end)
	}()
	for round := range 3 {
		c.heard(c.Out.Ended() + 500)
		s.move("rush", "pause")
		paused := time.Now()
		for _, g := range s.Gateways {
			s.eventuallyState(g, "rush", "paused")
		}
		assert.Less(t, time.Since(paused), time.Second, "round %d: every gateway says so within a second", round)
		c.heard(c.Out.Ended() + 500)
		resuming := time.Now()
		s.move("rush", "resume")
		resumed := time.Now()
		for i := range s.Gateways {
			c.eventuallySells(i)
		}
		assert.Less(t, time.Since(resumed), time.Second, "round %d: every gateway sells within a second", round)
		c.nothingBetween(paused, resuming)
	}
	close(end)
	<-ended
	c.check(1, map[string]int{"phone": 1_000_000})
}

// nothingBetween fails when a press that was sent in that time was not refused as paused.
func (c *crowd) nothingBetween(from, until time.Time) {
	c.s.t.Helper()
	refused := 0
	for _, op := range c.purchases() {
		if op.End != history.Open && op.Sent().After(from) && op.Got().Before(until) {
			require.Equal(c.s.t, "paused", op.Word())
			refused++
		}
	}
	require.Greater(c.s.t, refused, 100)
}

// eventuallySells presses as ever new buyers, from the end of the crowd, until the gateway takes an order.
func (c *crowd) eventuallySells(gateway int) {
	c.s.t.Helper()
	with := c.NewClient()
	defer with.Close()
	require.Eventually(c.s.t, func() bool {
		c.spare++
		op := c.Ask(with, c.press(c.buyers-c.spare, gateway))
		return op.Status == 202
	}, 5*time.Second, 10*time.Millisecond)
}

// TestCloseIsForGood: closed is told as sale_ended by every gateway, and no step leads back.
func TestCloseIsForGood(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	s.open("rush", lasting(phone(100)))
	newCrowd(s, "rush", 10).eventuallySells(1)
	s.move("rush", "close")
	for i, g := range s.Gateways {
		answer := s.request("POST", "http://"+g.Buyers+"/v1/sales/rush/items/phone/orders", nil,
			"Authorization", "Bearer "+token("late-"+strconv.Itoa(i)))
		require.Equal(t, 410, answer.status, "%s", answer.body)
		s.eventuallyState(g, "rush", "ended")
	}
	s.move("rush", "close")
	for _, verb := range []string{"open", "pause", "resume", "preload"} {
		refused := s.operate("POST", "/admin/v1/sales/rush/"+verb, nil)
		require.Equal(t, 409, refused.status, verb)
		var problem struct{ Code, State string }
		require.NoError(t, json.Unmarshal(refused.body, &problem))
		require.Equal(t, "wrong_state", problem.Code)
		require.Equal(t, "closed", problem.State)
	}
	s.audit("rush")
}
