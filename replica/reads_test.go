package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// server is a database with a beat and orders.
type server struct {
	beat   int64
	only   bool // read-only
	away   error
	denied error // only to those who ask for orders
	orders map[sale.OrderID]sale.Order
	asked  int // queries of orders
	hang   bool
	before func() // runs before a query is answered
}

func newServer() *server { return &server{orders: map[sale.OrderID]sale.Order{}} }

func (s *server) put(id sale.OrderID, status sale.OrderStatus) {
	s.orders[id] = sale.Order{OrderID: id, Status: status, BuyerID: "ann", UpdatedAt: sale.Time{Time: time.Now()}}
}

func (s *server) LastBeat(context.Context) (int64, bool, error) { return s.beat, s.only, s.away }

func (s *server) Orders(ctx context.Context, ids []sale.OrderID) (found []sale.Order, err error) {
	s.asked++
	if s.denied != nil {
		return nil, s.denied
	}
	if s.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if o, is := s.orders[id]; is {
			found = append(found, o)
		}
	}
	if s.before != nil {
		s.before()
	}
	return found, s.away
}

func (s *server) BuyerOrders(
	ctx context.Context, _, _, _ string, after sale.OrderID, limit int,
) ([]sale.Order, error) {
	var ids []sale.OrderID
	for id := range s.orders {
		if id > after {
			ids = append(ids, id)
		}
	}
	found, err := s.Orders(ctx, ids)
	return found[:min(len(found), limit)], err
}

func (s *server) CancelOrder(_ context.Context, id sale.OrderID, _ sale.OrderReason, _ string) (sale.Order, error) {
	s.put(id, sale.StatusCancelled)
	return s.orders[id], s.away
}

// pair is a primary, its replica and what reads from them. beat and copy are what a beater and the replication do.
type pair struct {
	primary, replica *server
	lag              *Lag
	said             *bytes.Buffer
	*Reads
}

const bound = 500 * time.Millisecond

func newPair(t *testing.T) *pair {
	p := &pair{primary: newServer(), replica: newServer(), said: &bytes.Buffer{}}
	p.lag = NewLag(p.primary, p.replica, slog.New(slog.DiscardHandler))
	var err error
	p.Reads, err = NewReads(Options{Primary: p.primary, Replica: p.replica, Lag: p.lag, MaxLag: bound,
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(p.said, nil))})
	require.NoError(t, err)
	return p
}

// pass lets time pass with a beat and a look in each period; the replica follows unless it stands still.
func (p *pair) pass(t *testing.T, periods int, follows bool) {
	t.Helper()
	for range periods {
		<-time.After(beatEvery)
		p.primary.beat++
		if follows {
			p.replica.beat = p.primary.beat
			for id, o := range p.primary.orders {
				p.replica.orders[id] = o
			}
		}
		_ = p.lag.look(t.Context()) // its errors are what usable shows
	}
}

func (p *pair) status(t *testing.T, id sale.OrderID) sale.OrderStatus {
	t.Helper()
	found, err := p.Orders(t.Context(), []sale.OrderID{id})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].Status
}

// A read goes to the replica only while the bound of its lag is below the setting.
func TestTheReplicaIsUsedWhileItFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		require.Equal(t, sale.StatusConfirmed, p.status(t, 1), "nothing is known of the replica yet")
		require.Equal(t, 1, p.primary.asked)
		<-time.After(2 * bound) // what the primary has shown is not remembered any more
		p.pass(t, 3, true)
		p.status(t, 1)
		require.Equal(t, 1, p.primary.asked, "the replica was asked")
		p.status(t, 1)
		require.Equal(t, 1, p.primary.asked, "however often")
		require.Equal(t, 2, p.replica.asked)
		// It stands still. The last look before proves it complete up to a period earlier, so the bound is 400 ms after three
		// periods and 500 ms, which is too much, after four.
		const lastUsed = 3
		for behind := 1; behind < 12; behind++ {
			p.pass(t, 1, false)
			known, ok := p.lag.Behind()
			require.True(t, ok)
			require.GreaterOrEqual(t, known, time.Duration(behind)*beatEvery, "never less than the truth")
			require.LessOrEqual(t, known, time.Duration(behind+2)*beatEvery)
			require.Equal(t, behind <= lastUsed, p.usable(), "after %d periods", behind)
		}
		p.primary.put(1, sale.StatusPaid)
		require.Equal(t, sale.StatusPaid, p.status(t, 1), "beyond the bound the primary answers")
		p.pass(t, 4, true)
		require.True(t, p.usable(), "it has caught up")
	})
}

