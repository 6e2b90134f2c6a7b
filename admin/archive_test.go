package admin

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// fakeArchiver drops from the fake of Redis, and finishes in the database.
type fakeArchiver struct {
	store *fakeStore
	stock *fakeStock
	err   error // of every call
	drops int
}

func (f *fakeArchiver) Drop(ctx context.Context, archive *sale.Archive) error {
	f.store.checkLease(archive.Sale, "drop")
	if f.drops++; f.err != nil {
		return f.err
	}
	f.stock.set(func() {
		for _, bucket := range archive.BucketNames() {
			delete(f.stock.readings, bucket)
		}
	})
	if _, err := f.store.ForgetLists(ctx, archive.Sale); err != nil {
		return err
	}
	return f.store.ArchiveDropped(ctx, archive.Sale)
}

func (f *fakeArchiver) DropDraft(ctx context.Context, id string) error {
	f.store.checkLease(id, "drop")
	if f.err != nil {
		return f.err
	}
	if _, err := f.store.ForgetLists(ctx, id); err != nil {
		return err
	}
	return f.store.DeleteDraft(ctx, id)
}

// ended is a closed sale at rest, of which two phones were sold and one came back.
func ended(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.sell(first, 2, 2, 0)
	b.store.changeShelf(first, func(row *sale.ShelfCounters) { row.Released, row.GivenEpoch = 1, 1 })
	b.stock.changeShelf(first, func(s *sale.ShelfReading) { s.Available, s.Returned = s.Available+1, 1 })
	b.store.SeedOrder(sale.Order{OrderID: 5, Status: sale.StatusPaid, Sale: "s", Lines: phones(1), BuyerID: "u"})
	b.store.SeedOrder(sale.Order{OrderID: 6, Status: sale.StatusCancelled, Sale: "s", Lines: phones(1), BuyerID: "v"})
	b.ask("POST", "/admin/v1/sales/s/close", "").is(200)
	return b
}

func TestArchiveAnswersTheFinalBooks(t *testing.T) {
	b := ended(t)
	got := b.ask("DELETE", "/admin/v1/sales/s", "")
	doc := document(t)
	doc.fits(t, "Sale", got.Body)
	answer := got.is(200)
	require.Equal(t, "archived", answer["state"])
	require.Equal(t, "2026-11-11T10:00:00.123Z", answer["archived_at"])
	require.Equal(t, []any{
		map[string]any{"sku": "phone", "loaded": 10.0, "settled": 2.0, "released": 1.0, "sold": 1.0},
		map[string]any{"sku": "case", "loaded": 7.0, "settled": 0.0, "released": 0.0, "sold": 0.0},
	}, answer["books"])
	require.Empty(t, b.store.unheld)
	require.Empty(t, b.stock.readings, "Redis has nothing of it")
	require.Equal(t, answer, b.ask("DELETE", "/admin/v1/sales/s", "").is(200), "a second time is answered the same")
	require.Equal(t, 1, b.archiver.drops, "and drops nothing")
	require.Equal(t, answer, b.ask("GET", "/admin/v1/sales/s", "").is(200))

	require.Empty(t, b.ask("GET", "/admin/v1/sales", "").is(200)["sales"])
	require.Empty(t, b.ask("GET", "/admin/v1/sales?archived=false", "").is(200)["sales"])
	b.bring("r", phoneSale)
	b.bring("t", phoneSale)
	listed := b.ask("GET", "/admin/v1/sales?archived=true", "").is(200)["sales"].([]any)
	require.Len(t, listed, 3)
	require.Equal(t, "s", listed[1].(map[string]any)["sale"], "by id")
	for _, query := range []string{"archived=", "archived=1", "archived=true&archived=true", "archived=TRUE"} {
		b.ask("GET", "/admin/v1/sales?"+query, "").field("archived")
	}
}

// What is left of an archived sale is read from the books, and nothing changes it.
func TestArchivedSaleIsReadAndNotChanged(t *testing.T) {
	b := ended(t)
	b.ask("DELETE", "/admin/v1/sales/s", "").is(200)
	audit := b.ask("GET", "/admin/v1/sales/s/audit", "").is(200)
	require.Equal(t, true, audit["holds"])
	require.Equal(t, map[string]any{"sale": "s", "sku": "phone", "loaded": 10.0, "available": 9.0, "in_flight": 0.0,
		"settled": 2.0, "released": 1.0, "difference": 0.0}, audit["items"].([]any)[0])
	stats := b.ask("GET", "/admin/v1/sales/s/stats", "")
	document(t).fits(t, "Stats", stats.Body)
	require.Equal(t, true, stats.is(200)["total"].(map[string]any)["conserved"])
	for _, request := range []struct{ method, path, body string }{
		{"PUT", "", bucketedSale}, {"POST", "/preload", ""}, {"POST", "/open", ""}, {"POST", "/pause", ""},
		{"POST", "/resume", ""}, {"POST", "/close", ""}, {"PUT", "/buyers", "ann\n"},
		{"POST", "/items/phone/stock", `{"add":1}`},
	} {
		problem := b.ask(request.method, "/admin/v1/sales/s"+request.path, request.body, "Idempotency-Key", "k").
			problem(409, "wrong_state")
		require.Equal(t, "archived", problem["state"], request.path)
	}
	require.Equal(t, "paid", b.ask("GET", "/admin/v1/orders/5", "").is(200)["status"])
	b.ask("DELETE", "/admin/v1/orders/5", "").problem(409, "wrong_status")
}

