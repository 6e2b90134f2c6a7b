package store

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// operation is one method of the Store with the first words of its error.
type operation struct {
	words string
	run   func(ctx context.Context, s *Store) error
}

// of drops the answer of a method.
func of[T any](_ T, err error) error { return err }

func operations() []operation {
	return slices.Concat(bookOperations(), pageOperations(), moveOperations())
}

// pageOperations read a page.
func pageOperations() []operation {
	return []operation{
		{"read dead letters", func(ctx context.Context, s *Store) error {
			return of(s.DeadLetters(ctx, &sale.LetterQuery{Limit: 1}))
		}},
		{"read the feed of orders", func(ctx context.Context, s *Store) error {
			return of(s.OrderFeed(ctx, &sale.OrderQuery{Limit: 1}))
		}},
	}
}

func bookOperations() []operation {
	bucket := sale.Bucket{Sale: "eleven"}
	rows := []sale.BucketRow{{Bucket: bucket, Epoch: 1}}
	d := batch(bucket, 1, 1, crowd(1)...)
	return []operation{
		{"ping database", func(ctx context.Context, s *Store) error { return s.Ping(ctx) }},
		{"migrate", func(ctx context.Context, s *Store) error { return s.Migrate(ctx) }},
		{"check schema", func(ctx context.Context, s *Store) error { return s.CheckSchema(ctx) }},
		{"read changes", func(ctx context.Context, s *Store) error { return of(s.Changes(ctx, 0)) }},
		{"put sale eleven", func(ctx context.Context, s *Store) error {
			_, _, err := s.PutSale(ctx, draft("eleven", 1, item("phone", 1)))
			return err
		}},
		{"read sale eleven", func(ctx context.Context, s *Store) error { return of(s.Sale(ctx, "eleven")) }},
		{"archive sale eleven", func(ctx context.Context, s *Store) error { return of(s.ArchiveSale(ctx, "eleven", nil)) }},
		{"read the archive of eleven", func(ctx context.Context, s *Store) error { return of(s.Archive(ctx, "eleven")) }},
		{"read open archives", func(ctx context.Context, s *Store) error { return of(s.OpenArchives(ctx)) }},
		{"count what moves in sale eleven", func(ctx context.Context, s *Store) error { return of(s.Unrest(ctx, "eleven")) }},
		{"forget the lists of eleven", func(ctx context.Context, s *Store) error { return of(s.ForgetLists(ctx, "eleven")) }},
		{"delete draft eleven", func(ctx context.Context, s *Store) error { return s.DeleteDraft(ctx, "eleven") }},
		{"note that the archive of eleven is dropped", func(ctx context.Context, s *Store) error {
			return s.ArchiveDropped(ctx, "eleven")
		}},
		{"read sales", func(ctx context.Context, s *Store) error { return of(s.ArchivedSales(ctx)) }},
		{"read sales", func(ctx context.Context, s *Store) error { return of(s.Sales(ctx)) }},
		{"set sale eleven to open", func(ctx context.Context, s *Store) error {
			return of(s.SetState(ctx, "eleven", sale.StateOpen, sale.StateDraft))
		}},
		{"replace buyers of eleven", func(ctx context.Context, s *Store) error {
			return of(s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "ann")))
		}},
		{"read sale eleven", func(ctx context.Context, s *Store) error { return s.EachListed(ctx, "eleven", nil) }},
		{"load stock of eleven", func(ctx context.Context, s *Store) error { return of(s.LoadStock(ctx, "eleven", 8)) }},
		{"close 1 buckets", func(ctx context.Context, s *Store) error { return of(s.CloseBuckets(ctx, rows)) }},
		{"begin the loading of 1", func(ctx context.Context, s *Store) error { return of(s.BeginLoads(ctx, rows)) }},
		{"open 1 buckets", func(ctx context.Context, s *Store) error { return of(s.OpenBuckets(ctx, rows)) }},
		{"report loss of eleven:0 in epoch 1", func(ctx context.Context, s *Store) error {
			return s.ReportLoss(ctx, bucket, 1, "gone")
		}},
		{"look for 1 fences", func(ctx context.Context, s *Store) error { return of(s.FencesPassed(ctx, []string{"f"})) }},
		{"settle 2 records", func(ctx context.Context, s *Store) error {
			return of(s.Settle(ctx, []sale.Delivery{d, fence("f")}))
		}},
		{"change the stock of phone in sale eleven", func(ctx context.Context, s *Store) error {
			return of(s.ChangeStock(ctx, sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k", Asked: 1}))
		}},
		{"read counters of eleven", func(ctx context.Context, s *Store) error { return of(s.SaleCounters(ctx, "eleven")) }},
		{"read 1 orders", func(ctx context.Context, s *Store) error { return of(s.Order(ctx, 1)) }},
		{"read orders of ann in eleven", func(ctx context.Context, s *Store) error {
			return of(s.BuyerOrders(ctx, "eleven", "phone", "ann", 0, 10))
		}},
		{"read the orders of eleven", func(ctx context.Context, s *Store) error { return s.EachOrder(ctx, "eleven", nil) }},
		{"add dead letter 3-1", func(ctx context.Context, s *Store) error { return s.AddDeadLetter(ctx, letter(d, 1)) }},
		{"read dead letter 3-1", func(ctx context.Context, s *Store) error { return of(s.DeadLetter(ctx, "3-1")) }},
		{"mark dead letter 3-1 replayed", func(ctx context.Context, s *Store) error { return s.MarkReplayed(ctx, "3-1") }},
		{"refuse dead letter 3-1", func(ctx context.Context, s *Store) error { return s.RefuseDeadLetter(ctx, "3-1") }},
		{"acquire lease a for one", func(ctx context.Context, s *Store) error {
			return of(s.AcquireLease(ctx, "a", "one", time.Minute))
		}},
		{"release lease a of one", func(ctx context.Context, s *Store) error { return s.ReleaseLease(ctx, "a", "one") }},
		{"lease a node id", func(ctx context.Context, s *Store) error { return of(s.LeaseNode(ctx, "one", time.Minute)) }},
		{"renew node id 5 of one", func(ctx context.Context, s *Store) error {
			return s.RenewNode(ctx, sale.NodeLease{Node: 5, Holder: "one"}, 1, time.Minute)
		}},
		{"read rules", func(ctx context.Context, s *Store) error { return of(s.Rules(ctx)) }},
		{"put rules", func(ctx context.Context, s *Store) error { return of(s.PutRules(ctx, sale.Rules{}, nil)) }},
	}
}