// A replica that fails, hangs or follows another primary is not used.
func TestAReplicaThatCannotBeTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		p.replica.hang = true
		began := time.Now()
		require.Equal(t, sale.StatusConfirmed, p.status(t, 1))
		require.LessOrEqual(t, time.Since(began), replicaTimeout)
		p.replica.hang, p.replica.away = false, context.DeadlineExceeded
		<-time.After(2 * bound)
		require.False(t, p.usable(), "no look has proven anything since")
		p.replica.away = nil
		p.pass(t, 3, true)
		require.True(t, p.usable())
		p.replica.beat = p.primary.beat + 5 // of another history
		require.ErrorIs(t, p.lag.look(t.Context()), errAhead)
		require.False(t, p.usable())
		p.pass(t, 3, true)
		require.True(t, p.usable())
		p.pass(t, 2, false)
		require.True(t, p.usable())
		p.primary.beat-- // the primary is another server, which lacks a beat
		require.NoError(t, p.lag.look(t.Context()))
		require.False(t, p.usable(), "what the former primary proved says nothing about this one")
	})
}

// A replica that was restored from a copy follows again, late. What it proved before it went back is not believed.
func TestAReplicaThatGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		beat, order := p.replica.beat, p.replica.orders[1]
		p.primary.put(1, sale.StatusPaid)
		p.pass(t, 40, true)
		require.True(t, p.usable())
		require.Equal(t, sale.StatusPaid, p.status(t, 1))
		p.replica.beat, p.replica.orders[1] = beat, order
		require.ErrorIs(t, p.lag.look(t.Context()), errBack)
		for range 20 { // it follows, and stays as far behind
			require.False(t, p.usable())
			require.Equal(t, sale.StatusPaid, p.status(t, 1))
			p.replica.beat++
			p.pass(t, 1, false)
		}
		p.pass(t, 3, true)
		require.True(t, p.usable(), "it has caught up")
		require.Equal(t, sale.StatusPaid, p.status(t, 1))
	})
}

// A server that was the primary keeps its number while the new one raises it. Until the connection has moved, what it says proves
// nothing of the time since.
func TestADemotedPrimaryProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.pass(t, 3, true)
		switched := time.Now()
		p.primary.only = true
		for range 5 {
			<-time.After(beatEvery)
			require.ErrorIs(t, p.lag.look(t.Context()), errDemoted)
		}
		p.primary.only, p.primary.beat = false, p.primary.beat+5 // of the new primary
		p.replica.beat++                                         // written a period after the switch
		require.NoError(t, p.lag.look(t.Context()))
		bound, known := p.lag.Behind()
		require.True(t, known)
		require.GreaterOrEqual(t, bound, time.Since(switched)-beatEvery)
	})
}

// Equal beats prove nothing of what was committed since: when no process beats, the replica is not used.
func TestWithoutBeatsTheReplicaIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.pass(t, 3, true)
		require.True(t, p.usable())
		for range 8 {
			<-time.After(beatEvery)
			require.NoError(t, p.lag.look(t.Context()))
		}
		require.False(t, p.usable())
	})
}

