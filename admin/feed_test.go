package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// feedOrders seeds n orders of the sale s, one later than the other by a second; every third is paid, every fifth a case's.
func (b *bench) feedOrders(n int) (orders []sale.Order) {
	b.t.Helper()
	for i := range n {
		at := sale.Time{Time: tenOClock.Add(time.Duration(i) * time.Second)}
		o := sale.Order{OrderID: sale.OrderID(7000 + i), Status: sale.StatusConfirmed, Sale: "s", Lines: phones(1),
			Currency: "CNY", CreatedAt: at, UpdatedAt: at, BuyerID: fmt.Sprint("u:", i%7)}
		if i%3 == 0 {
			o.Status, o.PaymentID = sale.StatusPaid, fmt.Sprint("pay:", i)
		}
		if i%5 == 0 {
			o.Lines = append(o.Lines, sale.Line{SKU: "case", Quantity: 2, UnitPriceCents: 3})
		}
		b.store.SeedOrder(o)
		orders = append(orders, o)
	}
	return orders
}

// feed reads all pages of a query and returns the order ids.
func (b *bench) feed(query string) (ids []string, pages int) {
	b.t.Helper()
	for next := ""; ; {
		path := "/admin/v1/orders?" + query
		if next != "" {
			path += "&cursor=" + next
		}
		r := b.ask("GET", path, "")
		got := r.is(200)
		require.Equal(b.t, sale.Time{Time: tenOClock.Add(-30 * time.Second)}.String(), r.Header.Get("Complete-Until"),
			"of the first page")
		pages++
		for _, o := range got["orders"].([]any) {
			ids = append(ids, o.(map[string]any)["order_id"].(string))
		}
		var more bool
		if next, more = got["next"].(string); !more {
			require.NotContains(b.t, got, "next")
			return ids, pages
		}
		b.store.set(func() { b.store.later += time.Minute })
		defer b.store.set(func() { b.store.later = 0 })
	}
}

func TestFeedOfOrders(t *testing.T) {
	b := newBench(t)
	orders := b.feedOrders(250)
	for query, wanted := range map[string]func(i int) bool{
		"":                     func(int) bool { return true },
		"sale=s":               func(int) bool { return true },
		"sale=other":           func(int) bool { return false },
		"status=paid":          func(i int) bool { return i%3 == 0 },
		"status=refused":       func(int) bool { return false },
		"sku=case":             func(i int) bool { return i%5 == 0 },
		"sku=phone&sale=s":     func(int) bool { return true },
		"buyer=u%3A3":          func(i int) bool { return i%7 == 3 },
		"sale=&buyer=&status=": func(int) bool { return true },
		"updated_after=" + url.QueryEscape(orders[99].UpdatedAt.String()):    func(i int) bool { return i > 99 },
		"updated_after=2026-11-11T18:01:39.124%2B08:00":                      func(i int) bool { return i > 99 },
		"sale=s&buyer=u:3&sku=case&status=paid&updated_after=" + tenText(30): func(i int) bool { return i%105 == 45 },
	} {
		var ids []string
		for i, o := range orders {
			if wanted(i) {
				ids = append(ids, o.OrderID.String())
			}
		}
		for _, limit := range []int{1, 7, 1000, 0} {
			limited := query + fmt.Sprint("&limit=", limit)
			if limit == 0 {
				limited, limit = query, 100
			}
			found, pages := b.feed(limited)
			require.Equal(t, ids, found, limited)
			require.Equal(t, max(1, (len(ids)+limit-1)/limit), pages, limited)
		}
	}
}

func tenText(seconds int) string {
	return sale.Time{Time: tenOClock.Add(time.Duration(seconds) * time.Second)}.String()
}

// An order of the feed is exactly the order that its own route answers.
func TestFeedHasOrdersAsTheirRouteHas(t *testing.T) {
	b := newBench(t)
	orders := b.feedOrders(6)
	for _, token := range []string{adminToken, shopToken, viewerToken} {
		whole := string(b.ask("GET", "/admin/v1/orders", "", "Authorization", "Bearer "+token).Body)
		var one []string
		for _, o := range orders {
			one = append(one, string(b.ask("GET", "/admin/v1/orders/"+o.OrderID.String(), "").Body))
		}
		require.Equal(t, `{"orders":[`+strings.Join(one, ",")+`]}`, whole)
	}
	require.JSONEq(t, `{"orders":[]}`, string(b.ask("GET", "/admin/v1/orders?sale=none", "").Body))
}

