package fakes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/harness"
)

// World is what the tests of reserve and recovery share: a real Redis, a Kafka and a database that tests can break, and one
// open sale. The tests of a room add the engine and the rebuild, which this package does not know.
type World struct {
	T       testing.TB
	Redis   *scripts.Redis
	Server  *harness.RedisServer // for commands past the client
	Kafka   *Kafka
	DB      *Database
	Sale    sale.Sale
	Reserve func(sale.Purchase) sale.Answer
	Load    func(ctx context.Context, rows []sale.BucketRow) error // rebuilds buckets

	skus map[sale.Bucket]string // the SKU of a bucket that a test means when it names none
}

// SharedRedis is the package's Redis, with a namespace that no other test uses.
func SharedRedis(t testing.TB) scripts.Options { return On(t, harness.SharedRedis(t).Addr) }

// On is a Redis at an address, with a namespace that no other test uses.
func On(t testing.TB, addr string) scripts.Options {
	return scripts.Options{Namespace: Namespace(t), Addrs: []string{addr}}
}

// NewWorld connects to a Redis and opens a sale that began an hour ago and lasts an hour more.
func NewWorld(t testing.TB, on scripts.Options) *World {
	w := &World{
		T: t, Redis: Dial(t, on), Server: &harness.RedisServer{Addr: on.Addrs[0]}, Kafka: &Kafka{}, DB: NewDatabase(),
		skus: map[sale.Bucket]string{},
	}
	w.Kafka.Settle = w.DB.Settle
	now := time.Now()
	w.Sale = w.DB.PutSale(sale.Sale{
		ID: "sale", State: sale.StateOpen, Name: "a sale", PerBuyerLimit: 1, Currency: "CNY",
		StartsAt: sale.Time{Time: now.Add(-time.Hour)}, EndsAt: sale.Time{Time: now.Add(time.Hour)},
	})
	return w
}

// Stock opens the sale's next bucket, with some units of one SKU and none of the sale's others. The limit per buyer and SKU is
// that of the whole sale. Redis has the SKU in the buckets before it only when they are rebuilt.
func (w *World) Stock(sku string, units int64, limit int) sale.Bucket {
	w.T.Helper()
	return w.StockAll(limit, []string{sku}, []int64{units})[0]
}

// StockAll opens the sale's next buckets: each with so many units of every SKU, in the order of skus.
func (w *World) StockAll(limit int, skus []string, units ...[]int64) []sale.Bucket {
	w.T.Helper()
	for _, sku := range skus {
		if _, known := w.Sale.Item(sku); !known {
			w.Sale.Items = append(w.Sale.Items, sale.Item{SKU: sku, PriceCents: Price})
		}
	}
	buckets := make([]sale.Bucket, len(units))
	for i := range units {
		buckets[i] = sale.Bucket{Sale: w.Sale.ID, Number: w.Sale.Buckets + i}
		w.skus[buckets[i]] = skus[0]
	}
	w.Sale.PerBuyerLimit, w.Sale.Buckets = limit, w.Sale.Buckets+len(units)
	w.Sale = w.DB.PutSale(w.Sale)
	rows := make([]sale.BucketRow, len(units))
	for i, b := range buckets {
		of := make([]sale.SKUUnits, len(skus))
		for column, sku := range skus {
			of[column] = sale.SKUUnits{SKU: sku, Units: units[i][column]}
		}
		rows[i] = w.DB.AddBucket(b, int32((b.Number+firstPartition)%partitions), of...)
	}
	w.Rebuild(rows...)
	return buckets
}

// Price is the price of every SKU in cents.
const Price = 1990

// The partitions of buckets: the first bucket has firstPartition.
const firstPartition, partitions = 2, 4

// Line is a line of an order of the sale.
func (w *World) Line(sku string, quantity int) sale.Line {
	item, known := w.Sale.Item(sku)
	require.True(w.T, known, sku)
	return sale.Line{SKU: sku, Quantity: quantity, UnitPriceCents: item.PriceCents, Number: item.Number}
}

// Rebuild brings buckets to their next epoch.
func (w *World) Rebuild(rows ...sale.BucketRow) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(w.T, w.Load(ctx, rows))
}