// moveOperations are the operations that change orders, outbox and events.
func moveOperations() []operation {
	bucket := sale.Bucket{Sale: "eleven"}
	return []operation{
		{"read counters of 1 buckets", func(ctx context.Context, s *Store) error {
			return of(s.BucketCounters(ctx, []sale.Bucket{bucket}))
		}},
		{"read counters of 1 buckets", func(ctx context.Context, s *Store) error {
			return of(s.StockCounters(ctx, []sale.Bucket{bucket}, []string{"phone"}))
		}},
		{"read positions", func(ctx context.Context, s *Store) error { return of(s.Positions(ctx)) }},
		{"read the engine's id", func(ctx context.Context, s *Store) error { return of(s.EngineID(ctx)) }},
		{"pause sale eleven", func(ctx context.Context, s *Store) error { return s.PauseSale(ctx, "eleven", "why") }},
		{"cancel order 1", func(ctx context.Context, s *Store) error {
			return of(s.CancelOrder(ctx, 1, sale.ReasonShop, ""))
		}},
		{"pay order 1", func(ctx context.Context, s *Store) error { return of(s.PayOrder(ctx, 1, "p")) }},
		{"look for unpaid orders", func(ctx context.Context, s *Store) error { return of(s.ExpireOrders(ctx, 10, 0)) }},
		{"freeze the holds of sale eleven", func(ctx context.Context, s *Store) error {
			return of(s.FreezeHolds(ctx, "eleven", ""))
		}},
		{"thaw the holds of sale eleven", func(ctx context.Context, s *Store) error { return of(s.BeginThaw(ctx, "eleven")) }},
		{"look for orders of sale eleven to thaw", func(ctx context.Context, s *Store) error {
			return of(s.ThawOrders(ctx, sale.Thaw{Sale: "eleven", Number: 1, Shift: time.Second}))
		}},
		{"thaw 0 orders of sale eleven", func(ctx context.Context, s *Store) error {
			return of(s.ThawOrders(ctx, sale.Thaw{Sale: "eleven", Number: 1}))
		}},
		{"count unpaid orders", func(ctx context.Context, s *Store) error { return of(s.UnpaidOrders(ctx)) }},
		{"look for thaws", func(ctx context.Context, s *Store) error { return of(s.Thaws(ctx, 0)) }},
		{"extend order 1", func(ctx context.Context, s *Store) error {
			return of(s.ExtendOrder(ctx, 1, sale.Time{Time: time.Now()}))
		}},
		{"read the outbox", func(ctx context.Context, s *Store) error { return of(s.Outbox(ctx, 10)) }},
		{"delete 1 applied outbox rows", func(ctx context.Context, s *Store) error {
			return s.OutboxDone(ctx, []sale.Applied{{Bucket: bucket, Epoch: 1, Number: 1, Sequence: 1}})
		}},
		{"read order events", func(ctx context.Context, s *Store) error { return of(s.OrderEvents(ctx, 10)) }},
		{"forget 1 published events", func(ctx context.Context, s *Store) error { return s.EventsPublished(ctx, []int64{1}) }},
		{"read the headway of settlement", func(ctx context.Context, s *Store) error { return of(s.Headway(ctx)) }},
		{"count the orders of waiting events", func(ctx context.Context, s *Store) error { return of(s.EventOrders(ctx)) }},
		{"count the live gateways", func(ctx context.Context, s *Store) error { return of(s.LiveGateways(ctx, time.Hour)) }},
		{"read the brake", func(ctx context.Context, s *Store) error { return of(s.Brake(ctx)) }},
		{"set the brake of purchases", func(ctx context.Context, s *Store) error { return s.SetBrake(ctx, nil, 0) }},
		{"count outbox rows and events", func(ctx context.Context, s *Store) error {
			_, _, err := s.CountWaiting(ctx)
			return err
		}},
	}
}

