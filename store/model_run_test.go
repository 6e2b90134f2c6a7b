package store

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
	"flashsale/test/memory"
)

// Random batches of orders of one or two lines, transfers, repeats, forks, late records, cancellations, payments, expiries,
// freezes, thaws, extensions, refusals by hand, changes of stock, applied outbox rows and rebuilds: the store and the model agree
// on every row and counter after every step, and on the events. The database in memory gets the same calls and gives the same
// answers.
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

	extensions int
}

func newRun(t *testing.T, r *rapid.T, s *Store, id string) *modelRun {
	for _, left := range []string{"DELETE FROM events", "DELETE FROM outbox", "UPDATE orders SET due_at = NULL"} {
		_, err := s.db.Exec(left) // by a run that failed, so that this one can be made smaller
		require.NoError(t, err)
	}
	stock := rapid.Int64Range(0, 24)
	of := inBuckets(2, draft(id, rapid.IntRange(1, 3).Draw(r, "limit"),
		item("phone", stock.Draw(r, "phones")), item("case", stock.Draw(r, "cases"))))
	of.SaleLimit = rapid.SampledFrom([]int{0, 0, 1, 3, 5}).Draw(r, "sale limit")
	w := &modelRun{t: t, r: r, s: s}
	w.twin = memory.New(memory.Options{Now: func() time.Time { return time.Now().Add(w.ahead) }})
	selling(t, w.twin, of)
	for _, row := range selling(t, s, of) {
		w.known = append(w.known, row.Bucket)
	}
	counters, err := askBoth(w, func(d database) ([]sale.StockCounters, error) { return d.SaleCounters(t.Context(), id) })
	require.NoError(r, err)
	w.m = newModel(&of, counters)
	return w
}

func (w *modelRun) step() {
	switch rapid.IntRange(0, 12).Draw(w.r, "step") {
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
	case 5, 6:
		w.apply()
	case 7:
		w.change()
	case 8:
		w.hold()
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
	expired, err := w.s.ExpireOrders(w.t.Context(), 1000, 0)
	require.NoError(w.r, err)
	w.ahead = 30 * 24 * time.Hour
	expiredToo, err := w.twin.ExpireOrders(w.t.Context(), 1000, 0)
	w.ahead = 0
	require.NoError(w.r, err)
	require.Equal(w.r, expired, expiredToo)
	due := func(o *modelOrder) bool { return o.due && !w.m.frozen }
	require.Equal(w.r, w.m.leave(sale.StatusExpired, sale.ReasonNone, due), expired.Orders)
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
		orders = append(orders, lined(buyer, w.lines()...))
		orders[len(orders)-1].Key = rapid.SampledFrom([]string{"", "", "key 1", "key 2"}).Draw(w.r, "key")
	}
	return orders
}

// lines draws one or two lines of distinct SKUs.
func (w *modelRun) lines() []sale.Line {
	skus := rapid.SliceOfNDistinct(rapid.SampledFrom(w.m.skus), 1, 2, rapid.ID[string]).Draw(w.r, "skus")
	lines := make([]sale.Line, len(skus))
	for i, sku := range skus {
		lines[i] = units(sku, rapid.IntRange(1, 2).Draw(w.r, "quantity"))
	}
	return lines
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
	var moved []sale.SKUUnits
	for _, sku := range rapid.SliceOfNDistinct(rapid.SampledFrom(w.m.skus), 1, 2, rapid.ID[string]).Draw(w.r, "skus") {
		moved = append(moved, sale.SKUUnits{SKU: sku, Units: rapid.Int64Range(1, 6).Draw(w.r, "units")})
	}
	return transferOf(bucket, 1-bucket.Number, epoch, sequence, moved...)
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
	require.ElementsMatch(w.r, inRedis(w.m.skus, owners...), loads[0].Owners)
	require.ElementsMatch(w.r, inRedis(w.m.skus, released...), loads[0].Released)
	opened, err := askBoth(w, func(d database) ([]sale.BucketRow, error) { return d.OpenBuckets(w.t.Context(), rowsOf(loads)) })
	require.NoError(w.r, err)
	require.Len(w.r, opened, 1)
	w.m.rebuild(row.Bucket.Number)
	for _, shelf := range loads[0].Stock {
		require.Equal(w.r, row.free(shelf.SKU), shelf.Available, shelf.SKU)
		require.Equal(w.r, w.m.line(shelf.SKU, 0), sale.OutboxLine{SKU: shelf.SKU, Number: shelf.Number, Limit: shelf.Limit})
	}
	require.Len(w.r, loads[0].Stock, len(w.m.skus))
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
	last := rapid.SampledFrom(firstPage(row.outbox)).Draw(w.r, "up to")
	a := sale.Applied{
		Bucket: row.Bucket, Epoch: row.Epoch - int64(rapid.IntRange(0, 4).Draw(w.r, "age")/4), Number: last.Number,
		Sequence: rapid.Int64Range(1, 14).Draw(w.r, "sequence"),
	}
	if last.Kind == sale.OutboxTake {
		line := last.Lines[0]
		a.Took = []sale.SKUUnits{{SKU: line.SKU, Units: rapid.Int64Range(0, line.Units).Draw(w.r, "found")}}
	}
	for range rapid.IntRange(1, 2).Draw(w.r, "times") {
		require.NoError(w.r, w.both(func(d database) error { return d.OutboxDone(w.t.Context(), []sale.Applied{a}) }))
		w.m.applied(a)
	}
}