func TestFeedRefusesBadParameters(t *testing.T) {
	b := newBench(t)
	b.feedOrders(3)
	next := b.ask("GET", "/admin/v1/orders?limit=1&sale=s", "").is(200)["next"].(string)
	for query, field := range map[string]string{
		"sale=%20": "sale", "sale=a%2Fb": "sale", "buyer=a%20b": "buyer", "sku=-x": "sku", "status=held": "status",
		"status=queued": "status", "status=PAID": "status", "updated_after=today": "updated_after",
		"updated_after=2026-11-11": "updated_after", "updated_after=1969-12-31T23:59:59Z": "updated_after",
		"updated_after=9999-12-31T23:59:59-01:00": "updated_after",
		"limit=0": "limit", "limit=1001": "limit", "limit=ten": "limit", "limit=-1": "limit", "cursor=x": "cursor",
		"limit=1&sale=s&cursor=" + next[1:]: "cursor", "limit=1&sale=s&cursor=" + next + "A": "cursor",
		"sale=s&cursor=" + strings.ToUpper(next): "cursor", "sale=t&cursor=" + next: "cursor", "cursor=" + next: "cursor",
		"sale=s&status=paid&cursor=" + next: "cursor", "sale=s&sale=t": "sale", "stauts=paid": "stauts", "a%ZZ=1": "query",
		"sale=s;sku=t": "query",
	} {
		for _, accept := range []string{"application/json", "text/csv"} {
			b.ask("GET", "/admin/v1/orders?"+query, "", "Accept", accept).field(field)
		}
	}
	b.ask("GET", "/admin/v1/orders?sale=s&limit=2&cursor="+next, "").is(200)
	said := b.ask("GET", "/admin/v1/orders?status=held", "").problem(400, "malformed")["detail"]
	require.Contains(t, said, "confirmed, paid, cancelled, expired or refused")
	several := b.ask("GET", "/admin/v1/orders?status=held&limit=0&sku=%20", "").problem(400, "malformed")["errors"].([]any)
	require.Len(t, several, 3)
	b.store.set(func() { b.store.away = true })
	b.ask("GET", "/admin/v1/orders", "").problem(503, "unavailable")
	b.ask("GET", "/admin/v1/orders", "", "Accept", "text/csv").problem(503, "unavailable")
}

// A cursor is read as it was written, and no altered one is read.
func TestCursors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, sale.MaxCreatedMS)
		at := sale.OrderPosition{UpdatedAt: sale.TimeMillis(ms.Draw(t, "at")),
			OrderID: sale.OrderID(rapid.Int64Range(1, 1<<63-1).Draw(t, "id"))}
		begun := sale.TimeMillis(ms.Draw(t, "begun"))
		filters := rapid.String().Draw(t, "filters")
		text := writeCursor(at, begun, filters)
		read, readBegun, ok := readCursor(text, filters)
		require.True(t, ok)
		require.Equal(t, at, read)
		require.Equal(t, begun, readBegun)
		require.Equal(t, text, url.QueryEscape(text), "it stands in a URL as it is")
		altered := []byte(text)
		i := rapid.IntRange(0, len(altered)-1).Draw(t, "place")
		altered[i] = rapid.SampledFrom([]byte("ABCDEFGHabcdefgh0123-_")).Draw(t, "letter")
		_, _, ok = readCursor(string(altered), filters)
		require.Equal(t, string(altered) == text, ok)
		_, _, ok = readCursor(text, filters+"x")
		require.False(t, ok)
		_, _, ok = readCursor(text[:rapid.IntRange(0, len(text)-1).Draw(t, "cut")], filters)
		require.False(t, ok)
	})
	early := sale.OrderPosition{UpdatedAt: sale.TimeMillis(-1), OrderID: 1}
	_, _, ok := readCursor(writeCursor(early, sale.TimeMillis(1), ""), "")
	require.False(t, ok, "a time that no row has")
	_, _, ok = readCursor(writeCursor(sale.OrderPosition{UpdatedAt: sale.TimeMillis(1)}, sale.TimeMillis(1), ""), "")
	require.False(t, ok, "no order")
}

func TestRowStatusesAreNamed(t *testing.T) {
	for _, s := range sale.RowStatuses() {
		require.False(t, s.Pending())
		require.Contains(t, rowStatuses(), string(s))
	}
	require.False(t, slices.ContainsFunc(sale.RowStatuses(), func(s sale.OrderStatus) bool { return s == sale.StatusHeld }))
}
