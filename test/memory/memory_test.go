package memory

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

const noonMS = 1_794_398_400_345

var (
	first  = sale.Bucket{Sale: "eleven"}
	second = sale.Bucket{Sale: "eleven", Number: 1}
	phones = sale.Shelf{Bucket: first, SKU: "phone"}
)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// selling is a database in which one bucket of a sale is open in epoch 1, with phones and two cases, and a limit of two units
// of a SKU a buyer.
func selling(units int64, hooks Hooks) (*Database, *clock) {
	at := &clock{time.UnixMilli(noonMS)}
	d := New(Options{Now: at.now, Hooks: hooks})
	d.SeedSale(sale.Sale{
		ID: first.Sale, State: sale.StateOpen, Currency: "CNY", PerBuyerLimit: 2, PaymentTTL: 900, Buckets: 1,
		Items: []sale.Item{{SKU: "phone", Stock: units, PriceCents: 129900}, {SKU: "case", Stock: 2, PriceCents: 900}},
	})
	d.SeedStock(sale.StockCounters{
		BucketCounters: sale.BucketCounters{BucketRow: sale.BucketRow{Bucket: first, Epoch: 1, State: sale.BucketOpen}},
		Shelves:        []sale.ShelfCounters{{SKU: "phone", Loaded: units}, {SKU: "case", Loaded: 2}},
	})
	return d, at
}

func batch(sequence int64, orders ...sale.RecordOrder) *sale.Batch {
	return &sale.Batch{
		Bucket: first, Epoch: 1, Sequence: sequence, BatchID: orders[0].OrderID, CreatedMS: noonMS - 5, Orders: orders,
	}
}

func delivered(offset int64, b *sale.Batch) sale.Delivery {
	return sale.Delivery{TopicID: "topic", Offset: offset, Raw: sale.AppendBatch(nil, b), Record: sale.Record{Batch: b}}
}

func ordered(id int64, buyer string, quantity int) sale.RecordOrder {
	return orderedLines(id, buyer, sale.Line{SKU: "phone", Quantity: quantity, UnitPriceCents: 129900})
}

func orderedLines(id int64, buyer string, lines ...sale.Line) sale.RecordOrder {
	return sale.RecordOrder{OrderID: sale.OrderID(id), Buyer: buyer, Lines: lines}
}

func settle(t *testing.T, d *Database, deliveries ...sale.Delivery) sale.Settlement {
	t.Helper()
	done, err := d.Settle(t.Context(), deliveries)
	require.NoError(t, err)
	return done
}

var errAway = errors.New("connection refused")

func TestFailedCallsDoNothing(t *testing.T) {
	d, _ := selling(10, Hooks{})
	d.Fail(errAway)
	_, err := d.Settle(t.Context(), []sale.Delivery{delivered(0, batch(1, ordered(1, "ann", 1)))})
	require.ErrorIs(t, err, errAway)
	_, err = d.Changes(t.Context(), 0)
	require.ErrorIs(t, err, errAway)
	require.ErrorIs(t, d.ReportLoss(t.Context(), first, 1, "lost"), errAway)
	require.Empty(t, d.Snapshot().Orders)
	require.Equal(t, sale.BucketOpen, d.Snapshot().Buckets[first].State)
	d.Fail(nil)
	require.Equal(t, 1, settle(t, d, delivered(0, batch(1, ordered(1, "ann", 1)))).Rows)
}

func TestAnswersThatAreLost(t *testing.T) {
	lost := 1
	var called []string
	d, _ := selling(10, Hooks{After: func(_ context.Context, method string) error {
		called = append(called, method)
		if lost--; lost >= 0 {
			return errAway
		}
		return nil
	}})
	record := delivered(0, batch(1, ordered(1, "ann", 1)))
	_, err := d.Settle(t.Context(), []sale.Delivery{record})
	require.ErrorIs(t, err, errAway)
	require.Len(t, d.Snapshot().Orders, 1, "it has happened")
	require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, d, record))
	require.Equal(t, []string{"Settle", "Settle"}, called)
}

