package events

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
)

// publishing runs a publisher until the test ends it.
func publishing(t *testing.T, p *Publisher) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func TestEventsReachTheTopicInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic, leases := newDatabase(), &fakeEvents{}, newDatabase()
		out.add(eventOf(sale.StatusConfirmed, 1, 2), eventOf(sale.StatusPaid, 1), eventOf(sale.StatusConfirmed, 3),
			eventOf(sale.StatusExpired, 2, 3))
		p := newFakePublisher(t, "me", leases, out, topic)
		end := publishing(t, p)
		synctest.Wait()
		require.Equal(t, []string{"1:confirmed", "2:confirmed", "1:paid", "3:confirmed", "2:expired", "3:expired"}, topic.has())
		require.Zero(t, out.waiting())
		require.InDelta(t, 6, testutil.ToFloat64(p.published), 0)
		out.add(eventOf(sale.StatusConfirmed, 4))
		<-time.After(publishEvery)
		synctest.Wait()
		require.Len(t, topic.has(), 7)
		end()
		opened, closed := topic.senders()
		require.Equal(t, []int{1, 1}, []int{opened, closed}, "one connection, closed at the end")
		require.Empty(t, leases.Snapshot().Leases)
	})
}

// firstOf removes repetitions.
func firstOf(ids []string) []string {
	var first []string
	for _, id := range ids {
		if !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	return first
}

// Whichever step fails, the publisher sends the same page again, and no later page before it.
func TestAPageThatFailsIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newDatabase()
		topic := &fakeEvents{failures: []error{errAway, errAway, nil, errAway, errAway}, partly: true}
		for id := range int64(20) {
			out.add(eventOf(sale.StatusConfirmed, 2*id, 2*id+1), eventOf(sale.StatusPaid, 2*id),
				eventOf(sale.StatusCancelled, 2*id+1))
		}
		p := newFakePublisher(t, "me", newDatabase(), out, topic)
		end := publishing(t, p)
		<-time.After(time.Minute)
		synctest.Wait()
		require.Zero(t, out.waiting())
		seen := firstOf(topic.has())
		require.Len(t, seen, 80)
		require.Greater(t, len(topic.has()), 80, "a page of which a part had arrived was sent again")
		for id := range 20 {
			even := slices.Index(seen, strconv.Itoa(2*id)+":confirmed")
			odd := slices.Index(seen, strconv.Itoa(2*id+1)+":confirmed")
			require.Less(t, even, slices.Index(seen, strconv.Itoa(2*id)+":paid"))
			require.Less(t, odd, slices.Index(seen, strconv.Itoa(2*id+1)+":cancelled"))
		}
		end()
		opened, closed := topic.senders()
		require.Equal(t, opened, closed)
		require.Equal(t, 5, opened, "after every fault a new connection")
	})
}

func TestEventsWaitForTheirTopicAndTheirDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic := newDatabase(), &fakeEvents{}
		for range 1000 {
			topic.failures = append(topic.failures, errAway)
		}
		out.add(eventOf(sale.StatusConfirmed, 1))
		p := newFakePublisher(t, "me", newDatabase(), out, topic)
		end := publishing(t, p)
		<-time.After(5 * time.Minute)
		synctest.Wait()
		require.Empty(t, topic.has())
		require.EqualValues(t, 1, out.waiting(), "what cannot be delivered waits")
		counted := strings.NewReader(waitingMetrics(strconv.Itoa(outboxRows), "1"))
		require.NoError(t, testutil.CollectAndCompare(p.backlog, counted), "and is counted")
		topic.mu.Lock()
		topic.failures = nil
		topic.mu.Unlock()
		out.Fail(errAway)
		<-time.After(time.Minute)
		out.Fail(nil)
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"1:confirmed"}, firstOf(topic.has()))
		require.Zero(t, out.waiting())
		end()
	})
}

// When the topic hangs, the publisher ends the page before the next owner of the lease begins, and opens no second
// connection beside one that may still be sending.
func TestASilentTopicIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic, leases := newDatabase(), &fakeEvents{silent: true, gate: make(chan struct{})}, newDatabase()
		out.add(eventOf(sale.StatusConfirmed, 1))
		p := newFakePublisher(t, "me", leases, out, topic)
		end := publishing(t, p)
		<-time.After(pageTimeout)
		synctest.Wait()
		require.NotNil(t, p.topic.ending, "the page was given up, and with it its connection")
		<-time.After(time.Minute)
		synctest.Wait()
		opened, closed := topic.senders()
		require.Equal(t, []int{1, 0}, []int{opened, closed})
		topic.mu.Lock()
		topic.silent = false
		topic.mu.Unlock()
		close(topic.gate)
		<-time.After(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"1:confirmed"}, firstOf(topic.has()))
		require.Zero(t, out.waiting())
		end()
		opened, closed = topic.senders()
		require.Equal(t, opened, closed)
	})
}

