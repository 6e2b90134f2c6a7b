package store

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
	"flashsale/test/memory"
)

// Random changes of sales, stock, lists, rules, gateways, leases and reports of loss: the database in memory gives the
// store's answers and refusals, and both move the version of the catalogue at the same calls.
func TestCatalogueAgreesWithMemory(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		twin := memory.New(memory.Options{})
		run := 0
		rapid.Check(t, func(r *rapid.T) {
			run++
			w := &catalogueRun{t: t, r: r, s: s, twin: twin, id: fmt.Sprintf("run-%d", run)}
			for range rapid.IntRange(1, 24).Draw(r, "steps") {
				w.step()
			}
		})
	})
}

// catalogueRun is one random run over one sale.
type catalogueRun struct {
	t    *testing.T
	r    *rapid.T
	s    *Store
	twin *memory.Database
	id   string
}

func (w *catalogueRun) do(do func(database) error) { _ = bothDo(w.r, w.s, w.twin, do) } // that the kinds agree is all

func answers[T any](w *catalogueRun, ask func(database) (T, error)) T {
	answer, _ := both(w.r, w.s, w.twin, ask) // likewise
	return answer
}

func (w *catalogueRun) step() {
	before := [2]int64{w.version(w.s), w.version(w.twin)}
	steps := []func(){
		w.put, w.put, w.put, w.move, w.load, w.load, w.reopen, w.reopen, w.transfer, w.lose, w.list, w.rules,
		w.gateways, w.lease, w.pause, w.brake, w.change, w.change, w.apply, w.apply,
		w.archive, w.archive, w.delete, w.freeze, w.thaw,
	}
	steps[rapid.IntRange(0, len(steps)-1).Draw(w.r, "step")]()
	require.Equal(w.r, w.version(w.s)-before[0], w.version(w.twin)-before[1], "the version moves alike")
	w.agree(before)
}

func (w *catalogueRun) version(d database) int64 {
	version, err := d.CatalogueVersion(w.t.Context())
	require.NoError(w.r, err)
	return version
}

// agree compares the whole sale, and what has changed since the step began.
func (w *catalogueRun) agree(since [2]int64) {
	ctx := w.t.Context()
	answers(w, func(d database) (sale.Sale, error) { return d.Sale(ctx, w.id) })
	answers(w, func(d database) (sale.Sale, error) { return d.SaleHead(ctx, w.id) })
	answers(w, func(d database) ([]sale.Sale, error) { return d.Sales(ctx) })
	answers(w, func(d database) ([]sale.Sale, error) { return d.ArchivedSales(ctx) })
	answers(w, func(d database) ([]sale.Summary, error) { return d.SaleSummaries(ctx) })
	answers(w, func(d database) ([]sale.Archive, error) { return d.OpenArchives(ctx) })
	answers(w, func(d database) (sale.Unrest, error) { return d.Unrest(ctx, w.id) })
	answers(w, func(d database) ([]sale.StockCounters, error) { return d.SaleCounters(ctx, w.id) })
	w.outbox()
	answers(w, func(d database) (sale.Rules, error) { return d.Rules(ctx) })
	answers(w, func(d database) ([]string, error) {
		listed := []string{}
		err := d.EachListed(ctx, w.id, func(buyer string) error {
			listed = append(listed, buyer)
			return nil
		})
		return listed, err
	})
	changed, err := w.s.Changes(ctx, since[0])
	require.NoError(w.r, err)
	changedToo, err := w.twin.Changes(ctx, since[1])
	require.NoError(w.r, err)
	require.Equal(w.r, comparableAnswer(changed.Sales), comparableAnswer(changedToo.Sales))
	require.ElementsMatch(w.r, changed.Buckets, changedToo.Buckets)
	require.Equal(w.r, changed.Rules == nil, changedToo.Rules == nil)
	require.Equal(w.r, comparableAnswer(changed.Brake), comparableAnswer(changedToo.Brake))
	answers(w, func(d database) (*sale.Brake, error) { return d.Brake(ctx) })
}