// What a buyer was told is not taken back: an order that the replica lacks is asked for at the primary, and one that the primary
// has shown or changed is not read from a replica that may not have the change.
func TestNoOrderDisappearsAndNoStatusGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		p.primary.put(2, sale.StatusConfirmed) // the replica does not have it yet
		found, err := p.Orders(t.Context(), []sale.OrderID{1, 2, 3})
		require.NoError(t, err)
		require.Len(t, found, 2)
		assert.Equal(t, []sale.OrderID{1, 2}, []sale.OrderID{found[0].OrderID, found[1].OrderID}, "sorted, from both")
		listed, err := p.BuyerOrders(t.Context(), "s", "", "ann", 0, 10)
		require.NoError(t, err)
		require.Len(t, listed, 2, "the primary has shown ann an order that the replica lacks")

		p.pass(t, 1, true)
		asked := p.primary.asked
		for range 20 {
			p.status(t, 2)
		}
		require.Equal(t, asked, p.primary.asked, "the replica has what the primary has shown")

		cancels := CancelsSeen{Cancels: p.primary, Reads: p.Reads}
		<-time.After(time.Millisecond)
		_, err = cancels.CancelOrder(t.Context(), 1, sale.OrderReason(""), "ann")
		require.NoError(t, err)
		require.Equal(t, sale.StatusConfirmed, p.replica.orders[1].Status)
		require.Equal(t, sale.StatusCancelled, p.status(t, 1), "the buyer who has cancelled sees it")
		listed, err = p.BuyerOrders(t.Context(), "s", "", "ann", 0, 10)
		require.NoError(t, err)
		require.Equal(t, sale.StatusCancelled, listed[0].Status)
		asked = p.primary.asked
		p.pass(t, 1, true)
		require.Equal(t, sale.StatusCancelled, p.status(t, 1))
		require.Equal(t, asked, p.primary.asked, "the replica has it too")

		p.primary.away = context.DeadlineExceeded
		_, err = cancels.CancelOrder(t.Context(), 2, sale.OrderReason(""), "ann")
		require.Error(t, err)
		p.primary.away = nil
		require.Equal(t, sale.StatusCancelled, p.status(t, 2), "the commit had happened, whatever was answered")
		empty, err := p.BuyerOrders(t.Context(), "s", "", "bob", 9, 10)
		require.NoError(t, err)
		require.Empty(t, empty)
		require.Equal(t, asked+2, p.primary.asked, "nothing found is asked for at the primary")
	})
}

// TestASlowReplicaTakesNothingBack: the replica stands still, is asked just before its bound ends, and answers as late as it may.
func TestASlowReplicaTakesNothingBack(t *testing.T) {
	for name, read := range map[string]func(t *testing.T, p *pair) sale.OrderStatus{
		"order": func(t *testing.T, p *pair) sale.OrderStatus { return p.status(t, 1) },
		"list": func(t *testing.T, p *pair) sale.OrderStatus {
			listed, err := p.BuyerOrders(t.Context(), "s", "", "ann", 0, 10)
			require.NoError(t, err)
			return listed[0].Status
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				p.primary.put(1, sale.StatusConfirmed)
				p.pass(t, 4, true) // 400 ms: the replica is complete up to 300 ms, and gets nothing more
				<-time.After(10 * time.Millisecond)
				p.primary.put(1, sale.StatusPaid)
				_, err := p.fromPrimary(func() ([]sale.Order, error) { return p.primary.Orders(t.Context(), []sale.OrderID{1}) })
				require.NoError(t, err)
				<-time.After(90 * time.Millisecond)
				require.False(t, p.recent.full()) // at 500 ms: of two generations that last 500 ms, the second begins
				<-time.After(280 * time.Millisecond)
				require.True(t, p.usable(), "at 780 ms the replica lacks 480 ms at most")
				p.replica.before = func() {
					<-time.After(220 * time.Millisecond)
					require.False(t, p.recent.full()) // at 1000 ms the third
					<-time.After(20 * time.Millisecond)
				}
				require.Equal(t, sale.StatusPaid, read(t, p), "at 1020 ms")
			})
		})
	}
}

// TestAnAnswerThatArrivesTooLateIsNotUsed: the query returns in time, and the process goes on after the bound.
func TestAnAnswerThatArrivesTooLateIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		p.primary.put(1, sale.StatusPaid)
		p.replica.before = func() { <-time.After(replicaTimeout + time.Millisecond) }
		require.Equal(t, sale.StatusPaid, p.status(t, 1))
		listed, err := p.BuyerOrders(t.Context(), "s", "", "ann", 0, 10)
		require.NoError(t, err)
		require.Equal(t, sale.StatusPaid, listed[0].Status)
	})
}

