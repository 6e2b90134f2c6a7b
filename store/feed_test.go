package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
	"flashsale/test/memory"
)

// seedOrders writes the rows of orders as they are.
func seedOrders(t testing.TB, s *Store, orders ...sale.Order) {
	t.Helper()
	for _, o := range orders {
		row := ledger.Order{
			RecordOrder: &sale.RecordOrder{OrderID: o.OrderID, Buyer: o.BuyerID, Lines: o.Lines}, Reason: o.Reason,
			Terms: &ledger.Terms{Bucket: sale.Bucket{Sale: o.Sale}, Currency: o.Currency, CreatedMS: o.CreatedAt.UnixMilli(),
				UpdatedMS: o.UpdatedAt.UnixMilli(), PayByMS: -1},
		}
		tx, err := s.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, insertOrders(t.Context(), tx, o.Status, []ledger.Order{row}))
		require.NoError(t, tx.Commit())
	}
}

// randomOrders returns orders of a few sales, buyers, SKUs and moments, so that filters have many and few hits, and many orders
// have the same moment.
func randomOrders(random *rand.Rand, n int) []sale.Order {
	orders := make([]sale.Order, n)
	for i, id := range random.Perm(n) {
		at := sale.TimeMillis(noon + int64(random.IntN(n/10)))
		o := sale.Order{
			OrderID: sale.OrderID(7000 + id), Status: sale.RowStatuses()[random.IntN(5)], Currency: "CNY",
			CreatedAt: sale.TimeMillis(noon), UpdatedAt: at, BuyerID: fmt.Sprint("buyer-", random.IntN(9)), Sale: "large",
			Lines: []sale.Line{units("phone", 1)},
		}
		switch random.IntN(10) {
		case 0:
			o.Sale = "small"
		case 1:
			o.Lines = []sale.Line{units("case", 1), units("phone", 2)}
		case 2, 3:
			o.Lines[0].SKU = "cable"
		}
		orders[i] = o
	}
	return orders
}

func randomQuery(random *rand.Rand) sale.OrderQuery {
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }
	q := sale.OrderQuery{
		Sale: pick("", "large", "small", "unknown"), Buyer: pick("", "", "", "buyer-3", "nobody"),
		SKU: pick("", "", "phone", "cable", "case", "none"), Status: sale.OrderStatus(pick("", "", "paid", "expired")),
		Limit: 1 + random.IntN(40),
	}
	if random.IntN(3) == 0 {
		after := sale.LaterThan(sale.TimeMillis(noon + int64(random.IntN(30))))
		q.After = &after
	}
	return q
}

// walked reads every page of a feed. No page has more than the limit, and between is called after each page.
func walked(t testing.TB, s interface {
	OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error)
}, q sale.OrderQuery, between func()) (orders []sale.Order, pages int) {
	t.Helper()
	for {
		page, err := s.OrderFeed(t.Context(), &q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Orders), q.Limit)
		require.False(t, page.Now.IsZero())
		orders, pages = append(orders, page.Orders...), pages+1
		if page.Next == nil {
			return orders, pages
		}
		if q.After != nil {
			moved := sale.Order{UpdatedAt: page.Next.UpdatedAt, OrderID: page.Next.OrderID}
			require.True(t, q.After.Before(&moved), "a page moves the position on")
		}
		q.After = page.Next
		if between != nil {
			between()
		}
	}
}

// The feed has exactly the orders that meet the filters, in its order, by whichever index it reads them and in pages of any size.
func TestFeedHasWhatIsAskedFor(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		random := rand.New(rand.NewPCG(1, 2))
		for _, id := range []string{"large", "small"} {
			put(t, s, draft(id, 1, item("phone", 10)))
		}
		m := memory.New(memory.Options{})
		orders := randomOrders(random, 300)
		seedOrders(t, s, orders...)
		for _, o := range orders {
			m.SeedOrder(o)
		}
		s.smallSale = 60
		for range 150 {
			q := randomQuery(random)
			s.feedWindow = 1 + random.IntN(100)
			found, _ := walked(t, s, q, nil)
			wanted, _ := walked(t, m, q, nil)
			require.Equal(t, wanted, found, "%+v", q)
			require.True(t, slices.IsSortedFunc(found, func(a, b sale.Order) int {
				return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt.Time), cmp.Compare(a.OrderID, b.OrderID))
			}))
		}
	})
}