// put draws a definition: a present sale with more stock, or one in which anything may be other than before, or bad.
func (w *catalogueRun) put() {
	stock := rapid.Int64Range(3, 9).Draw(w.r, "stock")
	if present, err := w.s.Sale(w.t.Context(), w.id); err == nil && rapid.IntRange(0, 3).Draw(w.r, "terms") > 0 {
		w.restock(&present, stock-6)
		w.putBoth(present)
		return
	}
	wanted := inBuckets(3, draft(w.id, rapid.IntRange(0, 3).Draw(w.r, "limit"), item("phone", stock)))
	wanted.Name = rapid.SampledFrom([]string{"Name", "Another name"}).Draw(w.r, "name")
	kinds := []sale.Eligibility{sale.EligibilityOpen, sale.EligibilityList}
	wanted.Eligibility = rapid.SampledFrom(kinds).Draw(w.r, "eligibility")
	if rapid.IntRange(0, 3).Draw(w.r, "items") == 0 {
		wanted.Items = append(wanted.Items, item("case", 1))
	}
	if rapid.IntRange(0, 3).Draw(w.r, "ends") == 0 {
		wanted.EndsAt = sale.TimeMillis(closing.Add(time.Hour).UnixMilli())
	}
	w.putBoth(wanted)
}

// restock changes the stock of an item, and sometimes adds one, moves one, or changes a price.
func (w *catalogueRun) restock(present *sale.Sale, units int64) {
	at := rapid.IntRange(0, len(present.Items)-1).Draw(w.r, "item")
	present.Items[at].Stock += units
	switch rapid.IntRange(0, 7).Draw(w.r, "more") {
	case 0:
		present.Items[at].PriceCents++
	case 1:
		present.Items[0], present.Items[at] = present.Items[at], present.Items[0]
	case 2:
		sku := rapid.SampledFrom([]string{"phone", "case", "cable"}).Draw(w.r, "sku")
		if _, has := present.Item(sku); !has {
			present.Items = append([]sale.Item{item(sku, units+4)}, present.Items...)
		}
	}
}

// change adds or takes back units, under a key that is new or known.
func (w *catalogueRun) change() {
	asked := sale.StockChange{
		Sale: w.id, SKU: rapid.SampledFrom([]string{"phone", "phone", "phone", "case", "unknown"}).Draw(w.r, "changed"),
		Key:   rapid.SampledFrom([]string{"k1", "k2", "k3", "k4"}).Draw(w.r, "key"),
		Asked: rapid.SampledFrom([]int64{-20, -3, 0, 2, 7, sale.MaxStock, sale.MaxStock + 1}).Draw(w.r, "asked"),
	}
	answers(w, func(d database) (sale.StockChange, error) { return d.ChangeStock(w.t.Context(), asked) })
}

// outbox returns the outbox rows of the sale.
func (w *catalogueRun) outbox() []sale.OutboxRow {
	return answers(w, func(d database) ([]sale.OutboxRow, error) {
		all, err := d.Outbox(w.t.Context(), 1_000_000)
		return slices.DeleteFunc(all, func(r sale.OutboxRow) bool { return r.Sale != w.id }), err
	})
}

// apply reports that Redis has applied the first row of some bucket.
func (w *catalogueRun) apply() {
	rows := w.outbox()
	if len(rows) == 0 {
		return
	}
	first := rapid.SampledFrom(rows).Draw(w.r, "of the bucket")
	for _, row := range rows {
		if row.Bucket == first.Bucket && row.Number < first.Number {
			first = row
		}
	}
	a := sale.Applied{
		Bucket: first.Bucket, Epoch: first.Epoch, Number: first.Number, Sequence: rapid.Int64Range(1, 40).Draw(w.r, "sequence"),
	}
	if first.Kind == sale.OutboxTake {
		for _, line := range first.Lines {
			found := rapid.Int64Range(0, line.Units).Draw(w.r, "found")
			a.Took = append(a.Took, sale.SKUUnits{SKU: line.SKU, Units: found})
		}
	}
	w.do(func(d database) error { return d.OutboxDone(w.t.Context(), []sale.Applied{a}) })
}

func (w *catalogueRun) putBoth(wanted sale.Sale) {
	answers(w, func(d database) (sale.Sale, error) {
		stored, _, err := d.PutSale(w.t.Context(), wanted)
		return stored, err
	})
	answers(w, func(d database) (bool, error) {
		_, created, err := d.PutSale(w.t.Context(), wanted)
		return created, err
	})
}

func (w *catalogueRun) move() {
	if len(w.rows()) == 1 { // no state follows the draft before the stock is loaded
		return
	}
	states := []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused, sale.StateClosed}
	to, from := rapid.SampledFrom(states).Draw(w.r, "to"), rapid.SampledFrom(states).Draw(w.r, "from")
	answers(w, func(d database) (sale.Sale, error) { return d.SetState(w.t.Context(), w.id, to, sale.StateDraft, from) })
}

func (w *catalogueRun) pause() {
	w.do(func(d database) error { return d.PauseSale(w.t.Context(), w.id, "units are missing") })
}