// firstPage returns the first rows that Redis applies in one write: a take alone, or the rows before a take.
func firstPage(rows []sale.OutboxRow) []sale.OutboxRow {
	for i, row := range rows {
		if row.Kind == sale.OutboxTake {
			return rows[:max(i, 1)]
		}
	}
	return rows
}

// change adds or takes back units, under a new key or, repeated, under one that is known.
func (w *modelRun) change() {
	asked := sale.StockChange{
		Sale: w.known[0].Sale, SKU: rapid.SampledFrom(w.m.skus).Draw(w.r, "sku"),
		Key:   rapid.SampledFrom([]string{"change 1", "change 2", "change 3"}).Draw(w.r, "key"),
		Asked: rapid.SampledFrom([]int64{-30, -7, -2, 1, 5, 8}).Draw(w.r, "asked"),
	}
	if known := w.m.changes[asked.Key]; known != nil { // the key of an SKU's change; other units are refused
		asked.SKU = known.SKU
		if rapid.IntRange(0, 3).Draw(w.r, "other units") > 0 {
			asked.Asked = known.Asked
		}
	}
	got, err := askBoth(w, func(d database) (sale.StockChange, error) { return d.ChangeStock(w.t.Context(), asked) })
	if known := w.m.changes[asked.Key]; known != nil && known.Asked != asked.Asked {
		require.ErrorIs(w.r, err, sale.ErrChangeReused)
		return
	}
	require.NoError(w.r, err)
	require.Equal(w.r, w.m.change(asked), got)
}

// summaryOf returns the sums of the sale in the list of all sales.
func summaryOf(w *modelRun, d database) (sale.Summary, error) {
	all, err := d.SaleSummaries(w.t.Context())
	for i := range all {
		if all[i].ID == w.known[0].Sale {
			return sale.Summary{Buckets: all[i].Buckets, Paid: all[i].Paid}, nil // the version counts all sales of a database
		}
	}
	return sale.Summary{}, err
}

// unpaidOf returns the unpaid orders of the sale.
func unpaidOf(w *modelRun, d database) (int64, error) {
	all, err := d.UnpaidOrders(w.t.Context())
	for i := range all {
		if all[i].Sale == w.known[0].Sale {
			return all[i].Orders, nil // what is overdue depends on the clocks
		}
	}
	return 0, err
}

func (w *modelRun) agree() {
	counters, err := askBoth(w, func(d database) ([]sale.StockCounters, error) {
		return d.StockCounters(w.t.Context(), w.known, w.m.skus)
	})
	require.NoError(w.r, err)
	_, err = askBoth(w, func(d database) ([]sale.PaidUnits, error) { return d.PaidUnits(w.t.Context(), w.known[0].Sale) })
	require.NoError(w.r, err)
	_, err = askBoth(w, func(d database) (sale.Summary, error) { return summaryOf(w, d) })
	require.NoError(w.r, err)
	_, err = askBoth(w, func(d database) (int64, error) { return unpaidOf(w, d) })
	require.NoError(w.r, err)
	present, err := askBoth(w, func(d database) (sale.Sale, error) { return d.Sale(w.t.Context(), w.known[0].Sale) })
	require.NoError(w.r, err)
	for _, item := range present.Items {
		require.Equal(w.r, w.m.stock[item.SKU], item.Stock, item.SKU)
	}
	outbox, err := w.s.Outbox(w.t.Context(), 1_000_000)
	require.NoError(w.r, err)
	var waiting []sale.OutboxRow
	for i, row := range w.m.buckets {
		require.Equal(w.r, row.BucketCounters, counters[i].BucketCounters)
		for k, sku := range w.m.skus {
			require.Equal(w.r, *row.shelves[sku], counters[i].Shelves[k])
			require.GreaterOrEqual(w.r, row.free(sku), int64(0))
		}
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
		require.Equal(w.r, o.Lines, row.Lines, "order %d", row.OrderID)
		require.False(w.r, row.UpdatedAt.Before(row.CreatedAt.Time))
	}
}

// agreeOnEvents drains the events: those of each order match its changes and their order.
func (w *modelRun) agreeOnEvents() {
	told := map[sale.OrderID][]sale.OrderStatus{}
	happened := drained(w.t, w.s)
	byOrder := func(orders []sale.Order) []sale.Order { // a thaw moves orders in pages of another size
		slices.SortStableFunc(orders, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
		return orders
	}
	require.Equal(w.r, comparableAnswer(byOrder(happened)), comparableAnswer(byOrder(drained(w.t, w.twin))))
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
