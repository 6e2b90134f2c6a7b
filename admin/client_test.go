package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/adminclient"
	"flashsale/sale"
)

func (b *bench) client() *adminclient.Client {
	b.t.Helper()
	c, err := adminclient.NewClient(b.url+"/", adminToken)
	require.NoError(b.t, err)
	return c
}

func TestClientRunsASalesWholeLife(t *testing.T) {
	b := newBench(t)
	c, ctx := b.client(), t.Context()
	created, err := c.PutSale(ctx, "s", []byte(listedSale))
	require.NoError(t, err)
	require.Equal(t, b.ask("GET", "/admin/v1/sales/s", "").Body, created, "the API's JSON as it is")
	listed, err := c.PutBuyers(ctx, "s", &buyerStream{count: 1000})
	require.NoError(t, err)
	require.JSONEq(t, `{"buyers":1000}`, string(listed))
	var seen [][2]int
	loaded, err := c.Preload(ctx, "s", func(done, total int) { seen = append(seen, [2]int{done, total}) })
	require.NoError(t, err)
	require.Equal(t, [][2]int{{1, 1}}, seen)
	require.Contains(t, string(loaded), `"state":"preloaded"`)
	for _, step := range []struct{ verb, state string }{
		{"preload", "preloaded"}, {"open", "open"}, {"pause", "paused"}, {"resume", "open"}, {"close", "closed"},
	} {
		moved, err := c.Move(ctx, "s", step.verb)
		require.NoError(t, err)
		require.Contains(t, string(moved), `"state":"`+step.state+`"`)
	}
	shown, err := c.Sale(ctx, "s")
	require.NoError(t, err)
	list, err := c.Sales(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"sales":[`+string(shown)+`]}`, string(list))
	stats, err := c.Stats(ctx, "s")
	require.NoError(t, err)
	require.Contains(t, string(stats), `"conserved":true`)
}

func TestClientReadsAndWritesRules(t *testing.T) {
	c, ctx := newBench(t).client(), t.Context()
	put, err := c.PutRules(ctx, []byte(fullRules))
	require.NoError(t, err)
	got, err := c.Rules(ctx)
	require.NoError(t, err)
	require.Equal(t, put, got)
	_, err = c.PutRules(ctx, []byte(fullRules))
	var refusal *adminclient.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "version_conflict", refusal.Code)
	require.Equal(t, 1, adminclient.ExitCode(err))
}

func TestClientTurnsProblemsIntoErrors(t *testing.T) {
	b := newBench(t)
	c, ctx := b.client(), t.Context()
	b.store.SeedOrder(sale.Order{OrderID: 7})
	_, err := c.Order(ctx, 7)
	require.NoError(t, err)
	var refusal *adminclient.Refusal
	_, err = c.Order(ctx, 8)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "order_not_found", refusal.Code)
	_, err = c.PutSale(ctx, "s", []byte(`{"name":"n","colour":1}`))
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, &adminclient.Refusal{Status: 400, Code: "malformed", Title: "The request is malformed", Field: "colour",
		Detail: "colour: is not a known member: " + formOfSale(""), Errors: refusal.Errors}, refusal)
	require.Len(t, refusal.Errors, 4, "and each member that it lacks")
	for _, id := range []string{"", "..", "a/b", "No Sale", "none"} {
		_, err = c.Sale(ctx, id)
		require.ErrorAs(t, err, &refusal, id)
		require.Equal(t, 404, refusal.Status, id)
		require.Equal(t, 1, adminclient.ExitCode(err))
	}
	_, err = c.Preload(ctx, "none", nil)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "sale_not_found", refusal.Code)
}

func TestClientTellsWhatCouldNotBeRead(t *testing.T) {
	b := newBench(t)
	c, ctx := b.client(), t.Context()
	b.store.set(func() { b.store.away = true })
	_, err := c.Rules(ctx)
	require.ErrorIs(t, err, adminclient.ErrUnreadable)
	require.ErrorContains(t, err, "unavailable (503)")
	require.Equal(t, 2, adminclient.ExitCode(err))
	_, err = c.Move(ctx, "s", "open")
	require.NotErrorIs(t, err, adminclient.ErrUnreadable)
	require.Equal(t, 1, adminclient.ExitCode(err))

	away, err := adminclient.NewClient("http://127.0.0.1:1", adminToken)
	require.NoError(t, err)
	_, err = away.Sales(ctx)
	require.Equal(t, 2, adminclient.ExitCode(err))
	_, err = away.PutRules(ctx, []byte("{}"))
	require.Equal(t, 1, adminclient.ExitCode(err))
	require.Equal(t, 0, adminclient.ExitCode(nil))
}

// audit runs PrintAudit and returns what it printed.
func (b *bench) audit(request adminclient.AuditRequest) (string, error) {
	b.t.Helper()
	var out bytes.Buffer
	request.Poll = time.Millisecond
	err := b.client().PrintAudit(b.t.Context(), &out, request)
	return out.String(), err
}

func TestAuditPrintsALineForEachSKU(t *testing.T) {
	b := newBench(t)
	b.bring("s", bucketedSale, "preload", "open")
	b.bring("draft", phoneSale)
	b.bring("other", phoneSale, "preload")
	b.sell(first, 2, 1, 0)
	printed, err := b.audit(adminclient.AuditRequest{})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"   sale    sku  loaded  available  in_flight  settled  released  difference  holds",
		"  other  phone      10         10          0        0         0           0    yes",
		"      s  phone      10          8          1        1         0           0    yes",
		"      s   case       7          7          0        0         0           0    yes", "",
	}, "\n"), printed)
	printed, err = b.audit(adminclient.AuditRequest{Sale: "other", JSON: true})
	require.NoError(t, err)
	require.JSONEq(t, string(b.ask("GET", "/admin/v1/sales/other/audit", "").Body), printed)
	printed, err = b.audit(adminclient.AuditRequest{JSON: true})
	require.NoError(t, err)
	var all sale.Audit
	require.NoError(t, json.Unmarshal([]byte(printed), &all))
	require.Len(t, all.Items, 3)
	require.True(t, all.Holds)
}

func TestAuditOfNoSalesHolds(t *testing.T) {
	printed, err := newBench(t).audit(adminclient.AuditRequest{JSON: true})
	require.NoError(t, err)
	require.JSONEq(t, `{"holds":true,"items":[]}`, printed)
}

func TestAuditAnswersNo(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.bring("other", phoneSale, "preload")
	b.lose(1)
	for _, request := range []adminclient.AuditRequest{{}, {Sale: "s"}, {Sale: "s", JSON: true}, {Wait: time.Second}} {
		printed, err := b.audit(request)
		require.ErrorIs(t, err, adminclient.ErrBooksDoNotHold)
		require.Equal(t, 1, adminclient.ExitCode(err))
		require.Contains(t, printed, "phone", "what does not hold is printed")
	}
	printed, err := b.audit(adminclient.AuditRequest{Sale: "s"})
	require.ErrorIs(t, err, adminclient.ErrBooksDoNotHold)
	require.Contains(t, printed, "NO")
}

func TestAuditWaitsUntilNothingIsInFlight(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.sell(first, 2, 0, 0)
	printed, err := b.audit(adminclient.AuditRequest{Wait: 10 * time.Millisecond, JSON: true})
	require.ErrorIs(t, err, adminclient.ErrStillInFlight)
	require.Equal(t, 1, adminclient.ExitCode(err))
	require.Contains(t, printed, `"in_flight":2`)
	_, err = b.audit(adminclient.AuditRequest{})
	require.NoError(t, err, "without waiting, units in flight are not a fault")

	b.store.set(func() { b.store.away = true })
	done := make(chan error, 1)
	go func() {
		_, err := b.audit(adminclient.AuditRequest{Wait: time.Minute})
		done <- err
	}()
	b.store.set(func() { b.store.away = false }) // the audit waits for a store that is away
	b.sell(first, 0, 2, 0)
	require.NoError(t, <-done)
}

func TestAuditThatCouldNotBeRead(t *testing.T) {
	b := newBench(t)
	_, err := b.audit(adminclient.AuditRequest{Sale: "none", Wait: time.Minute})
	require.ErrorIs(t, err, adminclient.ErrUnreadable, "and no waiting mends it")
	require.Equal(t, 2, adminclient.ExitCode(err))
	b.store.set(func() { b.store.away = true })
	_, err = b.audit(adminclient.AuditRequest{})
	require.Equal(t, 2, adminclient.ExitCode(err))
	_, err = b.audit(adminclient.AuditRequest{Wait: 5 * time.Millisecond})
	require.Equal(t, 2, adminclient.ExitCode(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.client().PrintAudit(ctx, io.Discard, adminclient.AuditRequest{Wait: time.Minute}),
		adminclient.ErrUnreadable)
}
