package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
	"flashsale/test/memory"
)

// Random batches, transfers, repeats, forks, late records, cancellations, payments, expiries, refusals by hand, applied outbox
// rows and rebuilds: the store and the model agree on every row and counter after every step, and on the events. The database
// in memory gets the same calls and gives the same answers.
func TestBooksAgreeWithModel(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		run := 0
		rapid.Check(t, func(r *rapid.T) {
			run++
			w := newRun(t, r, s, fmt.Sprintf("run-%d", run))
			for range rapid.IntRange(1, 14).Draw(r, "steps") {
				w.step()
				w.agree()
			}
			w.agreeOnEvents()
		})
	})
}

// modelRun is one random run of the store, the database in memory and the model.
type modelRun struct {
	t     *testing.T
	r     *rapid.T
	s     *Store
	twin  *memory.Database
	ahead time.Duration // of the twin's clock
	m     *model
	sent  []sale.Delivery
	known []sale.Bucket
}

func newRun(t *testing.T, r *rapid.T, s *Store, id string) *modelRun {
	for _, left := range []string{"DELETE FROM events", "DELETE FROM outbox", "UPDATE orders SET due_at = NULL"} {
		_, err := s.db.Exec(left) // by a run that failed, so that this one can be made smaller
		require.NoError(t, err)
	}
	limit := rapid.IntRange(1, 3).Draw(r, "limit")
	stock := rapid.Int64Range(0, 24).Draw(r, "stock")
	w := &modelRun{t: t, r: r, s: s}
	w.twin = memory.New(memory.Options{Now: func() time.Time { return time.Now().Add(w.ahead) }})
	selling(t, w.twin, draft(id, limit, item("phone", stock, 2)))
	for _, row := range selling(t, s, draft(id, limit, item("phone", stock, 2))) {
		w.known = append(w.known, row.Bucket)
	}
	counters, err := askBoth(w, func(d database) ([]sale.BucketCounters, error) { return d.BucketCounters(t.Context(), w.known) })
	require.NoError(r, err)
	w.m = newModel(limit, counters)
	return w
}

func (w *modelRun) step() {
	switch rapid.IntRange(0, 9).Draw(w.r, "step") {
	case 0:
		w.rebuild()
	case 1:
		w.cancel()
	case 2:
		w.pay()
	case 3:
		w.expire()
	case 4:
		w.refuse()
	case 5:
		w.apply()
	default:
		w.settle()
	}
}

// askBoth asks the store and the database in memory.
func askBoth[T any](w *modelRun, ask func(database) (T, error)) (T, error) {
	return both(w.r, w.s, w.twin, ask)
}

// expire makes the orders of years ago due and expires them: in memory it advances the clock, in the store it moves their
// deadlines back.
func (w *modelRun) expire() {
	overdue(w.t, w.s)
	expired, err := w.s.ExpireOrders(w.t.Context(), 1000)
	require.NoError(w.r, err)
	w.ahead = time.Hour
	expiredToo, err := w.twin.ExpireOrders(w.t.Context(), 1000)
	w.ahead = 0
	require.NoError(w.r, err)
	require.Equal(w.r, expired, expiredToo)
	due := func(o *modelOrder) bool { return o.due }
	require.Equal(w.r, w.m.leave(sale.StatusExpired, sale.ReasonNone, due), expired)
}

func (w *modelRun) settle() {
	deliveries := w.deliveries()
	w.sent = append(w.sent, deliveries...)
	w.payEarly(deliveries)
	_, err := askBoth(w, func(d database) (sale.Settlement, error) { return d.Settle(w.t.Context(), deliveries) })
	require.NoError(w.r, err)
	for _, d := range deliveries {
		if d.Record.Batch != nil {
			w.m.settle(d.Record.Batch)
		} else {
			w.m.transfer(d.Record.Transfer)
		}
	}
}

// payEarly pays some of the orders before they have a row.
func (w *modelRun) payEarly(deliveries []sale.Delivery) {
	for _, d := range deliveries {
		if d.Record.Batch == nil {
			continue
		}
		for _, o := range d.Record.Batch.Orders {
			if w.m.orders[o.OrderID] != nil || rapid.IntRange(0, 3).Draw(w.r, "early") > 0 {
				continue
			}
			payment := rapid.SampledFrom([]string{"p-1", "p-2"}).Draw(w.r, "payment")
			remembered, err := askBoth(w, func(d database) (bool, error) {
				return d.RememberPayment(w.t.Context(), o.OrderID, payment)
			})
			require.NoError(w.r, err)
			require.Equal(w.r, w.m.early[o.OrderID] == "" || w.m.early[o.OrderID] == payment, remembered)
			if remembered {
				w.m.early[o.OrderID] = payment
			}
		}
	}
}

