package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
	"flashsale/test/harness"
)

const (
	manyOrders   = 100_000
	probes       = 10_000 // buyers left for those who ask while Redis is lost
	probers      = 16     // of them at once, so that one who waits for an unknown outcome keeps nobody from asking
	probeEvery   = 20 * time.Millisecond
	noticeWithin = 200 * time.Millisecond // a lost Redis is seen, and each answer meanwhile has come
	reopenWithin = 10 * time.Second       // the bucket of many orders sells again
	expireWithin = 30 * time.Second       // as many unpaid orders are given back
)

// TestManyOrders: a SKU of 100,000 orders whose Redis comes back empty is fenced within 200 ms, sells again within ten
// seconds exactly what is left, and gives back all units within thirty seconds of the end of the time to pay.
func TestManyOrders(t *testing.T) {
	redis := harness.Redis(t, "--appendonly", "no")
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(2, 2)
	s.open("rush", lasting(phone(manyOrders+probes)))
	c := newCrowd(s, "rush", manyOrders+probes)
	list := make([]history.Question, manyOrders)
	for i := range list {
		list[i] = c.press(i, i%2)
		list[i].Key = "k"
	}
	c.rush(list)
	require.Equal(t, manyOrders, c.codes()["queued"]+c.codes()["held"])
	s.audit("rush")

	var back time.Time
	answers := c.probed(func(sold func(from time.Time) bool) {
		require.Eventually(t, func() bool { return sold(time.Time{}) }, 10*time.Second, time.Millisecond, "sold before the loss")
		redis.Kill()
		redis.Start()
		back = time.Now()
		require.Eventually(t, func() bool { return sold(back) }, time.Minute, time.Millisecond, "sold after the loss")
	})
	c.judgeLoss(answers, back)
	b := c.check(1, map[string]int{"phone": manyOrders + probes})
	require.GreaterOrEqual(t, len(b.rows), manyOrders+2)

	db := s.DB()
	orders := s.statuses(db, "rush")["confirmed"]
	s.exec(db, "UPDATE orders SET due_at = created_at, pay_by = created_at WHERE sale_id = 'rush' AND status = 'confirmed'")
	due := time.Now()
	require.Eventually(t, func() bool { return s.statuses(db, "rush")["expired"] == orders }, 2*time.Minute, 100*time.Millisecond)
	t.Logf("%d unpaid orders expired within %s", orders, time.Since(due).Round(time.Millisecond))
	assert.Less(t, time.Since(due), expireWithin)
	s.audit("rush")
}

// probed lets buyers press at every gateway while during runs, and returns what they were told. during
// may ask whether a press that was sent after a moment was answered with an order.
func (c *crowd) probed(during func(sold func(from time.Time) bool)) []history.Op {
	c.s.t.Helper()
	var mu sync.Mutex
	var answers []history.Op
	end := make(chan struct{})
	var group sync.WaitGroup
	for prober := range probers {
		group.Go(func() {
			with := c.NewClient()
			defer with.Close()
			for i := manyOrders + prober; i < c.buyers; i += probers {
				select {
				case <-end:
					return
				case <-time.After(probeEvery):
				}
				answer := c.Ask(with, c.press(i, prober%len(c.Gateways)))
				mu.Lock()
				answers = append(answers, answer)
				mu.Unlock()
			}
		})
	}
	func() {
		defer group.Wait()
		defer close(end)
		during(func(from time.Time) bool {
			mu.Lock()
			defer mu.Unlock()
			for i := range answers {
				if answers[i].Status == 202 && answers[i].Sent().After(from) {
					return true
				}
			}
			return false
		})
	}()
	return answers
}

// judgeLoss checks what was said from the moment Redis was back, without its data, until the first order.
func (c *crowd) judgeLoss(answers []history.Op, back time.Time) {
	t := c.s.t
	t.Helper()
	sold := time.Time{}
	for i := range answers {
		if a := &answers[i]; a.Status == 202 && a.Sent().After(back) && (sold.IsZero() || a.Got().Before(sold)) {
			sold = a.Got()
		}
	}
	codes, slowest := map[string]int{}, time.Duration(0)
	for i := range answers {
		a := &answers[i]
		if a.Sent().Before(back.Add(noticeWithin)) || !a.Sent().Before(sold) || a.Status == 202 {
			continue
		}
		codes[a.Word()]++
		slowest = max(slowest, a.Got().Sub(a.Sent()))
	}
	t.Logf("selling again after %s; meanwhile %v, the slowest answer in %s", sold.Sub(back).Round(time.Millisecond), codes,
		slowest)
	assert.Positive(t, codes["fenced"])
	assert.Len(t, codes, 1, "from %s after Redis was back until the bucket was open again everybody heard fenced: %v",
		noticeWithin, codes)
	assert.Less(t, slowest, noticeWithin)
	assert.Less(t, sold.Sub(back), reopenWithin)
}