func (w *catalogueRun) load() {
	partitions := rapid.Int32Range(0, 6).Draw(w.r, "partitions")
	answers(w, func(d database) ([]sale.BucketRow, error) { return d.LoadStock(w.t.Context(), w.id, partitions) })
}

func (w *catalogueRun) rows() (rows []sale.BucketRow) {
	for _, c := range answers(w, func(d database) ([]sale.StockCounters, error) { return d.SaleCounters(w.t.Context(), w.id) }) {
		rows = append(rows, c.BucketRow)
	}
	return append(rows, sale.BucketRow{Bucket: sale.Bucket{Sale: w.id, Number: 9}})
}

// reopen goes through a rebuild of some buckets, or stops half-way, with rows that may be of an older epoch.
func (w *catalogueRun) reopen() {
	bucketOf := func(r sale.BucketRow) sale.Bucket { return r.Bucket }
	rows := rapid.SliceOfDistinct(rapid.SampledFrom(w.rows()), bucketOf).Draw(w.r, "rows")
	if len(rows) > 0 && rapid.IntRange(0, 3).Draw(w.r, "old") == 0 {
		rows[0].Epoch--
	}
	ctx := w.t.Context()
	if rapid.Bool().Draw(w.r, "closes") {
		rows = answers(w, func(d database) ([]sale.BucketRow, error) { return d.CloseBuckets(ctx, rows) })
	}
	loads := answers(w, func(d database) ([]sale.Load, error) { return d.BeginLoads(ctx, rows) })
	if rapid.IntRange(0, 3).Draw(w.r, "opens") > 0 {
		answers(w, func(d database) ([]sale.BucketRow, error) { return d.OpenBuckets(ctx, rowsOf(loads)) })
	}
}

// archive tries to archive the sale by its counters, or by older ones, and goes on as the archiver does.
func (w *catalogueRun) archive() {
	ctx := w.t.Context()
	if rapid.Bool().Draw(w.r, "closes the sale") {
		answers(w, func(d database) (sale.Sale, error) {
			return d.SetState(ctx, w.id, sale.StateClosed, sale.StatePreloaded, sale.StateOpen, sale.StatePaused)
		})
	}
	judged := answers(w, func(d database) ([]sale.StockCounters, error) { return d.SaleCounters(ctx, w.id) })
	if len(judged) > 0 && rapid.IntRange(0, 3).Draw(w.r, "stale") == 0 {
		judged[0].Sequence--
	}
	answers(w, func(d database) (sale.Archive, error) { return d.ArchiveSale(ctx, w.id, judged) })
	answers(w, func(d database) (sale.Archive, error) { return d.Archive(ctx, w.id) })
	if rapid.Bool().Draw(w.r, "drops") {
		answers(w, func(d database) (int64, error) { return d.ForgetLists(ctx, w.id) })
		w.do(func(d database) error { return d.ArchiveDropped(ctx, w.id) })
	}
}

// delete tries to delete the sale as a draft.
func (w *catalogueRun) delete() {
	if rapid.Bool().Draw(w.r, "forgets") {
		answers(w, func(d database) (int64, error) { return d.ForgetLists(w.t.Context(), w.id) })
	}
	w.do(func(d database) error { return d.DeleteDraft(w.t.Context(), w.id) })
}

// transfer moves units between two buckets, so that their shares are no longer even.
func (w *catalogueRun) transfer() {
	rows := w.rows()
	from := rows[0]
	if len(rows) < 4 {
		return
	}
	sequence, units := rapid.Int64Range(1, 9).Draw(w.r, "sequence"), rapid.Int64Range(1, 6).Draw(w.r, "units")
	d := transfer(from.Bucket, 1-from.Number, from.Epoch, sequence, units)
	answers(w, func(db database) (sale.Settlement, error) { return db.Settle(w.t.Context(), []sale.Delivery{d}) })
}

func (w *catalogueRun) lose() {
	row := rapid.SampledFrom(w.rows()).Draw(w.r, "lost")
	epoch := row.Epoch - int64(rapid.IntRange(0, 1).Draw(w.r, "age"))
	w.do(func(d database) error { return d.ReportLoss(w.t.Context(), row.Bucket, epoch, "a sequence went back") })
}

func (w *catalogueRun) list() {
	listed := rapid.SliceOf(rapid.SampledFrom([]string{"ann", "bob", "Bob", "cat", "not an id"})).Draw(w.r, "listed")
	answers(w, func(d database) (int64, error) {
		at := -1
		return d.ReplaceBuyers(w.t.Context(), w.id, func() (string, error) {
			if at++; at >= len(listed) {
				return "", io.EOF
			}
			return listed[at], nil
		})
	})
}