func TestArchiveNamesEveryConditionThatFails(t *testing.T) {
	b := ended(t)
	b.store.SeedOrder(sale.Order{OrderID: 8, Status: sale.StatusConfirmed, Sale: "s", Lines: phones(1), BuyerID: "w"})
	second := sale.Bucket{Sale: "s", Number: 1}
	b.stock.changeShelf(second, func(s *sale.ShelfReading) { s.Taken, s.Available = s.Taken+2, s.Available-2 })
	b.stock.set(func() {
		b.stock.readings[second].JournalOrders = 3
		b.stock.readings[sale.Bucket{Sale: "s", Number: 2}].Epoch = 9
		b.stock.shelf(first, "case").Available++
	})
	b.store.Change(func(t *memory.Tables) {
		t.Outbox[first] = []sale.OutboxRow{{Bucket: first, Kind: sale.OutboxRelease}}
		t.Letters["7-1"] = &sale.DeadLetter{State: sale.DeadLetterWaiting, Raw: []byte("fs2 batch s 0 bad")}
		t.Letters["7-2"] = &sale.DeadLetter{State: sale.DeadLetterRefused, Raw: []byte("fs2 batch s 0 bad")}
		t.Letters["7-3"] = &sale.DeadLetter{State: sale.DeadLetterWaiting, Raw: []byte("fs2 batch ss 0 bad")}
	})
	got := b.ask("DELETE", "/admin/v1/sales/s", "")
	document(t).fits(t, "Problem", got.Body)
	problem := got.problem(409, "not_at_rest")
	failing := map[string]float64{}
	for _, one := range problem["conditions"].([]any) {
		c := one.(map[string]any)
		failing[c["condition"].(string)] = c["count"].(float64)
	}
	// The SKU of phones is not judged while one of its buckets is rebuilt, and neither is that of cases.
	require.Equal(t, map[string]float64{"buckets_not_open": 1, "in_flight": 2, "journals": 3, "outbox": 1, "dead_letters": 1,
		"unpaid_orders": 1}, failing)
	require.Equal(t, 6, strings.Count(problem["detail"].(string), "; ")+1, problem["detail"])
	require.Equal(t, "closed", b.ask("GET", "/admin/v1/sales/s", "").is(200)["state"])
	require.Zero(t, b.archiver.drops)

	b = ended(t)
	b.stock.set(func() { b.stock.shelf(first, "case").Available++ })
	problem = b.ask("DELETE", "/admin/v1/sales/s", "").problem(409, "not_at_rest")
	require.Equal(t, []any{map[string]any{"condition": "difference", "count": 1.0}}, problem["conditions"])
}

func TestArchiveIsForClosedSalesAndDrafts(t *testing.T) {
	b := newBench(t)
	b.ask("DELETE", "/admin/v1/sales/none", "").problem(404, "sale_not_found")
	b.bring("s", phoneSale)
	got := b.ask("DELETE", "/admin/v1/sales/s", "")
	document(t).fits(t, "DeletedDraft", got.Body)
	require.Equal(t, map[string]any{"sale": "s", "deleted": true}, got.is(200))
	b.ask("DELETE", "/admin/v1/sales/s", "").problem(404, "sale_not_found")
	b.bring("s", phoneSale)
	for _, move := range []struct{ verb, state string }{
		{"preload", "preloaded"}, {"open", "open"}, {"pause", "paused"},
	} {
		b.ask("POST", "/admin/v1/sales/s/"+move.verb, "").is(200)
		problem := b.ask("DELETE", "/admin/v1/sales/s", "").problem(409, "wrong_state")
		require.Equal(t, move.state, problem["state"])
		require.Contains(t, problem["detail"], "close it first")
	}
	b.bring("half", phoneSale)
	_, err := b.store.Database.LoadStock(t.Context(), "half", 8)
	require.NoError(t, err)
	problem := b.ask("DELETE", "/admin/v1/sales/half", "").problem(409, "wrong_state")
	require.Contains(t, problem["detail"], "did not finish")
	require.Empty(t, b.store.unheld)
}

// A Redis that is away leaves the sale archived in the database; repeating the request finishes it.
func TestArchiveIsFinishedByARepeat(t *testing.T) {
	b := ended(t)
	b.archiver.err = sale.Away(sale.StoreRedis, errAway)
	b.ask("DELETE", "/admin/v1/sales/s", "").problem(503, "unavailable")
	require.Equal(t, "archived", b.ask("GET", "/admin/v1/sales/s", "").is(200)["state"])
	require.NotEmpty(t, b.stock.readings)
	b.archiver.err = nil
	require.Equal(t, "archived", b.ask("DELETE", "/admin/v1/sales/s", "").is(200)["state"])
	require.Empty(t, b.stock.readings)

	b = ended(t)
	b.stock.set(func() { b.stock.away = true })
	b.ask("DELETE", "/admin/v1/sales/s", "").problem(503, "unavailable")
	require.Equal(t, "closed", b.ask("GET", "/admin/v1/sales/s", "").is(200)["state"], "nothing is written unjudged")
}