// CloseRow closes a bucket in the database, as a report does.
func (w *World) CloseRow(b sale.Bucket) sale.BucketRow {
	rows, err := w.DB.CloseBuckets(context.Background(), []sale.BucketRow{w.DB.Row(b)})
	require.NoError(w.T, err)
	return rows[0]
}

// Purchase is a purchase of one unit of the SKU with which the bucket was opened, in the bucket's present epoch.
func (w *World) Purchase(b sale.Bucket, buyer string) sale.Purchase {
	return w.Basket(b, buyer, w.Line(w.skus[b], 1))
}

// Basket is a purchase of several lines.
func (w *World) Basket(b sale.Bucket, buyer string, lines ...sale.Line) sale.Purchase {
	row := w.DB.Row(b)
	return sale.Purchase{Bucket: b, Epoch: row.Epoch, Partition: row.Partition, Buyer: buyer, Lines: lines}
}

// Buy presses once.
func (w *World) Buy(b sale.Bucket, buyer string) sale.Answer { return w.Reserve(w.Purchase(b, buyer)) }

// BuyAll presses once for each buyer, all at once, and returns the answers in the same order.
func (w *World) BuyAll(b sale.Bucket, buyers []string) []sale.Answer {
	answers := make([]sale.Answer, len(buyers))
	var all sync.WaitGroup
	for i, buyer := range buyers {
		all.Go(func() { answers[i] = w.Buy(b, buyer) })
	}
	all.Wait()
	return answers
}

// Shelf is what Redis knows of the SKU with which a bucket was opened.
func (w *World) Shelf(b sale.Bucket) sale.ShelfReading { return w.ShelfOf(b, w.skus[b]) }

// ShelfOf is what Redis knows of a SKU in a bucket.
func (w *World) ShelfOf(b sale.Bucket, sku string) sale.ShelfReading {
	w.T.Helper()
	readings, err := w.Redis.StockReadings(context.Background(), []sale.Bucket{b}, []string{sku})
	require.NoError(w.T, err)
	return readings[0].Shelves[0]
}

// Reading is what Redis knows of a bucket besides its stock.
func (w *World) Reading(b sale.Bucket) sale.Reading {
	w.T.Helper()
	readings, err := w.Redis.Readings(context.Background(), []sale.Bucket{b})
	require.NoError(w.T, err)
	return readings[0]
}

// Value is a buyer's value in the buyers hash.
func (w *World) Value(b sale.Bucket, buyer string) string {
	w.T.Helper()
	value, is := w.Server.MustDo(w.T, "HGET", w.Redis.Keys(b).Buyers, buyer).(string)
	require.True(w.T, is)
	return value
}

// Do sends one raw command to the world's Redis.
func (w *World) Do(args ...string) {
	w.T.Helper()
	w.Server.MustDo(w.T, args...)
}

// Namespace returns a prefix of keys that no other test uses.
func Namespace(t testing.TB) string {
	text := make([]byte, 4)
	_, err := rand.Read(text)
	require.NoError(t, err)
	return "t" + hex.EncodeToString(text)
}

// Dial returns a client that is closed at the end of the test.
func Dial(t testing.TB, o scripts.Options) *scripts.Redis {
	r, err := scripts.Dial(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// Eventually waits for a condition, at most 8 s.
func Eventually(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 8*time.Second, 5*time.Millisecond, message)
}

// Outcomes counts answers by outcome.
func Outcomes(answers []sale.Answer) map[string]int {
	counts := map[string]int{}
	for _, a := range answers {
		counts[a.Outcome.String()]++
	}
	return counts
}

// OrderOf is the database's order of an answer, without its lines.
func OrderOf(a sale.Answer, buyer string) sale.RecordOrder {
	return sale.RecordOrder{OrderID: a.OrderID, Buyer: buyer}
}

// Buyers returns n names, prefix-0 and so on.
func Buyers(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return all
}

// ListOf passes n buyers on, listed-0 and so on.
func ListOf(n int) func(func(string) error) error {
	return func(add func(string) error) error {
		for _, buyer := range Buyers("listed", n) {
			if err := add(buyer); err != nil {
				return err
			}
		}
		return nil
	}
}