// deliveries draws one to three records: new ones, ones sent before, and new ones that reuse an order of an old one.
func (w *modelRun) deliveries() []sale.Delivery {
	var drawn []sale.Delivery
	for range rapid.IntRange(1, 3).Draw(w.r, "records") {
		kind := rapid.IntRange(0, 5).Draw(w.r, "kind")
		switch {
		case kind == 0 && len(w.sent) > 0:
			drawn = append(drawn, rapid.SampledFrom(w.sent).Draw(w.r, "repeat"))
		case kind == 1:
			drawn = append(drawn, w.transfer())
		default:
			drawn = append(drawn, w.batch(kind == 2))
		}
	}
	return drawn
}

func (w *modelRun) batch(reuse bool) sale.Delivery {
	bucket, epoch, sequence := w.place()
	if old := w.sentFrom(bucket); len(old) > 0 && rapid.IntRange(0, 5).Draw(w.r, "grown") == 0 {
		return w.grown(rapid.SampledFrom(old).Draw(w.r, "grows"))
	}
	orders := w.orders(bucket)
	if old := w.sentFrom(bucket); reuse && len(old) > 0 {
		orders = append(orders, rapid.SampledFrom(rapid.SampledFrom(old).Draw(w.r, "reused from").Orders).Draw(w.r, "reused"))
	}
	d := batch(bucket, epoch, sequence, orders...)
	if rapid.Bool().Draw(w.r, "unpaid for long") {
		d.Record.Batch.CreatedMS = 1_577_836_800_000 // 2020: due as soon as it is confirmed
	} else {
		d.Record.Batch.CreatedMS = closing.UnixMilli()
	}
	d.Raw = sale.AppendBatch(nil, d.Record.Batch)
	return d
}

// orders draws orders of the buyers with a home bucket, because a buyer takes units only from it.
func (w *modelRun) orders(bucket sale.Bucket) []sale.RecordOrder {
	buyers := [][]string{{"ann", "Ann"}, {"bob", "Bob", "cat"}}[bucket.Number]
	var orders []sale.RecordOrder
	for range rapid.IntRange(1, 4).Draw(w.r, "orders") {
		buyer := rapid.SampledFrom(buyers).Draw(w.r, "buyer")
		orders = append(orders, one(buyer, rapid.IntRange(1, 2).Draw(w.r, "quantity")))
		orders[len(orders)-1].Key = rapid.SampledFrom([]string{"", "", "key 1", "key 2"}).Draw(w.r, "key")
	}
	return orders
}

// sentFrom returns the batches of a bucket that were sent before.
func (w *modelRun) sentFrom(bucket sale.Bucket) []*sale.Batch {
	var found []*sale.Batch
	for i := range w.sent {
		if b := w.sent[i].Record.Batch; b != nil && b.Bucket == bucket {
			found = append(found, b)
		}
	}
	return found
}

// grown is a batch sent before that has taken more orders under the same identity.
func (w *modelRun) grown(old *sale.Batch) sale.Delivery {
	d := batch(old.Bucket, old.Epoch, old.Sequence, append(slices.Clone(old.Orders), w.orders(old.Bucket)...)...)
	d.Record.Batch.CreatedMS = old.CreatedMS
	d.Raw = sale.AppendBatch(nil, d.Record.Batch)
	return d
}

func (w *modelRun) place() (bucket sale.Bucket, epoch, sequence int64) {
	row := rapid.SampledFrom(w.m.buckets).Draw(w.r, "bucket")
	late := int64(rapid.IntRange(0, 4).Draw(w.r, "age") / 4) // sometimes late
	return row.Bucket, max(row.Epoch-late, 0), rapid.Int64Range(1, 12).Draw(w.r, "sequence")
}

func (w *modelRun) transfer() sale.Delivery {
	bucket, epoch, sequence := w.place()
	return transfer(bucket, 1-bucket.Number, epoch, sequence, rapid.Int64Range(1, 6).Draw(w.r, "units"))
}

