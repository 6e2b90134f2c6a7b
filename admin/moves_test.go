package admin

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/memory"
)

// first is the first bucket of the sale s.
var first = sale.Bucket{Sale: "s"}

func TestMovesFollowTheStates(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	for _, step := range []struct{ move, state string }{
		{"preload", "preloaded"}, {"preload", "preloaded"}, {"open", "open"}, {"open", "open"}, {"preload", "open"},
		{"pause", "paused"}, {"pause", "paused"}, {"preload", "paused"}, {"resume", "open"}, {"resume", "open"},
		{"pause", "paused"}, {"close", "closed"}, {"close", "closed"},
	} {
		got := b.ask("POST", "/admin/v1/sales/s/"+step.move, "").is(200)
		require.Equal(t, step.state, got["state"], step.move)
		require.Equal(t, "s", got["sale"])
		require.Equal(t, step.state, b.ask("GET", "/admin/v1/sales/s", "").is(200)["state"])
		window := b.stock.windows[first]
		require.Equal(t, sale.State(step.state), window.State, "Redis has the state when the move is answered")
		require.Equal(t, b.store.sale("s").Version, window.Version)
	}
	require.Empty(t, b.store.unheld)
	require.Empty(t, b.store.Snapshot().Leases, "every lease was given back")
}

func TestWrongMovesAreRefused(t *testing.T) {
	fits := map[sale.State][]string{
		sale.StateDraft:     {"preload"},
		sale.StatePreloaded: {"preload", "open", "close"},
		sale.StateOpen:      {"preload", "open", "pause", "resume", "close"},
		sale.StatePaused:    {"preload", "pause", "resume", "close"},
		sale.StateClosed:    {"close"},
	}
	for state, allowed := range fits {
		for _, move := range []string{"preload", "open", "pause", "resume", "close"} {
			b := newBench(t)
			b.bring("s", phoneSale, "preload")
			b.store.changeSale("s", func(s *memory.Sale) { s.State = state })
			r := b.ask("POST", "/admin/v1/sales/s/"+move, "")
			if slices.Contains(allowed, move) {
				r.is(200)
				continue
			}
			require.Equal(t, string(state), r.problem(409, "wrong_state")["state"], move)
			require.Equal(t, state, b.store.sale("s").State)
			require.Len(t, b.store.acquired, 1, "a wrong move waits for nothing")
		}
	}
}

// A refusal names the step to take instead.
func TestWrongMovesNameTheNextStep(t *testing.T) {
	for _, c := range []struct {
		state      sale.State
		move, says string
	}{
		{sale.StateDraft, "open", "open is not possible: the sale is draft; preload first"},
		{sale.StateDraft, "resume", "preload first"}, {sale.StateDraft, "pause", "is not open yet"},
		{sale.StateDraft, "close", "is not open yet"},
		{sale.StatePreloaded, "resume", "open first"}, {sale.StatePreloaded, "pause", "is not open yet"},
		{sale.StatePaused, "open", "use resume instead"}, {sale.StateClosed, "open", "a closed sale stays closed"},
	} {
		b := newBench(t)
		b.bring("s", phoneSale, "preload")
		b.store.changeSale("s", func(s *memory.Sale) { s.State = c.state })
		problem := b.ask("POST", "/admin/v1/sales/s/"+c.move, "").problem(409, "wrong_state")
		require.Contains(t, problem["detail"], c.says, "%s of %s", c.move, c.state)
	}
}

func TestMovesOfUnknownSales(t *testing.T) {
	b := newBench(t)
	for _, move := range []string{"preload", "open", "pause", "resume", "close", "buyers", "stats", "audit"} {
		method := map[string]string{"buyers": "PUT", "stats": "GET", "audit": "GET"}[move]
		if method == "" {
			method = "POST"
		}
		b.ask(method, "/admin/v1/sales/unknown/"+move, "").problem(404, "sale_not_found")
		b.ask(method, "/admin/v1/sales/-no.id/"+move, "").problem(404, "sale_not_found")
	}
}

