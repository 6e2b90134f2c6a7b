package reserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// Each sign of loss is answered fenced, takes nothing, and is reported once for the bucket and epoch.
func TestLossIsFencedAndReported(t *testing.T) {
	cases := map[string]func(w *world, keys scripts.BucketKeys){
		"missing": func(w *world, keys scripts.BucketKeys) { w.Do("DEL", keys.Meta) },
		"epoch":   func(w *world, keys scripts.BucketKeys) { w.Do("HSET", keys.Meta, "epoch", "0") },
		"state":   func(w *world, keys scripts.BucketKeys) { w.Do("HSET", keys.Meta, "loaded_state", "loading") },
		"replid": func(w *world, keys scripts.BucketKeys) {
			w.Do("HSET", keys.Meta, "replid", "ffff", "checked_ms", "0")
		},
		"sequence": func(w *world, keys scripts.BucketKeys) {
			w.Do("HSET", keys.Meta, "seq", "0")
		},
		"sku": func(w *world, keys scripts.BucketKeys) { w.Do("HDEL", keys.Stock, "phone") },
	}
	for reason, spoil := range cases {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.Stock("phone", 10, 1)
			require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
			row := w.DB.Row(b)
			spoil(w, w.Redis.Keys(b))
			p := w.Purchase(b, "anna")
			p.Epoch = row.Epoch
			require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: reason}, w.engine.Reserve(p))
			require.Equal(t, sale.OutcomeFenced, w.engine.Reserve(p).Outcome)
			fakes.Eventually(t, func() bool { return len(w.DB.Reported()) == 1 }, "the loss is reported")
			require.Equal(t, fmt.Sprintf("%s epoch %d: %s", b, row.Epoch, reason), w.DB.Reported()[0])
			require.Equal(t, sale.BucketClosed, w.DB.Row(b).State)
			w.Rebuild(w.DB.Row(b))
			require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
			require.Equal(t, int64(8), w.Shelf(b).Available)
		})
	}
}

// A server without the script sells nothing, and only a rebuild installs the script.
func TestServerWithoutTheScriptSellsNothing(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 10, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	server.MustDo(t, "SCRIPT", "FLUSH")
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "noscript"}, w.Buy(b, "anna"))
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "trims do not need it")
	require.NoError(t, w.Redis.ApplyWindow(context.Background(), []sale.Bucket{b}, sale.WindowOf(&w.Sale)))
	require.Equal(t, int64(0), server.MustDo(t, "SCRIPT", "EXISTS", scripts.ReserveScript().SHA).([]any)[0])
	fakes.Eventually(t, func() bool { return w.DB.Row(b).State == sale.BucketClosed }, "the loss is reported")
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
}

// A purchase of an older epoch than Redis's is fenced, and no loss is reported.
func TestOldViewIsFencedButNotReported(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	old := w.Purchase(b, "anna")
	w.Rebuild(w.DB.Row(b))
	_, err := w.DB.CloseBuckets(context.Background(), []sale.BucketRow{w.DB.Row(b)})
	require.NoError(t, err)
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "epoch"}, w.engine.Reserve(old))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	require.Empty(t, w.DB.Reported())
}

// A report waits while the database is away, and is made once.
func TestReportsWaitForTheDatabase(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.Do("DEL", w.Redis.Keys(b).Meta)
	w.DB.SetAway(errors.New("away"))
	require.Equal(t, sale.OutcomeFenced, w.Buy(b, "anna").Outcome)
	require.Empty(t, w.DB.Reported())
	w.DB.SetAway(nil)
	fakes.Eventually(t, func() bool { return len(w.DB.Reported()) == 1 }, "the loss is reported")
}

// After a lost reply the engine calls again with the same ids: the units are taken once, and the answer names that order.
func TestLostReplyIsAskedForAgain(t *testing.T) {
	w, proxy := newLossyWorld(t)
	b := w.Stock("phone", 100, 2)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	for round := range 2 {
		proxy.loseNextReply()
		answers := w.BuyAll(b, []string{"anna", "bert", "carl"})
		require.Equal(t, map[string]int{"queued": 3}, fakes.Outcomes(answers))
		for i, a := range answers {
			holdings, err := w.engine.Holdings(context.Background(), b, []string{"anna", "bert", "carl"}[i])
			require.NoError(t, err)
			require.Len(t, holdings, round+1, "a buyer has one order for each press")
			require.Equal(t, a.OrderID, holdings[round].OrderID)
		}
	}
	require.Equal(t, int64(93), w.Shelf(b).Available)
	require.Equal(t, int64(7), w.DB.Settled(b))
	fakes.Eventually(t, func() bool { return w.Reading(b).JournalOrders == 0 }, "restored records are trimmed by their right ids")
	require.Positive(t, proxy.lost())
}

