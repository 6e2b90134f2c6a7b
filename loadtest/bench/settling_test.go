package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	deployed "flashsale/test/stack"
)

const (
	settleOrders   = 120_000 // in one repetition
	rowsAStatement = 1000    // of a raw INSERT: the largest number in a settling transaction
)

// settling measures how fast queued orders become rows, next to a raw multi-row INSERT of the same rows into a table of
// the same form on the same server. Markers, the orders of the buyers, the guarded update of the stock and the queue are part
// of settling and not of the raw INSERT.
func (s *stack) settling() []*Figure {
	s.preloadMany("settled", 100)
	s.openSale("three", 9_999_999, `"per_buyer_limit":3`)
	waited, started := s.settle.Pause, func() { require.Zero(s.b, s.settle.Term()) }
	figures := slices.Concat(s.settlingOf("settle", "rush", s.asks, waited, s.settle.Continue),
		s.settlingOf("settle, 100 SKUs", "settled", anyOf(100), waited, s.settle.Continue),
		s.settlingOf("settle, 3 units a buyer", "three", s.asks, waited, s.settle.Continue))
	for i := 0; i < len(figures); i += 2 {
		figures[i].Target, figures[i].Least = 0.7, true
	}
	return append(figures, s.settlingOf("settle after a start, with the buyers of a sale to read", "rush", s.asks, started,
		s.settle.Restart)...)
}

// settlingOf measures the settling of a backlog that grows between rest and work.
func (s *stack) settlingOf(name, saleID string, asks asking, rest, work func()) []*Figure {
	rate := &Figure{Name: name + ": rows a second", Unit: "rows/s ÷ raw INSERT"}
	cost := &Figure{Name: name + ": own CPU", Unit: "CPU µs an order"}
	for range repetitions {
		ours, used := s.settleBacklog(saleID, asks, rest, work)
		s.finish(saleID) // the events are published after the rows: the server must be idle during the baseline
		rate.Add(ours, s.rawInsert(saleID))
		cost.Ours = append(cost.Ours, used)
	}
	return []*Figure{rate, cost}
}

// settleBacklog queues orders in Kafka while settle rests, and returns rows a second from the first settled unit to the last,
// and settle's CPU µs per order.
func (s *stack) settleBacklog(saleID string, asks asking, rest, work func()) (rate, cost float64) {
	s.b.Helper()
	s.finish(saleID)
	before := s.settled(saleID)
	requests := s.pressesFor(asks, saleID, settleOrders)
	rest()
	s.take(requests, nil)
	work()
	s.waitSettled(saleID, before+1)
	first := s.settled(saleID)
	meter, err := StartMeter(s.settle.PID())
	require.NoError(s.b, err)
	s.waitSettled(saleID, before+settleOrders)
	used, took, err := meter.Stop()
	require.NoError(s.b, err)
	s.settle.Ready()
	rows := before + settleOrders - first
	require.Positive(s.b, rows, "settled before the clock was started")
	return float64(rows) / took.Seconds(), perRequest(used[0], rows)
}

// drained waits until every order of the sale "rush" has its row and its event is published, and returns their number.
func (s *stack) drained() int64 {
	s.b.Helper()
	s.finish("rush")
	return s.settled("rush")
}

// finish waits until every order of a sale has its row and every event is published: remaining work would be counted in
// the next measurement.
func (s *stack) finish(saleID string) {
	s.b.Helper()
	require.Eventually(s.b, func() bool { return s.inFlight(saleID) == 0 }, 2*time.Minute, 10*time.Millisecond)
	require.Eventually(s.b, func() bool {
		return column[int](s, "SELECT COUNT(*) FROM events")[0] == 0
	}, 2*time.Minute, 10*time.Millisecond)
}

// inFlight returns the units of a sale that are taken in Redis and not yet settled, as operators see them.
func (s *stack) inFlight(saleID string) int64 {
	s.b.Helper()
	answer, err := Ask(s.gateway.Operators,
		[]byte("GET /admin/v1/sales/"+saleID+"/stats HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "+
			deployed.AdminToken+"\r\n\r\n"))
	require.NoError(s.b, err)
	require.Equal(s.b, 200, answer.Status, answer.Body)
	var stats struct {
		Items []struct {
			InFlight int64 `json:"in_flight"`
		}
	}
	require.NoError(s.b, json.Unmarshal([]byte(answer.Body), &stats))
	require.NotEmpty(s.b, stats.Items)
	var units int64
	for _, item := range stats.Items {
		units += item.InFlight
	}
	return units
}

// Statements of the raw baseline.
const (
	makeRaw  = "CREATE TABLE IF NOT EXISTS raw_orders LIKE orders"
	emptyRaw = "TRUNCATE TABLE raw_orders"

	orderColumns = `SELECT column_name FROM information_schema.columns
		WHERE table_schema = DATABASE() AND table_name = 'orders' ORDER BY ordinal_position`
	lastTuples = "SELECT CONCAT('(',%s,')') FROM orders WHERE sale_id = ? ORDER BY order_id DESC LIMIT %d"
)

// rawInsert returns rows a second of plain INSERT statements that were generated in advance.
func (s *stack) rawInsert(saleID string) float64 {
	s.b.Helper()
	ctx := s.b.Context()
	for _, statement := range []string{makeRaw, emptyRaw} {
		_, err := s.db.ExecContext(ctx, statement)
		require.NoError(s.b, err)
	}
	statements := s.rawStatements(saleID)
	conn, err := s.db.Conn(ctx)
	require.NoError(s.b, err)
	defer conn.Close()
	began := time.Now()
	for _, statement := range statements {
		_, err := conn.ExecContext(ctx, statement)
		require.NoError(s.b, err)
	}
	return settleOrders / time.Since(began).Seconds()
}

// rawStatements writes the last order rows of a sale as INSERT statements in the order of their ids. The server quotes the
// values, so that it reads them back exactly.
func (s *stack) rawStatements(saleID string) []string {
	s.b.Helper()
	columns := column[string](s, orderColumns)
	quoted := make([]string, len(columns))
	for i, name := range columns {
		quoted[i] = "QUOTE(`" + name + "`)"
	}
	tuples := column[string](s, fmt.Sprintf(lastTuples, strings.Join(quoted, ",',',"), settleOrders), saleID)
	require.Len(s.b, tuples, settleOrders)
	slices.Reverse(tuples)
	var statements []string
	for some := range slices.Chunk(tuples, rowsAStatement) {
		statements = append(statements,
			"INSERT INTO raw_orders (`"+strings.Join(columns, "`,`")+"`) VALUES "+strings.Join(some, ","))
	}
	return statements
}

// column returns the only column of a query.
func column[T any](s *stack, query string, args ...any) []T {
	s.b.Helper()
	rows, err := s.db.QueryContext(s.b.Context(), query, args...)
	require.NoError(s.b, err)
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		require.NoError(s.b, rows.Scan(&one))
		all = append(all, one)
	}
	require.NoError(s.b, rows.Err())
	return all
}