func (w *modelRun) rebuild() {
	row := rapid.SampledFrom(w.m.buckets).Draw(w.r, "rebuilt")
	closed, err := askBoth(w, func(d database) ([]sale.BucketRow, error) {
		return d.CloseBuckets(w.t.Context(), []sale.BucketRow{row.BucketRow})
	})
	require.NoError(w.r, err)
	loads, err := askBoth(w, func(d database) ([]sale.Load, error) { return d.BeginLoads(w.t.Context(), closed) })
	require.NoError(w.r, err)
	require.Len(w.r, loads, 1)
	require.Equal(w.r, row.Loaded-row.Settled+row.Released, loads[0].Available)
	require.Equal(w.r, row.Outbox, loads[0].Outbox)
	var owners, released []sale.RecordOrder
	for _, id := range w.m.ids() {
		switch o := w.m.orders[id]; {
		case o.bucket != row.Bucket.Number:
		case o.status == sale.StatusConfirmed || o.status == sale.StatusPaid:
			owners = append(owners, o.RecordOrder)
		case o.status != sale.StatusRefused:
			released = append(released, o.RecordOrder)
		}
	}
	require.ElementsMatch(w.r, owners, loads[0].Owners)
	require.ElementsMatch(w.r, released, loads[0].Released)
	opened, err := askBoth(w, func(d database) ([]sale.BucketRow, error) { return d.OpenBuckets(w.t.Context(), rowsOf(loads)) })
	require.NoError(w.r, err)
	require.Len(w.r, opened, 1)
	w.m.rebuild(row.Bucket.Number)
}

// anOrder draws an order that has a row.
func (w *modelRun) anOrder() *modelOrder {
	if len(w.m.orders) == 0 {
		return nil
	}
	return w.m.orders[rapid.SampledFrom(w.m.ids()).Draw(w.r, "order")]
}

func (w *modelRun) cancel() {
	o := w.anOrder()
	if o == nil {
		return
	}
	was := o.status
	w.m.leave(sale.StatusCancelled, sale.ReasonBuyer, func(other *modelOrder) bool { return other == o })
	got, err := askBoth(w, func(d database) (sale.Order, error) {
		return d.CancelOrder(w.t.Context(), o.OrderID, sale.ReasonBuyer, o.Buyer)
	})
	if was != sale.StatusConfirmed && was != sale.StatusCancelled {
		require.Equal(w.r, was, statusIn(err))
		return
	}
	require.NoError(w.r, err)
	require.Equal(w.r, order(w.t, w.s, o.OrderID), got)
}

func (w *modelRun) pay() {
	o := w.anOrder()
	if o == nil {
		return
	}
	payment := rapid.SampledFrom([]string{"p-1", "p-2"}).Draw(w.r, "payment")
	got, err := askBoth(w, func(d database) (sale.Order, error) { return d.PayOrder(w.t.Context(), o.OrderID, payment) })
	switch {
	case o.status == sale.StatusConfirmed:
		o.status, o.payment = sale.StatusPaid, payment
		w.m.become(o)
		fallthrough
	case o.status == sale.StatusPaid && o.payment == payment:
		require.NoError(w.r, err)
		require.Equal(w.r, order(w.t, w.s, o.OrderID), got)
	case o.status == sale.StatusPaid:
		var paid *sale.PaidError
		require.ErrorAs(w.r, err, &paid)
		require.Equal(w.r, o.payment, paid.PaymentID)
	default:
		require.Equal(w.r, o.status, statusIn(err))
	}
}

// both does the same in the store and in the database in memory.
func (w *modelRun) both(do func(database) error) error { return bothDo(w.r, w.s, w.twin, do) }

// agreeOnLetter compares a dead letter, and its orders where they wait in it.
func (w *modelRun) agreeOnLetter(id string, d sale.Delivery) {
	_, err := askBoth(w, func(db database) (sale.DeadLetter, error) { return db.DeadLetter(w.t.Context(), id) })
	require.NoError(w.r, err)
	for _, o := range d.Record.Batch.Orders {
		_, err := askBoth(w, func(db database) (sale.Order, error) { return db.Order(w.t.Context(), o.OrderID) })
		require.NoError(w.r, err)
	}
}

