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
	}
	w.Kafka.Settle = w.DB.Settle
	now := time.Now()
	w.Sale = w.DB.PutSale(sale.Sale{
		ID: "sale", State: sale.StateOpen, Name: "a sale", PerBuyerLimit: 1,
		StartsAt: sale.Time{Time: now.Add(-time.Hour)}, EndsAt: sale.Time{Time: now.Add(time.Hour)},
	})
	return w
}

// Stock loads a SKU with some units and a limit into one bucket and opens it.
func (w *World) Stock(sku string, units int64, limit int) sale.Bucket {
	w.Sale.PerBuyerLimit = limit
	w.Sale = w.DB.PutSale(w.Sale)
	b := sale.Bucket{Sale: w.Sale.ID, SKU: sku}
	w.Rebuild(w.DB.AddBucket(b, units, 2))
	return b
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

// Purchase is a purchase of one unit in the bucket's present epoch.
func (w *World) Purchase(b sale.Bucket, buyer string) sale.Purchase {
	row := w.DB.Row(b)
	return sale.Purchase{Bucket: b, Epoch: row.Epoch, Partition: row.Partition, Buyer: buyer, Quantity: 1}
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

// Reading is what Redis knows of a bucket.
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

// OrderOf is the database's order of an answer.
func OrderOf(a sale.Answer, buyer string) sale.RecordOrder {
	return sale.RecordOrder{OrderID: a.OrderID, Quantity: a.Quantity, Buyer: buyer}
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