// Without a database every operation returns an error that names the operation.
func TestEveryOperationSaysWhatFailed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		gone, err := Open(Options{Driver: DriverSQLite, DSN: t.TempDir() + "/none/shop.db"})
		if !s.dialect.oneWriter {
			gone, err = Open(Options{Driver: DriverMySQL, DSN: "root@tcp(127.0.0.1:1)/shop"})
		}
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, gone.Close()) })
		for _, o := range operations() {
			err := o.run(t.Context(), gone)
			require.Error(t, err, o.words)
			require.True(t, strings.HasPrefix(err.Error(), o.words), "%q begins with %q", err, o.words)
			require.NotErrorIs(t, err, sale.ErrNotFound, o.words)
			require.NotErrorIs(t, err, sale.ErrLeaseHeld, o.words)
			require.NotErrorIs(t, err, sale.ErrSchema, o.words)
		}
	})
}

// An operation whose caller has gone ends, and leaves nothing behind.
func TestEveryOperationObeysItsContext(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		before := countersOf(t, s, bucket)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, o := range operations() {
			require.ErrorIs(t, o.run(ctx, s), context.Canceled, o.words)
		}
		require.Equal(t, before, countersOf(t, s, bucket))
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM dead_letters")+count(t, s, "SELECT COUNT(*) FROM leases"))
	})
}

// Rows that the engine did not write cause errors, never a wrong answer.
func TestGarbledRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		_, err := s.db.Exec("UPDATE rules SET body = 'not JSON', rules_version = 4")
		require.NoError(t, err)
		_, err = s.Rules(t.Context())
		require.ErrorContains(t, err, "read rules version 4")
		_, err = s.db.Exec("DELETE FROM rules")
		require.NoError(t, err)
		_, err = s.Rules(t.Context())
		require.Error(t, err)
		_, err = s.db.Exec("DELETE FROM catalogue")
		require.NoError(t, err)
		_, err = s.Changes(t.Context(), 0)
		require.Error(t, err)
		_, _, err = s.PutSale(t.Context(), draft("eleven", 1, item("phone", 1)))
		require.ErrorContains(t, err, "draw a version")
		_, err = s.Sale(t.Context(), "eleven")
		require.ErrorIs(t, err, sale.ErrNotFound, "and nothing half done")
	})
}