func TestCallsOfACallerWhoHasGone(t *testing.T) {
	d, _ := selling(10, Hooks{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Settle(ctx, []sale.Delivery{delivered(0, batch(1, ordered(1, "ann", 1)))})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.Snapshot().Orders)
}

func TestPoisonEndsTheWholeSettlement(t *testing.T) {
	d, _ := selling(10, Hooks{})
	d.SetHooks(Hooks{Poison: func(stored *Tables, deliveries []sale.Delivery) *sale.PoisonError {
		for i := range deliveries {
			if b := deliveries[i].Record.Batch; b.BatchID == 2 && !stored.Settled(b) {
				return &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: errAway}
			}
		}
		return nil
	}})
	deliveries := []sale.Delivery{delivered(0, batch(1, ordered(1, "ann", 1))), delivered(1, batch(2, ordered(2, "bob", 1)))}
	_, err := d.Settle(t.Context(), deliveries)
	var poison *sale.PoisonError
	require.ErrorAs(t, err, &poison)
	require.Equal(t, 1, poison.Index)
	require.Empty(t, d.Snapshot().Orders)
	require.Empty(t, d.Snapshot().Positions)
	settle(t, d, deliveries[0])
	require.Len(t, d.Snapshot().Orders, 1)
}

func TestRecordsOfAnotherTopicAreBehind(t *testing.T) {
	d, _ := selling(10, Hooks{})
	settle(t, d, delivered(7, batch(1, ordered(1, "ann", 1))))
	other := delivered(8, batch(2, ordered(2, "bob", 1)))
	other.TopicID = "made anew"
	_, err := d.Settle(t.Context(), []sale.Delivery{other})
	require.ErrorIs(t, err, sale.ErrBehind)
	require.Len(t, d.Snapshot().Orders, 1, "all or nothing")
	positions, err := d.Positions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []sale.Position{{TopicID: "topic", Next: 8}}, positions)
}

// What is remembered was paid before the cancellation and before the deadline.
func TestRememberedPaymentsComeFirst(t *testing.T) {
	d, at := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, ordered(1, "ann", 1), ordered(2, "bob", 1), ordered(3, "cat", 1))))
	for id := range sale.OrderID(3) {
		remembered, err := d.RememberPayment(t.Context(), id+1, "first")
		require.NoError(t, err)
		require.True(t, remembered)
	}
	_, err := d.CancelOrder(t.Context(), 1, sale.ReasonBuyer, "ann")
	var status *sale.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, sale.StatusPaid, status.Status)
	_, err = d.PayOrder(t.Context(), 2, "second")
	var paid *sale.PaidError
	require.ErrorAs(t, err, &paid)
	require.Equal(t, "first", paid.PaymentID)
	at.at = at.at.Add(time.Hour)
	expired, err := d.ExpireOrders(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Zero(t, expired.Orders)
	stored := d.Snapshot()
	for _, o := range stored.SortedOrders() {
		require.Equal(t, sale.StatusPaid, o.Status)
	}
	require.Empty(t, stored.Payments)
}

func TestClockDecidesWhatExpires(t *testing.T) {
	d, at := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, ordered(1, "ann", 2), ordered(2, "bob", 1))))
	at.at = at.at.Add(899 * time.Second)
	expired, err := d.ExpireOrders(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Zero(t, expired.Orders)
	at.at = at.at.Add(2 * time.Second)
	expired, err = d.ExpireOrders(t.Context(), 1, 0)
	require.NoError(t, err)
	require.Equal(t, 1, expired.Orders, "no more than asked")
	stored := d.Snapshot()
	require.EqualValues(t, 2, stored.Stock[phones].Released)
	require.Equal(t, 1, stored.Waiting())
	require.Equal(t, at.at.UnixMilli(), stored.Orders[1].UpdatedAt.UnixMilli())
}