func TestPauseStopsGatewaysWhileAPreloadRuns(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = sale.BucketClosed }) // it is to be loaded anew
	gate, entered := make(chan struct{}), make(chan struct{})
	b.stock.set(func() { b.stock.gate, b.stock.entered = gate, entered })

	preload := make(chan *reply, 1)
	go func() { preload <- b.ask("POST", "/admin/v1/sales/s/preload", "") }()
	<-entered
	pause := make(chan *reply, 1)
	go func() { pause <- b.ask("POST", "/admin/v1/sales/s/pause", "") }()
	require.Eventually(t, func() bool {
		s, err := b.store.Sale(context.Background(), "s")
		return err == nil && s.State == sale.StatePaused
	}, 5*time.Second, time.Millisecond, "gateways read the state in the database at once")
	require.Empty(t, pause, "but the answer waits until Redis has it")
	close(gate)
	(<-preload).is(200)
	require.Equal(t, "paused", (<-pause).is(200)["state"])
	require.Equal(t, sale.StatePaused, b.stock.windows[first].State)
}

func TestPauseSaysSoWhenRedisIsAwayAndFinishesLater(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	b.stock.set(func() { b.stock.away = true })
	b.ask("POST", "/admin/v1/sales/s/pause", "").problem(503, "unavailable")
	require.Equal(t, sale.StatePaused, b.store.sale("s").State, "the database is ahead, never behind")
	require.Equal(t, sale.StateOpen, b.stock.windows[first].State)
	b.stock.set(func() { b.stock.away = false })
	b.ask("POST", "/admin/v1/sales/s/pause", "").is(200)
	require.Equal(t, sale.StatePaused, b.stock.windows[first].State)
}

func TestOpenLoadsAListThatWasReplacedAfterPreload(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\nb\n").is(200)
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)
	require.ElementsMatch(t, []string{"a", "b"}, b.stock.lists["s"])
	b.ask("PUT", "/admin/v1/sales/s/buyers", "c\n").is(200)
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
	require.Equal(t, []string{"c"}, b.stock.lists["s"])
	require.EqualValues(t, 2, b.stock.versions["s"])
}

// TestListedSaleWithoutAListIsNotOpened: it could not be repaired afterwards. Until a sale is open its list may be
// replaced.
func TestListedSaleWithoutAListIsNotOpened(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale, "preload")
	problem := b.ask("POST", "/admin/v1/sales/s/open", "").problem(409, "wrong_state")
	require.Equal(t, "preloaded", problem["state"])
	require.Contains(t, problem["detail"], "sale buyers first")
	require.Equal(t, sale.StatePreloaded, b.stock.windows[first].State)
	s := b.store.sale("s")
	require.EqualValues(t, 1, s.ListVersion, "version 0 would be a sale that is open to all")
	require.Zero(t, s.ListSize)
	require.EqualValues(t, 1, b.stock.versions["s"])
	b.ask("PUT", "/admin/v1/sales/s/buyers", "").problem(400, "malformed")
	b.ask("POST", "/admin/v1/sales/s/open", "").problem(409, "wrong_state")
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\n").is(200)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "b\n").is(200)
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
	require.Equal(t, []string{"b"}, b.stock.lists["s"])
	b.store.changeSale("s", func(s *memory.Sale) { s.ListSize, s.Listed = 0, nil }) // an earlier version opened it
	require.Equal(t, "open", b.ask("POST", "/admin/v1/sales/s/open", "").is(200)["state"], "a repeated move answers the same")
}

func TestOpenLoadsAListThatIsReplacedMeanwhile(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\n").is(200)
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)
	b.api.deps.Stock = &replacesList{fakeStock: b.stock, replace: func() {
		b.ask("PUT", "/admin/v1/sales/s/buyers", "b\nc\n").is(200)
	}}
	b.ask("POST", "/admin/v1/sales/s/open", "").is(200)
	require.ElementsMatch(t, []string{"b", "c"}, b.stock.lists["s"], "the list that counts is the one that Redis has")
	require.Equal(t, sale.StateOpen, b.stock.windows[first].State)
}

// replacesList ends an upload right after open has read the list for the first time.
type replacesList struct {
	*fakeStock
	replace func()
}

func (r *replacesList) HasList(ctx context.Context, id string, version, size int64) (bool, error) {
	has, err := r.fakeStock.HasList(ctx, id, version, size)
	if r.replace != nil {
		r.replace()
		r.replace = nil
	}
	return has, err
}

func TestPreloadLoadsNoStockWithoutItsList(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\n").is(200)
	b.store.changeSale("s", func(s *memory.Sale) { s.Listed = nil }) // the database returns another list than it counted
	b.ask("POST", "/admin/v1/sales/s/preload", "").problem(503, "unavailable")
	require.Equal(t, sale.StateDraft, b.store.sale("s").State)
	require.Empty(t, b.stock.readings, "no stock for a sale whose buyers are not known")
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\n").is(200)
	b.ask("POST", "/admin/v1/sales/s/preload", "").is(200)
}
