package admin

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// phones returns the lines of an order of phones alone, at 5 cents each.
func phones(quantity int) []sale.Line {
	return []sale.Line{{SKU: "phone", Quantity: quantity, UnitPriceCents: 5, Number: 1}}
}

// order puts an order of the buyer u:1 into the database.
func (b *bench) order(id sale.OrderID, status sale.OrderStatus) {
	at := sale.TimeMillis(1_794_391_200_123)
	if b.store.Snapshot().Buckets[first] == nil {
		b.store.SeedStock(sale.StockCounters{BucketCounters: sale.BucketCounters{BucketRow: sale.BucketRow{Bucket: first}},
			Shelves: []sale.ShelfCounters{{SKU: "phone", Loaded: 10, Settled: 10}}})
	}
	b.store.SeedOrder(sale.Order{
		OrderID: id, Status: status, Sale: "s", Lines: phones(1), Currency: "CNY",
		CreatedAt: at, UpdatedAt: at, BuyerID: "u:1",
	})
}

func (b *bench) pay(id, payment string) *reply {
	b.t.Helper()
	return b.ask("PUT", "/admin/v1/orders/"+id+"/payment", `{"payment_id":"`+payment+`"}`)
}

func (b *bench) cancel(id string) *reply {
	b.t.Helper()
	return b.ask("DELETE", "/admin/v1/orders/"+id, "")
}

func TestOrderShowsWhatOperatorsMayRead(t *testing.T) {
	b := newBench(t)
	at := sale.TimeMillis(1_794_391_200_123)
	b.store.SeedOrder(sale.Order{
		OrderID: 7301, Status: sale.StatusConfirmed, Sale: "s", Lines: phones(1), Currency: "CNY",
		CreatedAt: at, UpdatedAt: at, BuyerID: "u:1", PaymentID: "",
	})
	for _, token := range []string{adminToken, shopToken} {
		got := b.ask("GET", "/admin/v1/orders/7301", "", "Authorization", "Bearer "+token).is(200)
		require.Equal(t, "7301", got["order_id"])
		require.Equal(t, "u:1", got["buyer_id"])
		require.Equal(t, at.String(), got["created_at"])
		require.NotContains(t, got, "payment_id")
		require.NotContains(t, got, "reason")
	}
	for _, id := range []string{"7302", "0", "-1", "x", "99999999999999999999", "%20", "7301%00"} {
		b.ask("GET", "/admin/v1/orders/"+id, "").problem(404, "order_not_found")
	}
}

// An order of several lines has them all, and nothing at the top that only one line would have.
func TestOrderOfSeveralLines(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	at := sale.TimeMillis(1_794_391_200_123)
	several := append(phones(2), sale.Line{SKU: "case", Quantity: 1, UnitPriceCents: 3, Number: 2})
	b.store.SeedOrder(sale.Order{OrderID: 7301, Status: sale.StatusConfirmed, Sale: "s", Lines: several, Currency: "CNY",
		CreatedAt: at, UpdatedAt: at, BuyerID: "u:1"})
	got := b.ask("GET", "/admin/v1/orders/7301", "").is(200)
	require.Equal(t, []any{
		map[string]any{"sku": "phone", "quantity": 2.0, "unit_price_cents": 5.0},
		map[string]any{"sku": "case", "quantity": 1.0, "unit_price_cents": 3.0},
	}, got["lines"])
	require.EqualValues(t, 13, got["total_cents"])
	for _, name := range []string{"sku", "quantity", "unit_price_cents"} {
		require.NotContains(t, got, name)
	}
	require.Equal(t, got["lines"], b.pay("7301", "pay:1").is(200)["lines"])
}

func TestCancelInTheShopsName(t *testing.T) {
	b := newBench(t)
	for id, token := range map[sale.OrderID]string{7301: adminToken, 7302: shopToken} {
		b.order(id, sale.StatusConfirmed)
		first := b.ask("DELETE", "/admin/v1/orders/"+id.String(), "", "Authorization", "Bearer "+token)
		got := first.is(200)
		require.Equal(t, "cancelled", got["status"])
		require.Equal(t, "shop", got["reason"])
		require.Equal(t, "u:1", got["buyer_id"])
		again := b.cancel(id.String())
		require.Equal(t, string(first.Body), string(again.Body), "repeated, the same")
	}
}