func TestEndingDoesNotWaitForASilentTopicForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic := newDatabase(), &fakeEvents{silent: true, gate: make(chan struct{})}
		out.add(eventOf(sale.StatusConfirmed, 1))
		end := publishing(t, newFakePublisher(t, "me", newDatabase(), out, topic))
		synctest.Wait()
		asked := time.Now()
		end()
		require.LessOrEqual(t, time.Since(asked), 2*drainTimeout)
		require.EqualValues(t, 1, out.waiting())
		close(topic.gate)
	})
}

func TestOneProcessPublishesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, leases, first, second := newDatabase(), newDatabase(), &fakeEvents{}, &fakeEvents{}
		holder, standby := newFakePublisher(t, "first", leases, out, first), newFakePublisher(t, "second", leases, out, second)
		endFirst := publishing(t, holder)
		synctest.Wait()
		endSecond := publishing(t, standby)
		out.add(eventOf(sale.StatusConfirmed, 1, 2, 3))
		<-time.After(2 * lease.TTL)
		synctest.Wait()
		require.Len(t, first.has(), 3)
		require.Empty(t, second.has())
		require.Equal(t, 2, testutil.CollectAndCount(holder.backlog))
		outboxWaits, eventsWait, known := holder.Waiting()
		require.True(t, known)
		require.EqualValues(t, outboxRows, outboxWaits)
		require.Zero(t, eventsWait)
		_, _, known = standby.Waiting()
		require.False(t, known)
		require.Zero(t, testutil.CollectAndCount(standby.backlog), "only the holder answers for the rows")

		endFirst()
		require.Zero(t, testutil.CollectAndCount(holder.backlog))
		out.add(eventOf(sale.StatusPaid, 1))
		<-time.After(lease.AskEvery + publishEvery)
		synctest.Wait()
		require.Equal(t, []string{"1:paid"}, second.has(), "the lease was given back")
		endSecond()
	})
}

func TestPublisherNeedsItsMetricsAndOptions(t *testing.T) {
	p := newFakePublisher(t, "me", newDatabase(), newDatabase(), &fakeEvents{})
	_, err := NewPublisher(p.PublisherOptions)
	require.ErrorContains(t, err, "register the metrics of events")
	p.Kafka.SASLMechanism = "magic"
	_, err = NewPublisher(p.PublisherOptions)
	require.ErrorContains(t, err, "kafka settings")
}

func waitingMetrics(outbox, events string) string {
	return `# HELP flashsale_events_waiting_rows Rows of events that the events topic has not acknowledged yet.
# TYPE flashsale_events_waiting_rows gauge
flashsale_events_waiting_rows ` + events + `
# HELP flashsale_outbox_waiting_rows Releases and credits that the database has decided and Redis has not applied yet.
# TYPE flashsale_outbox_waiting_rows gauge
flashsale_outbox_waiting_rows ` + outbox + "\n"
}

func TestRefusedPageOfEventsIsHeardOf(t *testing.T) {
	out := newDatabase()
	out.add(eventOf(sale.StatusConfirmed, 1))
	p := newFakePublisher(t, "me", newDatabase(), out, &fakeEvents{failures: []error{errAway}})
	var refused []error
	p.Refused = func(err error) { refused = append(refused, err) }
	_, err := p.page(t.Context())
	require.ErrorIs(t, err, errAway)
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], errAway)
	_, err = p.page(t.Context())
	require.NoError(t, err)
	require.Len(t, refused, 1)
}

// Under pressure the publisher sends events slowly, but it sends them; without pressure it sends them at once.
func TestEventsGiveWayToRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, topic := newDatabase(), &fakeEvents{}
		var pressed atomic.Bool
		pressed.Store(true)
		p := newFakePublisher(t, "me", newDatabase(), out, topic)
		p.Pressed = pressed.Load
		for page := range int64(14) {
			var ids []int64
			for id := range int64(publishOrders) {
				ids = append(ids, page*publishOrders+id+1)
			}
			out.add(eventOf(sale.StatusConfirmed, ids...))
		}
		end := publishing(t, p)
		const seconds = 5
		<-time.After(seconds * time.Second)
		synctest.Wait()
		pages := len(topic.has()) / publishOrders
		require.LessOrEqual(t, pages, int(seconds*time.Second/publishPressed)+1)
		require.GreaterOrEqual(t, pages, int(seconds*time.Second/(publishPressed+publishEvery)))
		pressed.Store(false)
		<-time.After(publishEvery)
		synctest.Wait()
		require.Zero(t, out.waiting())
		end()
	})
}
