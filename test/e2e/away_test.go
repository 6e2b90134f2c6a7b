package e2e

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestRedisSilent: a Redis that does not answer is told as unknown with the order's id, within five seconds, and the
// repeat with the same key gets that very order; what comes while too much is in flight is overloaded.
func TestRedisSilent(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(100)))
	s.rules(object{"isolation": []object{{"resource": "purchase", "concurrency": 1}}})
	s.taken(ask{buyer: "warm"})
	redis.Pause()
	const presses = 4
	answers := make(chan reply, presses)
	begun := time.Now()
	for i := range presses {
		go func() { answers <- s.buy(ask{buyer: "patient-" + strconv.Itoa(i), key: strconv.Itoa(i)}) }()
	}
	var unknown reply
	for range presses {
		switch answer := <-answers; answer.status {
		case 504:
			assert.Zero(t, unknown.status, "one is in flight, and only one")
			unknown = answer
		default:
			s.refused(answer, 503, "overloaded")
			s.retryWithin(answer, 1, 3)
		}
	}
	assert.Less(t, time.Since(begun), 5*time.Second+500*time.Millisecond)
	redis.Continue()
	problem := s.refused(unknown, 504, "unknown", "order_id")
	s.retryWithin(unknown, 1, 3)
	s.rules(object{})
	for i := range presses {
		buyer := "patient-" + strconv.Itoa(i)
		repeated := s.buy(ask{buyer: buyer, key: strconv.Itoa(i)})
		require.Contains(t, []int{200, 202}, repeated.status, "%s", repeated.body)
		if repeated.status == 200 {
			assert.Equal(t, problem["order_id"], s.ordered(repeated, 200).OrderID)
		}
	}
	b := s.booksAtRest("rush")
	assert.Len(t, b.rows, 1+presses, "each press is one order, whatever was repeated")
}

// TestRedisGone: without Redis nothing is sold and buyers hear unavailable or, where a press was under way, unknown;
// the other pages stay. When it is back on its data, the sale goes on by itself.
func TestRedisGone(t *testing.T) {
	redis := harness.Redis(t, "--appendfsync", "always")
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(1_000)))
	s.taken(ask{buyer: "before", key: "k"})
	redis.Kill()
	codes := map[string]bool{}
	require.Eventually(t, func() bool {
		answer := s.buy(ask{buyer: "during"})
		code, _ := answer.json(s)["code"].(string)
		codes[code] = true
		if code == "unavailable" {
			s.refused(answer, 503, "unavailable")
			s.retryWithin(answer, 1, 3)
		}
		return code == "unavailable"
	}, 20*time.Second, 50*time.Millisecond)
	for code := range codes {
		assert.Contains(t, []string{"unavailable", "unknown"}, code)
	}
	require.Equal(t, 200, s.request("GET", "http://"+s.Gateways[0].Buyers+"/v1/sales/rush", nil).status)
	require.Equal(t, 200, s.request("GET", "http://"+s.Gateways[0].Buyers+"/readyz", nil).status, "a store that goes away later does not change it")
	redis.Start()
	n := 0
	require.Eventually(t, func() bool {
		n++
		return s.buy(ask{buyer: "after-" + strconv.Itoa(n)}).status == 202
	}, 30*time.Second, 100*time.Millisecond, "the bucket is rebuilt and sells again")
	assert.Equal(t, 200, s.buy(ask{buyer: "before", key: "k"}).status)
	s.audit()
}

// TestWaitersAreWoken: whoever waits for an order hears of its row within a tenth of a second of the commit, and a
// waiter who loses patience gets the order as it is.
func TestWaitersAreWoken(t *testing.T) {
	mariadb := harness.MariaDB(t)
	s := newStack(t, servers{MariaDB: mariadb}).run(1, 1)
	s.open("rush", lasting(phone(1_000)))
	first := s.taken(ask{buyer: "first"})
	assert.Equal(t, "confirmed", s.waited(first.OrderID, "first").Status)
	require.Zero(t, s.Settles[0].Term())
	var group sync.WaitGroup
	for i := range 20 {
		buyer := "waiter-" + strconv.Itoa(i)
		o := s.taken(ask{buyer: buyer})
		group.Add(1)
		go func() {
			defer group.Done()
			answer := s.waited(o.OrderID, buyer)
			heard := time.Now()
			assert.Equal(t, "confirmed", answer.Status)
			assert.Less(t, heard.Sub(parse3339(t, answer.UpdatedAt)), 300*time.Millisecond, "heard long after the commit")
		}()
	}
	impatient := s.taken(ask{buyer: "impatient"})
	begun := time.Now()
	answer := s.ordered(s.read(ask{}.path()+"/"+impatient.OrderID+"?wait=1s", "impatient"), 200)
	assert.Equal(t, "queued", answer.Status)
	assert.InDelta(t, 1, time.Since(begun).Seconds(), 0.5)
	s.Settles[0].Restart()
	group.Wait()
	s.audit()
}

// waited waits as an app does for an order that was answered queued.
func (s *stack) waited(id, buyer string) order {
	s.t.Helper()
	return s.ordered(s.read(ask{}.path()+"/"+id+"?wait=20s", buyer), 200)
}