// While a batch waits for its second call, others are answered at once.
func TestOthersDoNotWaitForALostReply(t *testing.T) {
	w, proxy := newLossyWorld(t)
	b := w.Stock("phone", 100, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	proxy.loseNextReply()
	first := make(chan sale.Answer, 1)
	go func() { first <- w.Buy(b, "anna") }()
	queue := w.engine.queue(w.Purchase(b, "anna"))
	aside := func() int { queue.mu.Lock(); defer queue.mu.Unlock(); return queue.waitingAside }
	fakes.Eventually(t, func() bool { return aside() == 1 }, "the call waits to be asked again")
	for _, buyer := range fakes.Buyers("next", 5) {
		require.Equal(t, sale.OutcomeQueued, w.Buy(b, buyer).Outcome)
	}
	require.Equal(t, 1, aside(), "it still waits")
	require.Equal(t, sale.OutcomeQueued, (<-first).Outcome)
	require.Zero(t, aside())
	require.Equal(t, int64(93), w.Shelf(b).Available)
}

// When a worker steps aside another one takes the waiting purchases, unless too many are aside or the engine drains.
func TestStepAside(t *testing.T) {
	q := queueOf(3)
	require.True(t, q.stepAside())
	require.Equal(t, []int{0, 1}, []int{q.workers, q.waitingAside})
	q.stepBack()
	require.Equal(t, []int{1, 0}, []int{q.workers, q.waitingAside})
	q.waitingAside = maxAside
	require.False(t, q.stepAside())
	require.Equal(t, 1, q.workers)
	q.waitingAside = 0
	q.enqueue(t, "anna", time.Now())
	q.engine.gate.closed = true
	require.False(t, q.stepAside(), "draining")
	require.Equal(t, []int{1, 0}, []int{q.workers, q.waitingAside})
}

// When Redis does not answer, the answer is unknown, with the order's id, within 5 s; a purchase that was not sent is
// unavailable.
func TestSilentRedisIsUnknown(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 100, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	server.Pause()
	began := time.Now()
	first := make(chan sale.Answer, 1)
	go func() { first <- w.Buy(b, "anna") }()
	queue := w.engine.queue(w.Purchase(b, "anna"))
	fakes.Eventually(t, func() bool {
		queue.mu.Lock()
		defer queue.mu.Unlock()
		return queue.workers == 1 && len(queue.pending) == 0
	}, "sent")
	require.Equal(t, sale.OutcomeUnavailable, w.Buy(b, "bert").Outcome)
	unknown := <-first
	require.Equal(t, sale.OutcomeUnknown, unknown.Outcome)
	require.NotZero(t, unknown.OrderID)
	require.Less(t, time.Since(began), 5*time.Second)
	require.Positive(t, w.breaker.failures(sale.ResourceRedis))

	server.Continue()
	fakes.Eventually(t, func() bool { return w.Redis.Ping(context.Background()) == nil }, "Redis is back")
	fakes.Eventually(t, func() bool { return w.Buy(b, "carl").Outcome != sale.OutcomeUnavailable }, "sells again")
	holdings, err := w.engine.Holdings(context.Background(), b, "anna")
	require.NoError(t, err)
	require.Empty(t, holdings, "calls that arrived after their deadline took nothing")
	require.Equal(t, int64(98), w.Shelf(b).Available)
}

// While no connection to Redis can be made, a purchase is refused at once: it was not sent.
func TestAbsentRedisIsUnavailable(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 100, 1)
	server.Kill()
	fakes.Eventually(t, func() bool {
		began := time.Now()
		return w.Buy(b, "anna").Outcome == sale.OutcomeUnavailable && time.Since(began) < time.Second
	}, "refused at once")
}

// newLossyWorld is an engine whose replies from Redis can be lost.
func newLossyWorld(t *testing.T) (*world, *lossyProxy) {
	proxy := newLossyProxy(t, harness.SharedRedis(t).Addr)
	return newWorldOn(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{proxy.addr}}, nil), proxy
}

// lossyProxy forwards between client and server. Once armed, it drops the next long reply and closes the connection.
type lossyProxy struct {
	addr   string
	target string
	mu     sync.Mutex
	armed  bool
	losses int
}

func newLossyProxy(t *testing.T, target string) *lossyProxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &lossyProxy{addr: listener.Addr().String(), target: target}
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *lossyProxy) loseNextReply() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
}

func (p *lossyProxy) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses
}

// loses decides about one piece of a reply: the reserve script's reply is the one that contains a record.
func (p *lossyProxy) loses(piece []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed || len(piece) < 100 {
		return false
	}
	p.armed = false
	p.losses++
	return true
}

func (p *lossyProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client) }() // ends with either connection
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil || p.loses(buffer[:n]) {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A call that arrives after its deadline, because the gateway's offset of Redis's clock is wrong, takes nothing. The gateway
// learns the clock from the reply and calls again.
func TestWrongClockIsLearned(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5, 1)
	q := w.engine.queue(w.Purchase(b, "anna"))
	at := q.clock.Reading()
	q.clock.Learn(at, at, time.Duration(time.Now().Add(-time.Hour).UnixNano()))
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	now, _ := q.clock.Now()
	require.WithinDuration(t, time.Now(), now, time.Minute)
	require.Equal(t, int64(4), w.Shelf(b).Available)
}