func TestPaymentCountsOnce(t *testing.T) {
	b := newBench(t)
	b.order(7301, sale.StatusConfirmed)
	first := b.ask("PUT", "/admin/v1/orders/7301/payment", `{"payment_id":"pay:1"}`, "Authorization", "Bearer "+shopToken)
	got := first.is(200)
	require.Equal(t, "paid", got["status"])
	require.Equal(t, "pay:1", got["payment_id"])
	require.Equal(t, string(first.Body), string(b.pay("7301", "pay:1").Body), "repeated, the same")

	second := b.pay("7301", "pay:2").problem(409, "already_paid")
	require.Equal(t, "pay:1", second["payment_id"], "the one that counts")
	require.Equal(t, "pay:1", b.ask("GET", "/admin/v1/orders/7301", "").is(200)["payment_id"])
	refusal := b.cancel("7301").problem(409, "wrong_status")
	require.EqualValues(t, "paid", refusal["order_status"])
	require.Equal(t, "the order is paid", refusal["detail"], "the command prints the detail alone")

	b.order(7302, sale.StatusConfirmed)
	b.pay("7302", "pay:1").is(200) // one payment may pay several orders
}

func TestOrdersThatHaveEndedAreNotMoved(t *testing.T) {
	b := newBench(t)
	for _, status := range []sale.OrderStatus{sale.StatusExpired, sale.StatusRefused, sale.StatusCancelled} {
		b.order(7301, status)
		refused := b.pay("7301", "pay:1")
		require.EqualValues(t, status, refused.problem(409, "wrong_status")["order_status"])
		require.Empty(t, refused.Header.Get("Retry-After"), "the money is to be refunded")
		if status != sale.StatusCancelled {
			require.EqualValues(t, status, b.cancel("7301").problem(409, "wrong_status")["order_status"])
		}
		require.EqualValues(t, status, b.store.Snapshot().Orders[7301].Status)
	}
}

func TestOrdersThatAreNotConfirmedAreToBeAskedAgain(t *testing.T) {
	b := newBench(t)
	for _, status := range []sale.OrderStatus{sale.StatusHeld, sale.StatusQueued} {
		b.order(7301, status)
		for _, r := range []*reply{b.pay("7301", "pay:1"), b.cancel("7301")} {
			r.problem(409, "not_confirmed")
			require.Contains(t, []string{"1", "2", "3"}, r.Header.Get("Retry-After"))
		}
	}
}

func TestUnknownOrdersAreNeitherPaidNorCancelled(t *testing.T) {
	b := newBench(t)
	b.order(7301, sale.StatusConfirmed)
	for _, id := range []string{"7302", "0", "-1", "+7301", "07301", "x", "99999999999999999999", "%20", "7301%00", "7301%2f"} {
		b.pay(id, "pay:1").problem(404, "order_not_found")
		b.cancel(id).problem(404, "order_not_found")
	}
	require.Equal(t, sale.StatusConfirmed, b.store.Snapshot().Orders[7301].Status)
}

func TestBadPaymentsAreNamed(t *testing.T) {
	b := newBench(t)
	b.order(7301, sale.StatusConfirmed)
	for name, body := range map[string]string{
		"empty": `{"payment_id":""}`, "oversized": `{"payment_id":"` + strings.Repeat("p", 65) + `"}`, "missing": `{}`,
		"null": `{"payment_id":null}`, "a number": `{"payment_id":7}`, "a space": `{"payment_id":"a b"}`,
		"a quote": `{"payment_id":"a\"b"}`, "beyond ASCII": `{"payment_id":"ä"}`, "a newline": `{"payment_id":"a\n"}`,
		"doubled": `{"payment_id":"a","payment_id":"b"}`, "a list": `{"payment_id":["a"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			b.ask("PUT", "/admin/v1/orders/7301/payment", body).field("payment_id")
		})
	}
	b.ask("PUT", "/admin/v1/orders/7301/payment", `{"payment_id":"a","amount":5}`).field("amount")
	for _, body := range []string{"", "{", "[]", `"pay:1"`, `{"payment_id":"a"}{}`} {
		b.ask("PUT", "/admin/v1/orders/7301/payment", body).problem(400, "malformed")
	}
	require.Equal(t, sale.StatusConfirmed, b.store.Snapshot().Orders[7301].Status)
	b.pay("7301", strings.Repeat("p", 64)).is(200)
}

// TestOnePaymentWins: of many payments at once, one is accepted and the others are answered with its id.
func TestOnePaymentWins(t *testing.T) {
	const payments = 16
	b := newBench(t)
	b.order(7301, sale.StatusConfirmed)
	answers := make([]*reply, payments)
	var group sync.WaitGroup
	for i := range payments {
		group.Go(func() { answers[i] = b.pay("7301", fmt.Sprintf("pay:%d", i)) })
	}
	group.Wait()
	won := b.store.Snapshot().Orders[7301].PaymentID
	for i, answer := range answers {
		if fmt.Sprintf("pay:%d", i) == won {
			answer.is(200)
			continue
		}
		require.Equal(t, won, answer.problem(409, "already_paid")["payment_id"])
	}
}
