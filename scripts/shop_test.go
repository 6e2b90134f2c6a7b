package scripts

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// tester is a test or a rapid test.
type tester interface {
	require.TestingT
	Helper()
}

// shop is one bucket in Redis, with the items of the catalogue.
type shop struct {
	t tester
	*Redis
	bucket    sale.Bucket
	keys      BucketKeys
	load      sale.Load
	arguments *ArgumentBuffer
	grief     sale.Grief
	clock     *Clock
	nextID    sale.OrderID
	outbox    int64
	reply     ReserveReply // the last
}

// onBothServers runs a test on Redis and on the embedded server.
func onBothServers(t *testing.T, test func(t *testing.T, r *Redis)) {
	t.Run("redis", func(t *testing.T) { test(t, dialShared(t)) })
	t.Run("embedded", func(t *testing.T) {
		test(t, dial(t, Options{Namespace: namespace(t), Addrs: []string{miniredis.RunT(t).Addr()}, Embedded: true}))
	})
}

// newShop loads a bucket with the stock. saleLimit 0 is none.
func newShop(t tester, r *Redis, saleLimit int, stock []sale.ShelfLoad) *shop {
	t.Helper()
	s := &shop{
		t: t, Redis: r, bucket: sale.Bucket{Sale: "sale", Number: 3}, arguments: NewArgumentBuffer(), clock: NewClock(nil),
		nextID: 1000,
	}
	s.keys = r.Keys(s.bucket)
	require.NoError(t, r.InstallFenced(context.Background(), s.bucket, nil))
	now := time.Now()
	s.begin(sale.Load{
		BucketRow: sale.BucketRow{Bucket: s.bucket, Epoch: 1}, Stock: stock,
		Window: sale.Window{
			Version: 1, State: sale.StateOpen, Limit: saleLimit,
			StartsMS: now.Add(-time.Hour).UnixMilli(), EndsMS: now.Add(time.Hour).UnixMilli(),
		},
	})
	return s
}

// begin loads an epoch.
func (s *shop) begin(load sale.Load) {
	s.t.Helper()
	s.load, s.outbox = load, load.Outbox
	require.NoError(s.t, s.Load(context.Background(), []sale.Load{load}))
}

// shelf is the stock of an item of the catalogue.
func shelf(sku string, available int64, limit int) sale.ShelfLoad {
	return sale.ShelfLoad{SKU: sku, Available: available, Limit: limit, Number: lines(sku, 1)[0].Number}
}

// purchase has lines by SKU and quantity, in pairs.
func purchase(buyer, key string, pairs ...any) *sale.Purchase {
	return &sale.Purchase{Buyer: buyer, Key: key, Lines: lines(pairs...)}
}

// buy sends a batch and returns its verdicts.
func (s *shop) buy(purchases ...*sale.Purchase) []string {
	s.t.Helper()
	call := ReserveCall{
		Keys: s.keys, Head: "sale 3", Clock: s.clock, Within: 5 * time.Second, Epoch: s.load.Epoch, MaxJournal: 1_000_000,
		Grief: s.grief, Purchases: purchases,
	}
	for range purchases {
		s.nextID++
		call.OrderIDs = append(call.OrderIDs, s.nextID)
	}
	return s.send(&call)
}

func (s *shop) send(call *ReserveCall) []string {
	s.t.Helper()
	var err error
	s.reply, err = s.Reserve(call, s.arguments)
	require.NoError(s.t, err)
	if s.reply.Code != CodeOK {
		return []string{s.reply.Code + " " + s.reply.Detail}
	}
	if s.reply.Verdicts == AllTaken {
		return strings.Split(strings.TrimSuffix(strings.Repeat("T ", len(call.Purchases)), " "), " ")
	}
	return strings.Split(s.reply.Verdicts, "\n")
}

// stock returns `available taken moved returned` by SKU.
func (s *shop) stock(skus ...string) (counters []string) {
	s.t.Helper()
	readings, err := s.StockReadings(context.Background(), []sale.Bucket{s.bucket}, skus)
	require.NoError(s.t, err)
	for _, r := range readings[0].Shelves {
		counters = append(counters, fmt.Sprintf("%d %d %d %d", r.Available, r.Taken, r.Moved, r.Returned))
	}
	return counters
}

// apply applies a page of one row, the next one unless the page has a number.
func (s *shop) apply(page ReleasePage) ReleaseReply {
	s.t.Helper()
	page.Bucket, page.Epoch, page.Rows = s.bucket, s.load.Epoch, 1
	if page.First == 0 {
		page.First = s.outbox + 1
	}
	var reply ReleaseReply
	err := s.Release(context.Background(), []ReleasePage{page}, func(*ReleasePage) int64 { return 0 },
		func(_ *ReleasePage, r ReleaseReply) { reply = r })
	require.NoError(s.t, err)
	s.outbox = max(s.outbox, reply.Number)
	return reply
}

// released is the page that releases an order.
func released(id sale.OrderID, p *sale.Purchase) ReleasePage {
	return ReleasePage{Orders: []PageOrder{{ReleasedOrder: sale.ReleasedOrder{OrderID: id, Buyer: p.Buyer, Lines: p.Lines}}}}
}