// An order that changes while the feed is read moves to its end: it is there at least once, with its last status last.
func TestFeedWhileOrdersChange(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		orders := crowd(60)
		settle(t, s, batch(bucket, 1, 1, orders...))
		_, err := s.db.Exec("UPDATE orders SET created_at = ?, updated_at = ?", datetime(1), datetime(1)) // long ago by any clock
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(3, 4))
		changes := 0
		found, _ := walked(t, s, sale.OrderQuery{Sale: "eleven", Limit: 7}, func() {
			if changes++; changes < 30 {
				_, err := s.PayOrder(t.Context(), orders[random.IntN(len(orders))].OrderID, "p")
				require.NoError(t, err)
			}
		})
		last := map[sale.OrderID]sale.OrderStatus{}
		for _, o := range found {
			last[o.OrderID] = o.Status
		}
		for _, o := range orders {
			require.Equal(t, order(t, s, o.OrderID).Status, last[o.OrderID], "order %d", o.OrderID)
		}
		require.Greater(t, len(found), len(orders), "some were read before they changed and after it")
	})
}

// A page looks at a bounded number of rows, also where the wanted orders are rare and at the end.
func TestFeedIsBounded(t *testing.T) {
	s := migrated(t, DriverMySQL)
	s.db.SetMaxOpenConns(1) // the counters are those of a connection
	const rows = 4000
	var orders []sale.Order
	for i := range rows {
		o := sale.Order{OrderID: sale.OrderID(1 + i), Status: sale.StatusPaid, Sale: "large", Currency: "CNY",
			CreatedAt: sale.TimeMillis(noon), UpdatedAt: sale.TimeMillis(noon + int64(i)), BuyerID: fmt.Sprint("b", i),
			Lines: []sale.Line{units("phone", 1)}}
		if i >= rows-5 {
			o.Status, o.Sale, o.Lines[0].SKU = sale.StatusExpired, "small", "case"
		}
		orders = append(orders, o)
	}
	seedOrders(t, s, orders...)
	put(t, s, draft("small", 1, item("case", 10)))
	s.feedWindow, s.smallSale = 100, 50
	read := func() (sum int) { // 0 where the server does not count: TiDB
		t.Helper()
		rows, err := s.db.Query("SHOW SESSION STATUS LIKE 'Handler_read%'")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var n int
			require.NoError(t, rows.Scan(new(string), &n))
			sum += n
		}
		require.NoError(t, rows.Err())
		return sum
	}
	for name, q := range map[string]sale.OrderQuery{
		"all": {}, "large sale": {Sale: "large"}, "status": {Status: sale.StatusExpired}, "SKU": {SKU: "case"},
		"status of a large sale": {Sale: "large", Status: sale.StatusExpired},
		"SKU of a large sale":    {Sale: "large", SKU: "case"},
		"small sale":             {Sale: "small"}, "buyer": {Buyer: orders[rows-1].BuyerID},
		"buyer of a sale": {Sale: "small", Buyer: orders[rows-1].BuyerID, SKU: "case", Status: sale.StatusExpired},
		"unknown sale":    {Sale: "unknown"}, "nothing": {Status: sale.StatusRefused, SKU: "none"},
	} {
		q.Limit = 20
		before := read()
		page, err := s.OrderFeed(t.Context(), &q)
		require.NoError(t, err, name)
		require.Less(t, read()-before, 4*100, "rows read for %s", name)
		if q.Sale == "small" || q.Buyer != "" {
			require.NotEmpty(t, page.Orders, name)
			require.Nil(t, page.Next, name)
		}
		found, pages := walked(t, s, q, nil)
		wanted := slices.DeleteFunc(slices.Clone(orders), func(o sale.Order) bool { return !q.Selects(&o) })
		require.Len(t, found, len(wanted), name)
		require.LessOrEqual(t, pages, 1+rows/20, name)
	}
}

// A change whose transaction takes long is behind the place of a reader: it is found by reading again from a while before.
func TestFeedFindsALateCommit(t *testing.T) {
	s := migrated(t, DriverMySQL)
	bucket := phone(t, s, 10, 1)
	orders := crowd(2)
	settle(t, s, batch(bucket, 1, 1, orders...))
	tx, err := s.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	pays := "UPDATE orders SET status = 'paid', updated_at = " + s.dialect.now + " WHERE order_id = ?"
	_, err = tx.Exec(pays, int64(orders[0].OrderID))
	require.NoError(t, err)
	_, err = s.PayOrder(t.Context(), orders[1].OrderID, "p")
	require.NoError(t, err)
	var last sale.OrderPosition
	for page := (sale.OrderPage{Next: &last}); page.Next != nil; {
		page, err = s.OrderFeed(t.Context(), &sale.OrderQuery{After: page.Next, Limit: 1})
		require.NoError(t, err)
		o := page.Orders[0]
		last = sale.OrderPosition{UpdatedAt: o.UpdatedAt, OrderID: o.OrderID}
	}
	require.Equal(t, orders[1].OrderID, last.OrderID)
	require.NoError(t, tx.Commit())
	found, _ := walked(t, s, sale.OrderQuery{After: &last, Limit: 1}, nil)
	require.Empty(t, found)
	found, _ = walked(t, s, sale.OrderQuery{Limit: 1}, nil)
	require.Len(t, found, 2)
}