func TestLeasesEndByTheClock(t *testing.T) {
	at := &clock{time.UnixMilli(noonMS)}
	d := New(Options{Now: at.now, Nodes: 1})
	takes := func(holder string) bool {
		taken, err := d.AcquireLease(t.Context(), "relay", holder, time.Minute)
		require.NoError(t, err)
		return taken
	}
	require.True(t, takes("a"))
	require.False(t, takes("b"))
	require.True(t, takes("a"), "renewed")
	node, err := d.LeaseNode(t.Context(), "a", time.Minute)
	require.NoError(t, err)
	require.NoError(t, d.RenewNode(t.Context(), node, 42, time.Minute))
	_, err = d.LeaseNode(t.Context(), "b", time.Minute)
	require.ErrorIs(t, err, sale.ErrLeaseHeld)
	at.at = at.at.Add(time.Minute)
	require.True(t, takes("b"))
	taken, err := d.LeaseNode(t.Context(), "b", time.Minute)
	require.NoError(t, err)
	require.Equal(t, sale.NodeLease{Node: node.Node, Holder: "b", HighWaterMS: 42}, taken)
	require.ErrorIs(t, d.RenewNode(t.Context(), node, 43, time.Minute), sale.ErrLeaseHeld)
	require.NoError(t, d.ReleaseLease(t.Context(), "relay", "a"))
	require.False(t, takes("a"), "a does not have it")
	require.NoError(t, d.ReleaseLease(t.Context(), "relay", "b"))
	require.True(t, takes("a"))
}

// Writes that the real database's keys and guards refuse are reported and never hidden.
func TestViolations(t *testing.T) {
	var faults []string
	d, _ := selling(10, Hooks{Violated: func(fault string) { faults = append(faults, fault) }})
	settle(t, d, delivered(0, batch(1, ordered(1, "ann", 1))))
	o := d.t.Orders[1]
	d.move(o, sale.StatusPaid)
	d.move(o, sale.StatusExpired)
	require.Len(t, faults, 1, "paid is the last status")
	plan := ledger.NewPlan(d.locked([]sale.Bucket{first}, true))
	plan.Settle(batch(2, ordered(2, "bob", 2)))
	d.t.Buckets[first].Epoch = 2
	d.t.Stock[phones].Loaded = 2
	d.write(plan)
	require.Len(t, faults, 3, "the guards of bucket and shelf")
	d.write(plan)
	require.Len(t, faults, 7, "marker and order are there too")
	d.SetHooks(Hooks{})
	require.Panics(t, func() { d.move(o, sale.StatusCancelled) })
}

func TestHooksSeeWhatHappens(t *testing.T) {
	var begun []int64
	var applied []int64
	closely, written := 0, 0
	d, _ := selling(10, Hooks{
		Begun:   func(load *sale.Load) { begun = append(begun, load.Epoch) },
		Applied: func(row *sale.OutboxRow) { applied = append(applied, row.Number) },
		Written: func(*Tables) { written++ },
		Settled: func(_ *ledger.Plan, read bool) {
			if read {
				closely++
			}
		},
	})
	record := delivered(0, batch(1, ordered(1, "ann", 1), ordered(2, "bob", 1)))
	settle(t, d, record)
	settle(t, d, record)
	for id := range sale.OrderID(2) {
		_, err := d.CancelOrder(t.Context(), id+1, sale.ReasonShop, "")
		require.NoError(t, err)
	}
	require.NoError(t, d.OutboxDone(t.Context(), []sale.Applied{{Bucket: first, Epoch: 1, Number: 1, Sequence: 2}}))
	require.Equal(t, []int64{1}, applied)
	rows, err := d.CloseBuckets(t.Context(), []sale.BucketRow{{Bucket: first, Epoch: 1}})
	require.NoError(t, err)
	loads, err := d.BeginLoads(t.Context(), rows)
	require.NoError(t, err)
	require.Equal(t, []int64{2}, begun)
	require.EqualValues(t, 10, loads[0].Stock[1].Available, "the row that was not applied is absorbed")
	require.Len(t, loads[0].Released, 2)
	require.Empty(t, d.Snapshot().Outbox[first])
	require.Equal(t, 5, written)
	require.Equal(t, 1, closely, "the marker objects to the record that is there")
}

// A snapshot does not change when the database does.
func TestSnapshotIsOfOneMoment(t *testing.T) {
	d, _ := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, ordered(1, "ann", 1))))
	before := d.Snapshot()
	_, err := d.CancelOrder(t.Context(), 1, sale.ReasonBuyer, "ann")
	require.NoError(t, err)
	settle(t, d, delivered(1, batch(2, ordered(2, "bob", 1))))
	require.Equal(t, sale.StatusConfirmed, before.Orders[1].Status)
	require.Len(t, before.Orders, 1)
	require.Zero(t, before.Stock[phones].Released)
	require.Zero(t, before.Waiting())
	require.Len(t, before.Events, 1)
}
