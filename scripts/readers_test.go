package scripts

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// While Redis is away every reader returns an error, in bounded time, and not an empty answer.
func TestReadersWithoutRedis(t *testing.T) {
	server := harness.Redis(t)
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{server.Addr}})
	b := sale.Bucket{Sale: "sale"}
	require.NoError(t, r.Ping(context.Background()))
	server.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	row := sale.BucketRow{Bucket: b, Epoch: 1}
	readers := map[string]func() error{
		"ping":     func() error { return r.Ping(ctx) },
		"readings": func() error { _, err := r.Readings(ctx, []sale.Bucket{b}); return err },
		"stock":    func() error { _, err := r.StockReadings(ctx, []sale.Bucket{b}, []string{"phone"}); return err },
		"drop":     func() error { return r.DropBucket(ctx, b) },
		"holdings": func() error { _, err := r.Holdings(ctx, b, "anna", nil); return err },
		"owners":   func() error { return r.EachOwner(ctx, b, func(string, []int) error { return nil }) },
		"list":     func() error { _, err := r.HasList(ctx, "sale", 1, 0); return err },
		"window":   func() error { return r.ApplyWindow(ctx, []sale.Bucket{b}, sale.Window{Version: 1}) },
		"probe":    func() error { _, err := r.Probe(ctx, []sale.BucketRow{row}); return err },
		"script":   func() error { _, err := r.LacksScript(ctx); return err },
		"install":  func() error { return r.InstallFenced(ctx, b, nil) },
		"counts":   func() error { _, err := r.JournalCounts(ctx, []sale.Bucket{b}); return err },
		"journal": func() error {
			_, err := r.JournalFrom(ctx, r.Keys(b), JournalBeginning, 1)
			return err
		},
	}
	for name, read := range readers {
		require.Error(t, read(), name)
	}
	require.NoError(t, ctx.Err())
}