func (w *catalogueRun) rules() {
	rules := sale.DefaultRules()
	rules.Buyer = &sale.Limit{PerSecond: 1, Burst: rapid.SampledFrom([]int{0, 4, 7}).Draw(w.r, "burst")}
	var expect *int64
	if rapid.Bool().Draw(w.r, "expects") {
		present := answers(w, func(d database) (int64, error) {
			rules, err := d.Rules(w.t.Context())
			return rules.Version, err
		})
		present += int64(rapid.IntRange(0, 1).Draw(w.r, "wrong"))
		expect = &present
	}
	answers(w, func(d database) (sale.Rules, error) { return d.PutRules(w.t.Context(), rules, expect) })
}

func (w *catalogueRun) gateways() {
	ctx := w.t.Context()
	holder := rapid.SampledFrom([]string{"gate-1", "gate-2"}).Draw(w.r, "holder")
	version := rapid.Int64Range(0, 9).Draw(w.r, "version")
	if rapid.IntRange(0, 3).Draw(w.r, "ends") == 0 {
		w.do(func(d database) error { return d.ForgetGateway(ctx, holder) })
	} else {
		w.do(func(d database) error { return d.NoteGateway(ctx, holder, version) })
	}
	answers(w, func(d database) ([]string, error) { return d.GatewaysBehind(ctx, version, time.Hour) })
	answers(w, func(d database) (int64, error) { return d.LiveGateways(ctx, time.Hour) })
}

// brake begins, changes or ends the brake; one that lasts a negative time has run out at once.
func (w *catalogueRun) brake() {
	var next *sale.Brake
	if rapid.IntRange(0, 2).Draw(w.r, "ends") > 0 {
		next = &sale.Brake{PerSecond: rapid.Int64Range(1, 9).Draw(w.r, "per second"), PerGateway: 1,
			Reason: rapid.SampledFrom([]sale.BrakeReason{sale.BrakeRows, sale.BrakeJournal}).Draw(w.r, "reason")}
	}
	lasting := rapid.SampledFrom([]time.Duration{time.Hour, -time.Hour}).Draw(w.r, "lasting")
	w.do(func(d database) error { return d.SetBrake(w.t.Context(), next, lasting) })
}

func (w *catalogueRun) lease() {
	ctx := w.t.Context()
	name := rapid.SampledFrom([]string{"reaper", "relay"}).Draw(w.r, "lease")
	holder := rapid.SampledFrom([]string{"a", "b"}).Draw(w.r, "by")
	answers(w, func(d database) (bool, error) { return d.AcquireLease(ctx, w.id+name, holder, time.Hour) })
	if rapid.Bool().Draw(w.r, "gives back") {
		w.do(func(d database) error { return d.ReleaseLease(ctx, w.id+name, holder) })
	}
	w.do(func(d database) error { return d.RenewNode(ctx, sale.NodeLease{Node: 3, Holder: w.id}, 1, time.Hour) })
}

// The store picks node ids at random, so the test compares only the promises of a lease.
func TestNodeLeasesAgreeWithMemory(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		twin := memory.New(memory.Options{})
		ctx := t.Context()
		ofStore, err := s.LeaseNode(ctx, "gate-1", time.Hour)
		require.NoError(t, err)
		ofMemory, err := twin.LeaseNode(ctx, "gate-1", time.Hour)
		require.NoError(t, err)
		for _, d := range []struct {
			database
			lease sale.NodeLease
		}{{s, ofStore}, {twin, ofMemory}} {
			require.Zero(t, d.lease.HighWaterMS)
			require.NoError(t, d.RenewNode(ctx, d.lease, 7, time.Hour))
			require.NoError(t, d.RenewNode(ctx, d.lease, 5, time.Hour))
			d.lease.Holder = "gate-2"
			require.ErrorIs(t, d.RenewNode(ctx, d.lease, 9, time.Hour), sale.ErrLeaseHeld)
		}
	})
}

func (w *catalogueRun) freeze() {
	answers(w, func(d database) (sale.Sale, error) { return d.FreezeHolds(w.t.Context(), w.id, "") })
}

// thaw ends a freeze of a sale without orders, sometimes only half.
func (w *catalogueRun) thaw() {
	ends := rapid.IntRange(0, 3).Draw(w.r, "ends") > 0
	w.do(func(d database) error {
		thaw, err := d.BeginThaw(w.t.Context(), w.id)
		for err == nil && ends && !thaw.Done {
			thaw, err = d.ThawOrders(w.t.Context(), thaw)
		}
		return err
	})
}
