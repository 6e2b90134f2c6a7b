package scripts

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// A step of a load is refused when its begin is lost or when a later load has begun.
func TestLoadStepsAreFenced(t *testing.T) {
	r, ctx, server := dialShared(t), context.Background(), harness.SharedRedis(t)
	b := sale.Bucket{Sale: "sale"}
	require.NoError(t, r.InstallFenced(ctx, b, nil))
	now := time.Now()
	load := sale.Load{
		BucketRow: sale.BucketRow{Bucket: b, Epoch: 7},
		Stock: []sale.ShelfLoad{
			{SKU: "phone", Available: 5, Number: 1, Limit: 1}, {SKU: "case", Available: 5, Number: 2, Limit: 1},
		},
		Owners: []sale.RecordOrder{{OrderID: 1, Lines: units(1, 1), Buyer: "zed"}},
		Window: sale.Window{
			Version: 1, State: sale.StateOpen,
			StartsMS: now.Add(-time.Hour).UnixMilli(), EndsMS: now.Add(time.Hour).UnixMilli(),
		},
	}
	steps := r.loadSteps(load)
	reply := func(call scriptCall) (word string) {
		t.Helper()
		require.NoError(t, r.runScripts(ctx, LoadScript(), []scriptCall{call}, nil))
		m := modelRun{t: t, redis: r}
		word, err := m.script(LoadScript(), call).ToString()
		require.NoError(t, err)
		return word
	}
	doubt := func() string {
		t.Helper()
		doubts, err := r.Probe(ctx, []sale.BucketRow{load.BucketRow})
		require.NoError(t, err)
		return doubts[0]
	}
	require.Equal(t, "lost", reply(steps.stock[0]))
	require.Equal(t, "lost", reply(steps.buyers[0]))
	require.Equal(t, "lost", reply(steps.open))
	require.Equal(t, "done", reply(steps.begin))
	require.Equal(t, "state", doubt(), "loading")
	require.Equal(t, "done", reply(steps.stock[0]))
	require.Equal(t, "lost", reply(steps.open), "the buyers are missing")
	require.Equal(t, "done", reply(steps.buyers[0]))
	server.MustDo(t, "HSET", r.Keys(b).Buyers, "ann", "1,1,1,0")
	require.Equal(t, "lost", reply(steps.open), "the hash has another buyer")
	server.MustDo(t, "HDEL", r.Keys(b).Buyers, "ann")
	server.MustDo(t, "HDEL", r.Keys(b).Stock, "case")
	require.Equal(t, "lost", reply(steps.open), "a SKU is missing")
	require.Equal(t, "done", reply(steps.stock[0]))
	require.Equal(t, "done", reply(steps.open))
	require.Equal(t, "done", reply(steps.open), "sent twice")
	require.Equal(t, "older", reply(steps.begin), "an open epoch is not loaded again")
	require.Empty(t, doubt())
	call := ReserveCall{
		Keys: r.Keys(b), Head: "sale 0", Clock: NewClock(nil), Within: time.Second, Epoch: 7, DeadlineMS: farDeadline,
		MaxJournal: 10, OrderIDs: []sale.OrderID{2, 3},
		Purchases: []*sale.Purchase{{Buyer: "zed", Lines: lines("phone", 1)}, {Buyer: "ann", Lines: lines("phone", 1)}},
	}
	sold, err := r.Reserve(&call, NewArgumentBuffer())
	require.NoError(t, err)
	require.Equal(t, "B 1 1 1 1\nT", sold.Verdicts)
}

// Gateways of two releases share a bucket while a release is rolled out, so the fields of the meta hash keep their names.
func TestFieldsOfABucketKeepTheirNames(t *testing.T) {
	r, ctx, server := dialShared(t), context.Background(), harness.SharedRedis(t)
	b := sale.Bucket{Sale: "sale"}
	require.NoError(t, r.Load(ctx, []sale.Load{{BucketRow: sale.BucketRow{Bucket: b, Epoch: 1}}}))
	fields, is := server.MustDo(t, "HKEYS", r.Keys(b).Meta).([]any)
	require.True(t, is)
	require.ElementsMatch(t, []any{
		"epoch", "loaded_state", "replid", "checked_ms", "base_ms", "seq", "held", "outbox", "outbox_seq", "took", "version",
		"state", "starts_ms", "ends_ms", "sale_limit",
	}, fields)
}