// TestAMemoryThatFillsDuringAQuestion: the primary shows a change that is not remembered, while the replica is asked.
func TestAMemoryThatFillsDuringAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		p.replica.before = func() {
			for id := range sale.OrderID(mostRecent + 1) {
				p.recent.changed(id+2, "b")
			}
			p.primary.put(1, sale.StatusPaid)
		}
		require.Equal(t, sale.StatusPaid, p.status(t, 1))
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecent(bound)
		require.False(t, r.full())
		for id := range sale.OrderID(mostRecent + 10) {
			r.changed(id, "b")
		}
		require.True(t, r.full())
		<-time.After(bound)
		r.changed(1, "ann")
		require.True(t, r.full(), "for a whole period after it was full")
		<-time.After(bound)
		require.False(t, r.full())
		require.Empty(t, r.fresh([]sale.Order{{OrderID: 1}}))
		require.False(t, r.complete("ann", nil))
		<-time.After(2 * bound)
		require.Len(t, r.fresh([]sale.Order{{OrderID: 1}}), 1)
		require.True(t, r.complete("ann", nil))
	})
}

// TestARefusalOfTheReplicaIsLogged: the account may read the beat and not the orders. The line names no buyer.
func TestARefusalOfTheReplicaIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.primary.put(1, sale.StatusConfirmed)
		p.pass(t, 3, true)
		denied := errors.New("SELECT command denied to user 'reader' for table 'order_lines'")
		p.replica.denied = fmt.Errorf("read orders of ann: %w", fmt.Errorf("read lines: %w", denied))
		p.status(t, 1)
		require.True(t, p.usable(), "the beat was read")
		require.Equal(t, 1, strings.Count(p.said.String(), "level=WARN"))
		require.Contains(t, p.said.String(), "mysql.read_dsn")
		require.Contains(t, p.said.String(), denied.Error())
		require.NotContains(t, p.said.String(), "ann")
		require.InDelta(t, 1, testutil.ToFloat64(p.metrics.failed), 0)

		p.replica.denied = nil
		p.replica.hang = true
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, err := p.Orders(gone, []sale.OrderID{1})
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(p.said.String(), "level=WARN"), "the buyer has left, which says nothing of the replica")
		require.InDelta(t, 1, testutil.ToFloat64(p.metrics.failed), 0)
		p.status(t, 1)
		require.Contains(t, p.said.String(), context.DeadlineExceeded.Error())
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		require.Equal(t, 5, testutil.CollectAndCount(p.metrics))
		p.primary.put(1, sale.StatusConfirmed)
		p.status(t, 1)
		<-time.After(2 * bound)
		p.pass(t, 3, true)
		p.status(t, 1)
		p.replica.away = context.DeadlineExceeded
		p.status(t, 1)
		for _, c := range []prometheus.Counter{p.metrics.replica, p.metrics.failed} {
			require.InDelta(t, 1, testutil.ToFloat64(c), 0)
		}
		require.InDelta(t, 2, testutil.ToFloat64(p.metrics.primary), 0)
		p.pass(t, 1, true)
		require.InDelta(t, 1, shows(t, p, "flashsale_replica_used"), 0)
		for id := range sale.OrderID(mostRecent + 1) {
			p.recent.changed(id, "b")
		}
		require.Zero(t, shows(t, p, "flashsale_replica_used"), "the primary answers everything now")
	})
}

// shows returns the value of a metric without labels.
func shows(t *testing.T, p *pair, name string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(p.metrics))
	families, err := registry.Gather()
	require.NoError(t, err)
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	require.GreaterOrEqual(t, at, 0)
	return families[at].Metric[0].GetGauge().GetValue()
}

// TestAReadingThatIsOvertaken: the primary's answer to a question that was asked before a cancellation arrives after it.
func TestAReadingThatIsOvertaken(t *testing.T) {
	for name, away := range map[string]error{"known result": nil, "unknown result": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				p.primary.put(1, sale.StatusConfirmed)
				p.pass(t, 3, true)
				<-time.After(time.Millisecond)
				_, err := p.fromPrimary(func() ([]sale.Order, error) {
					before := p.primary.orders[1]
					<-time.After(time.Millisecond)
					p.primary.away = away
					_, err := CancelsSeen{Cancels: p.primary, Reads: p.Reads}.CancelOrder(t.Context(), 1, "", "ann")
					require.ErrorIs(t, err, away)
					p.primary.away = nil
					return []sale.Order{before}, nil
				})
				require.NoError(t, err)
				require.Equal(t, sale.StatusConfirmed, p.replica.orders[1].Status)
				require.Equal(t, sale.StatusCancelled, p.status(t, 1))
			})
		})
	}
}
