package bench

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	deployed "flashsale/test/stack"
)

const (
	feedOrders    = 1_000_000
	feedPageMS    = 100    // of the slowest first page
	feedRows      = 50_000 // of CSV a second
	feedMegabytes = 100    // that the stream may add to the gateway's memory
)

// Rows of the feed, 100,000 a statement: of the sale "feed", one in ten a millisecond, of any of 100 SKUs. The last ten
// thousand are of the sale "last", which is the rare one, and so are their status and their SKU.
const fillFeed = `INSERT INTO orders (order_id, buyer_id, idempotency_key, reason, sku, quantity, unit_price_cents, total_cents,
	line_count, status, sale_id, bucket, currency, created_at, updated_at, pay_by, due_at)
	SELECT 4096 + n, CONCAT('buyer-', n * 7919 % 1000000), CONCAT('0191f2a4-7c3e-7d90-b1aa-', LPAD(n, 12, '0')), '',
	IF(n < 990000, CONCAT('sku-', n % 100), 'last'), 1, 129900, 129900, 1, IF(n < 990000, 'paid', 'expired'),
	IF(n < 990000, 'feed', 'last'), 0, 'CNY', '2026-11-11 10:00:00', '2026-11-11 10:00:00' + INTERVAL n * 100 MICROSECOND, NULL,
	NULL FROM (SELECT @from + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS n
	FROM digits a, digits b, digits c, digits d, digits e) AS numbered`

// feed measures the operators' feed of a million orders: the first page of each filter, also where the wanted orders are the
// last ones, and the whole as CSV beside a plain SELECT of the rows.
func feed(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.createSale("feed", `[{"sku":"phone","stock":1,"price_cents":1}]`)
	conn, err := s.db.Conn(b.Context())
	require.NoError(b, err)
	exec := func(statement string, args ...any) {
		_, err := conn.ExecContext(b.Context(), statement, args...)
		require.NoError(b, err)
	}
	exec("CREATE TEMPORARY TABLE digits (d INT)")
	exec("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	exec("SET sql_mode = ''")
	for from := 0; from < feedOrders; from += 100_000 {
		exec("SET @from = ?", from)
		for _, table := range []string{"a", "b", "c", "d", "e"} { // a temporary table stands in a statement once
			exec("CREATE TEMPORARY TABLE IF NOT EXISTS digits_" + table + " AS SELECT d FROM digits")
		}
		filled := fillFeed
		for _, table := range []string{"a", "b", "c", "d", "e"} {
			filled = strings.Replace(filled, "digits "+table, "digits_"+table+" "+table, 1)
		}
		exec(filled)
	}
	require.NoError(b, conn.Close())
	return append(s.firstPages(), s.wholeFeed()...)
}

// firstPages measures the first page by each filter. A page without the wanted orders says where the search goes on.
func (s *stack) firstPages() []*Figure {
	slowest := &Figure{Name: "first page of 1,000,000 orders, the slowest filter", Unit: "ms", Target: feedPageMS}
	for _, query := range []string{
		"", "sale=feed", "sale=last", "buyer=buyer-7919", "sale=feed&buyer=buyer-7919", "sku=sku-7", "sku=last", "status=paid",
		"status=expired", "updated_after=2026-11-11T10:01:39Z", "sale=feed&status=expired", "sale=feed&sku=last",
		"sale=last&sku=last",
		"sale=feed&sku=sku-7&status=paid", "status=expired&sku=last&updated_after=2026-11-11T10:00:01Z", "limit=1000",
		"sale=none", "buyer=nobody", "sku=none",
	} {
		figure := &Figure{Name: "  ?" + query, Unit: "ms"}
		for n := range repetitions + 1 {
			began := time.Now()
			answer, err := Ask(s.gateway.Operators, []byte("GET /admin/v1/orders?"+query+" HTTP/1.1\r\nHost: bench\r\n"+
				"Authorization: Bearer "+deployed.AdminToken+"\r\n\r\n"))
			require.NoError(s.b, err)
			require.Equal(s.b, 200, answer.Status, answer.Body)
			if n > 0 { // the first one finds the pages of the database cold
				figure.Ours = append(figure.Ours, float64(time.Since(began).Microseconds())/1000)
			}
		}
		say("%s: %s ms", figure.Name, Short(figure.Median()))
		if slowest.Ours == nil || figure.Median() > slowest.Median() {
			slowest.Ours = slices.Clone(figure.Ours)
		}
	}
	return []*Figure{slowest}
}

// wholeFeed measures the stream of all orders and what it adds to the gateway's memory.
func (s *stack) wholeFeed() []*Figure {
	rate := &Figure{Name: "  all of them as CSV", Unit: "rows/s", Target: feedRows, Least: true}
	beside := &Figure{Name: "  beside a SELECT of all columns", Unit: "rows/s ÷ SELECT"}
	cost := &Figure{Name: "  gateway's CPU", Unit: "CPU µs a row"}
	before := s.resident("VmHWM")
	for range repetitions {
		meter, err := StartMeter(s.gateway.PID())
		require.NoError(s.b, err)
		began := time.Now()
		require.Equal(s.b, feedOrders, s.streamFeed())
		rows := feedOrders / time.Since(began).Seconds()
		used, _, err := meter.Stop()
		require.NoError(s.b, err)
		rate.Ours, cost.Ours = append(rate.Ours, rows), append(cost.Ours, perRequest(used[0], feedOrders))
		beside.Add(rows, s.selectFeed())
	}
	memory := &Figure{Name: "  added to the gateway's memory at the most", Unit: "MB", Target: feedMegabytes,
		Ours: []float64{s.resident("VmHWM") - before}}
	return []*Figure{rate, beside, cost, memory}
}

// streamFeed reads the CSV and counts its rows.
func (s *stack) streamFeed() (rows int) {
	s.b.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+s.gateway.Operators+"/admin/v1/orders", nil)
	require.NoError(s.b, err)
	request.Header.Set("Authorization", "Bearer "+deployed.AdminToken)
	request.Header.Set("Accept", "text/csv")
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.b, err)
	defer response.Body.Close()
	require.Equal(s.b, 200, response.StatusCode)
	lines := bufio.NewReaderSize(response.Body, 64<<10)
	for rows = -1; ; rows++ { // the header is no row
		if _, err := lines.ReadSlice('\n'); err == io.EOF {
			return rows
		} else if err != nil {
			require.NoError(s.b, err)
		}
	}
}

// selectFeed reads the rows by one statement and returns rows a second.
func (s *stack) selectFeed() float64 {
	s.b.Helper()
	began := time.Now()
	rows, err := s.db.Query("SELECT * FROM orders")
	require.NoError(s.b, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(s.b, err)
	row := make([]any, len(columns))
	for i := range row {
		row[i] = new([]byte)
	}
	read := 0
	for ; rows.Next(); read++ {
		require.NoError(s.b, rows.Scan(row...))
	}
	require.NoError(s.b, rows.Err())
	require.Equal(s.b, feedOrders, read)
	return float64(read) / time.Since(began).Seconds()
}
