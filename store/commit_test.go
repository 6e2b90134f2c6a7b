package store

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// commitCutter is a proxy between the store and the server. If it is armed, it forwards the next COMMIT or not, kills the
// server, and never forwards the answer.
type commitCutter struct {
	server  *harness.MariaDBServer
	address string
	armed   atomic.Bool
	through bool // whether the COMMIT reaches the server
	struck  chan struct{}
}

func newCommitCutter(t *testing.T, server *harness.MariaDBServer) *commitCutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &commitCutter{server: server, address: listener.Addr().String(), struck: make(chan struct{}, 1)}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { c.carry(client) })
		}
	})
	t.Cleanup(open.Wait)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return c
}

// carry copies both ways until one side ends.
func (c *commitCutter) carry(client net.Conn) {
	defer closeQuietly(client)
	server, err := net.Dial("tcp", c.server.Addr)
	if err != nil {
		return
	}
	defer closeQuietly(server)
	var answers sync.WaitGroup
	var silent atomic.Bool
	answered := make(chan struct{}) // the answer that is not brought back, or the end
	answers.Go(func() {
		defer closeQuietly(client)
		defer close(answered)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || silent.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	defer answers.Wait()
	defer closeQuietly(server)
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.HasSuffix(buffer[:n], []byte("\x03COMMIT")) && c.armed.CompareAndSwap(true, false) {
			silent.Store(true)
			c.strike(server, buffer[:n], answered)
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// strike kills the server before it gets the COMMIT, or after its answer.
func (c *commitCutter) strike(server net.Conn, commit []byte, answered <-chan struct{}) {
	if c.through {
		if _, err := server.Write(commit); err == nil {
			<-answered
		}
	}
	c.server.Kill()
	c.struck <- struct{}{}
}

func closeQuietly(conn net.Conn) { _ = conn.Close() }

// The test kills the server during COMMIT, before or after its effect: the caller gets an error and repeats, and everything
// has happened once.
func TestServerKilledInsideCommit(t *testing.T) {
	server := harness.MariaDB(t)
	cutter := newCommitCutter(t, server)
	dsn := strings.Replace(server.DSN("commits"), server.Addr, cutter.address, 1)
	s, err := Open(Options{Driver: DriverMySQL, DSN: dsn})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 400))))
	a, b := rows[0].Bucket, rows[1].Bucket
	sequence := int64(0)
	var paid []string
	for _, through := range []bool{false, true} {
		cutter.through = through
		kill := func(what string, work func() error) {
			cutter.armed.Store(true)
			require.Error(t, work(), what)
			<-cutter.struck
			server.Start()
			require.NoError(t, work(), what)
		}
		sequence += 10
		orders := crowd(4)
		deliveries := []sale.Delivery{
			at(batch(a, 1, sequence, orders...), "orders-a", 1, sequence),
			at(transfer(a, 1, 1, sequence+1, 5), "orders-a", 1, sequence+1),
		}
		deliveries[0].Record.Batch.CreatedMS = longAgo
		kill("settle", func() error { _, err := s.Settle(t.Context(), deliveries); return err })
		require.Equal(t, filterComplete, standingOf(t, s, a), "the settlement that was repeated has filled it")
		paid = append(paid, orders[0].Buyer)
		overdue(t, s)
		kill("pay", func() error { _, err := s.PayOrder(t.Context(), orders[0].OrderID, "p"); return err })
		kill("cancel", func() error {
			_, err := s.CancelOrder(t.Context(), orders[1].OrderID, sale.ReasonBuyer, orders[1].Buyer)
			return err
		})
		kill("expire", func() error { _, err := s.ExpireOrders(t.Context(), 100, 0); return err })
		kill("outbox", func() error {
			return s.OutboxDone(t.Context(), []sale.Applied{{Bucket: b, Epoch: 1, Number: countersOf(t, s, b).GivenEpoch / 5,
				Sequence: sequence}})
		})
	}
	giver, receiver := countersOf(t, s, a), countersOf(t, s, b)
	require.EqualValues(t, []int64{190, 8, 6, 18, 10, 6}, []int64{
		giver.Loaded, giver.Settled, giver.Released, giver.SettledEpoch, giver.MovedEpoch, giver.GivenEpoch,
	})
	require.EqualValues(t, []int64{210, 10, 20}, []int64{receiver.Loaded, receiver.GivenEpoch, receiver.Sequence})
	require.Empty(t, waiting(t, s, b))
	require.Len(t, waiting(t, s, a), 4, "a cancellation and an expiry each time")
	require.Len(t, drained(t, s), 16, "confirmed, and paid, cancelled or expired, once each")
	require.Equal(t, []sale.Position{{Partition: 1, TopicID: "orders-a", Next: 22}}, positions(t, s))
	ledgerAgrees(t, s, a)
	for i, buyer := range paid {
		require.Equal(t, 1, refusedOf(t, s, a, 100+int64(i), one(buyer, 1)), "a commit of unknown result has orders too")
	}
}