func (w *modelRun) refuse() {
	d := w.batch(rapid.IntRange(0, 3).Draw(w.r, "reuse") == 0)
	offset := lastOrder.Add(1)
	id := fmt.Sprintf("3-%d", offset)
	require.NoError(w.r, w.both(func(db database) error { return db.AddDeadLetter(w.t.Context(), letter(d, offset)) }))
	w.agreeOnLetter(id, d)
	require.NoError(w.r, w.both(func(db database) error { return db.RefuseDeadLetter(w.t.Context(), id) }))
	w.agreeOnLetter(id, d)
	w.m.refuse(d.Record.Batch)
	w.sent = append(w.sent, d)
}

// apply reports that Redis has applied some of a bucket's rows, in the present or the previous epoch.
func (w *modelRun) apply() {
	row := rapid.SampledFrom(w.m.buckets).Draw(w.r, "applied")
	if len(row.outbox) == 0 {
		return
	}
	last := rapid.SampledFrom(row.outbox).Draw(w.r, "up to")
	a := sale.Applied{
		Bucket: row.Bucket, Epoch: row.Epoch - int64(rapid.IntRange(0, 4).Draw(w.r, "age")/4), Number: last.Number,
		Sequence: rapid.Int64Range(1, 14).Draw(w.r, "sequence"),
	}
	for range rapid.IntRange(1, 2).Draw(w.r, "times") {
		require.NoError(w.r, w.both(func(d database) error { return d.OutboxDone(w.t.Context(), []sale.Applied{a}) }))
		w.m.applied(a)
	}
}

func (w *modelRun) agree() {
	counters, err := askBoth(w, func(d database) ([]sale.BucketCounters, error) {
		return d.BucketCounters(w.t.Context(), w.known)
	})
	require.NoError(w.r, err)
	outbox, err := w.s.Outbox(w.t.Context(), 1_000_000)
	require.NoError(w.r, err)
	var waiting []sale.OutboxRow
	for i, row := range w.m.buckets {
		require.Equal(w.r, row.BucketCounters, counters[i])
		require.LessOrEqual(w.r, row.Settled-row.Released, row.Loaded)
		waiting = append(waiting, row.outbox...)
	}
	mine := make([]sale.OutboxRow, 0, len(waiting))
	for _, row := range outbox {
		if row.Sale == w.known[0].Sale {
			mine = append(mine, row)
		}
	}
	require.ElementsMatch(w.r, waiting, mine)
	outboxToo, err := w.twin.Outbox(w.t.Context(), 1_000_000)
	require.NoError(w.r, err)
	require.Equal(w.r, comparableAnswer(mine), comparableAnswer(outboxToo))
	rows, err := askBoth(w, func(d database) ([]sale.Order, error) { return d.Orders(w.t.Context(), w.m.ids()) })
	require.NoError(w.r, err)
	require.Len(w.r, rows, len(w.m.orders))
	for _, row := range rows {
		o := w.m.orders[row.OrderID]
		require.Equal(w.r, o.status, row.Status, "order %d", row.OrderID)
		require.Equal(w.r, o.reason, row.Reason, "order %d", row.OrderID)
		require.Equal(w.r, o.payment, row.PaymentID, "order %d", row.OrderID)
		require.False(w.r, row.UpdatedAt.Before(row.CreatedAt.Time))
	}
	w.agreeOnSlots()
}

// agreeOnSlots checks that the unique keys hold exactly the units that count.
func (w *modelRun) agreeOnSlots() {
	live := 0
	for _, o := range w.m.orders {
		if o.status == sale.StatusConfirmed || o.status == sale.StatusPaid {
			live += o.Quantity
		}
	}
	const slots = "SELECT (SELECT COUNT(*) FROM allowances WHERE sale_id = ?) + (SELECT COUNT(*) FROM orders WHERE sale_id = " +
		"? AND slot = 0)"
	require.Equal(w.r, live, count(w.t, w.s, slots, w.known[0].Sale, w.known[0].Sale))
}

// agreeOnEvents drains the events: those of each order match its changes and their order.
func (w *modelRun) agreeOnEvents() {
	told := map[sale.OrderID][]sale.OrderStatus{}
	happened := drained(w.t, w.s)
	require.Equal(w.r, comparableAnswer(happened), comparableAnswer(drained(w.t, w.twin)))
	for _, o := range happened {
		told[o.OrderID] = append(told[o.OrderID], o.Status)
		if o.Status == sale.StatusPaid {
			require.NotEmpty(w.r, o.PaymentID)
		} else {
			require.Empty(w.r, o.PaymentID)
		}
	}
	require.Equal(w.r, w.m.told, told)
}
