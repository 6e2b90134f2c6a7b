package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
)

func (w *world) newRelay(publisher RecordPublisher, watched ...Watched) *Relay {
	return NewRelay(RelayOptions{
		Redis: w.Redis, Publisher: publisher, Leases: w.DB, Owner: "relay-test", Log: slog.New(slog.DiscardHandler),
		Watched: func(time.Time) []Watched { return watched },
	})
}

// abandon takes some orders whose records never reach Kafka, as if the gateway had died.
func (w *world) abandon(b sale.Bucket, buyers []string) {
	w.T.Helper()
	w.Kafka.GoAway()
	for _, buyer := range buyers {
		require.Equal(w.T, sale.OutcomeHeld, w.Buy(b, buyer).Outcome)
	}
	w.Kafka.Mu.Lock()
	w.Kafka.Waiting = nil
	w.Kafka.Mu.Unlock()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(w.T, w.engine.Drain(ended))
	w.ended = true
}

// The relay publishes the journal entries of a dead gateway after the deadline, with the same bytes, and trims them.
func TestRelayPublishesWhatStayedBehind(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.Stock("phone", 200, 1)
	w.abandon(b, fakes.Buyers("orphan", 130)) // more than one page
	written := w.Kafka.Attempted()
	other := &fakes.Kafka{Settle: w.DB.Settle}
	relay := w.newRelay(other, Watched{BucketRow: w.DB.Row(b)})
	require.NoError(t, relay.relayOnce(context.Background()))
	require.Less(t, len(other.Log), 130, "entries younger than the deadline are their gateway's")
	fakes.Eventually(t, func() bool {
		require.NoError(t, relay.relayOnce(context.Background()))
		return w.Reading(b).JournalOrders == 0
	}, "everything is relayed")
	require.Equal(t, int64(130), w.DB.Settled(b))
	published := map[string]bool{}
	for _, record := range other.Log {
		published[string(record)] = true
	}
	for _, record := range written {
		if published[string(record)] {
			delete(published, string(record))
		}
	}
	require.Empty(t, published, "bytes of no gateway")
	require.Empty(t, w.DB.LeaseNames(), "the lease is released")
}

// While another process owns the lease the relay does nothing; while Kafka is away the entries stay in the journal.
func TestRelayLeavesWhatItMayNotOrCannot(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.Stock("phone", 10, 1)
	w.abandon(b, []string{"anna"})
	relay := w.newRelay(&fakes.Kafka{}, Watched{BucketRow: w.DB.Row(b)})
	w.DB.HoldLease(string(lease.Relay), "another")
	require.ErrorIs(t, relay.relayOnce(context.Background()), sale.ErrLeaseHeld)
	require.NoError(t, w.DB.ReleaseLease(context.Background(), string(lease.Relay), "another"))
	away := w.newRelay(&fakes.Kafka{Away: true})
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, away.relay(short, []sale.BucketRow{w.DB.Row(b)}, time.Now().Add(time.Minute)))
	require.Equal(t, int64(1), w.Reading(b).JournalOrders)
}

// The relay looks at a finished bucket without a journal once for each version of its sale, and at a selling one always.
func TestRelayLooksOnlyWhereSomethingCanBe(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	relay := w.newRelay(w.Kafka)
	look := func(watched Watched) bool {
		_, before := relay.quiet[b]
		delete(relay.quiet, b)
		_, err := relay.journaled(context.Background(), []Watched{watched})
		require.NoError(t, err)
		_, after := relay.quiet[b]
		return !before && after
	}
	row := w.DB.Row(b)
	require.False(t, look(Watched{BucketRow: row, Version: w.Sale.Version}), "it sells")
	require.False(t, look(Watched{BucketRow: row, Version: w.Sale.Version + 1, Done: true}),
		"Redis does not know that it is over")
	require.True(t, look(Watched{BucketRow: row, Version: w.Sale.Version, Done: true}))
}

// One unit looks at relayBuckets at most, and the next unit continues after them.
func TestRelayLooksInTurn(t *testing.T) {
	w := newWorld(t, nil)
	relay := w.newRelay(w.Kafka)
	var watched []Watched
	for i := range relayBuckets + 3 {
		row := sale.BucketRow{Bucket: sale.Bucket{Sale: fmt.Sprintf("many-%05d", i)}, Epoch: 1}
		watched = append(watched, Watched{BucketRow: row, Done: true}) // Redis knows none of them: quiet once looked at
	}
	for _, quiet := range []int{relayBuckets, len(watched)} {
		_, err := relay.journaled(context.Background(), watched)
		require.NoError(t, err)
		require.Len(t, relay.quiet, quiet)
	}
}

// An entry that cannot be decoded is published too: settlement moves it to the dead letters.
func TestRelayPublishesBrokenEntries(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.Do("XADD", w.Redis.Keys(b).Journal, "10000000001-5", "r", "garbage")
	other := &fakes.Kafka{}
	n, err := publishJournal(context.Background(), w.Redis, other, w.DB.Row(b), 1, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "garbage", string(other.Log[0]))
	_, err = scripts.AfterEntry("nonsense")
	require.Error(t, err)
}

// Controller and relay in one process, as settle runs them: the orders of a dead gateway are settled without an operator.
func TestRelayRunsOnTheControllersView(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.Stock("phone", 10, 1)
	w.abandon(b, []string{"anna", "bert"})
	w.Kafka.ComeBack()
	relay := NewRelay(RelayOptions{
		Redis: w.Redis, Publisher: w.Kafka, Leases: w.DB, Owner: "settle", Watched: w.control().Watched,
		Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { relay.Run(ctx) })
	fakes.Eventually(t, func() bool { return w.DB.Settled(b) == 2 && w.Reading(b).JournalOrders == 0 }, "the journal is relayed")
	cancel()
	running.Wait()
}
