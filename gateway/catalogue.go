package gateway

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
	"flashsale/series"
)

// snapshot is the catalogue at one version. It does not change after its publication: an update builds the next snapshot
// and reuses the parts that did not change.
type snapshot struct {
	version int64
	grief   sale.Grief
	sales   map[string]*liveSale
	presses *series.Family
	names   *bloom.BloomFilter // "{sale}/items/{sku}" of every item; nil: only the maps decide
}

// liveSale is one sale of a snapshot, with the gateway's own state of it.
type liveSale struct {
	sale.Sale
	starts   int64 // Unix milliseconds
	ends     int64 // Unix milliseconds
	items    map[string]*liveItem
	numbers  map[int]*liveItem // by the item's number, which Redis has instead of the SKU
	shown    []*liveItem       // in the sale's order
	buckets  []sale.BucketRow  // by number; closed until the database reports the row
	open     int               // buckets that are open
	latches  *saleLatches      // shared by the snapshots
	early    []byte            // the not_started problem up to its server_time
	list     *atomic.Pointer[listFilter]
	rendered *atomic.Pointer[saleView]
	looked   *atomic.Int64 // time of the last look at the stock for viewers, Unix milliseconds
	viewed   *atomic.Int64 // index in shown where the next of these looks begins
	presses  *series.Sale  // by outcome, since the gateway first read the sale; shared by the snapshots
}

// liveItem is one SKU of a sale.
type liveItem struct {
	sale.Item
	latch *latch       // shared by the snapshots
	unit  [1]sale.Line // the lines of a purchase of one unit; never changed
}

// phase is the part of a sale's window at a time.
type phase uint8

const (
	phaseUpcoming phase = iota
	phaseOpen
	phasePaused
	phaseEnded
	phaseUnknown // the gateway does not have Redis's time yet, and the sale is not closed
)

// phaseAt returns the phase at a time of Redis's clock, zero for unknown. It checks in the order of the outcomes: not opened
// or before the start, then ended, then paused.
func (s *liveSale) phaseAt(now time.Time) phase {
	ms := now.UnixMilli()
	switch {
	case s.State == sale.StateClosed:
		return phaseEnded
	case now.IsZero():
		return phaseUnknown
	case s.State == sale.StatePreloaded || ms < s.starts:
		return phaseUpcoming
	case ms >= s.ends:
		return phaseEnded
	case s.State == sale.StatePaused:
		return phasePaused
	}
	return phaseOpen
}

// listed reports whether the buyer may be on the list of a listed sale. Without a filter of the present list every buyer
// passes, and the look-up in Redis decides. If a listed sale has no list or an empty one, no buyer passes.
func (s *liveSale) listed(buyer string) bool {
	if s.Eligibility != sale.EligibilityList {
		return true
	}
	if s.ListVersion == 0 || s.ListSize == 0 {
		return false
	}
	f := s.list.Load()
	return f == nil || f.version != s.ListVersion || f.buyers.TestString(buyer)
}

// home returns the bucket that decides all purchases of a buyer.
func (s *liveSale) home(buyer []byte) *sale.BucketRow {
	return &s.buckets[sale.HomeBucket(buyer, len(s.buckets))]
}

// whole reports whether every bucket is open. One that is not may have units, so no SKU is known to be sold out.
func (s *liveSale) whole() bool { return s.open == len(s.buckets) }

// find returns the sale of a path and, if the path names a SKU, the item; otherwise a nil sale and the refusal. A nil
// snapshot is a catalogue that the gateway has not read yet. Buyers do not see a draft. find asks the filter first, so that
// made-up SKUs do not reach the map of items.
func (s *snapshot) find(at location) (*liveSale, *liveItem, sale.Outcome) {
	if s == nil {
		return nil, nil, sale.OutcomeUnavailable
	}
	live := s.visible(at.sale)
	switch {
	case live == nil:
		return nil, nil, sale.OutcomeSaleNotFound
	case len(at.sku) == 0:
		return live, nil, 0
	case s.names == nil || s.names.Test(at.item):
		if item := live.items[string(at.sku)]; item != nil {
			return live, item, 0
		}
	}
	return nil, nil, sale.OutcomeSKUNotFound
}

// resolve finds the item of every line, and returns the SKU of the first line that has none. item is that of the path, nil
// if the path names no SKU.
func (s *liveSale) resolve(lines []pressLine, item *liveItem) (unknown []byte) {
	if item != nil {
		lines[0].item = item
		return nil
	}
	for i := range lines {
		if lines[i].item = s.items[string(lines[i].sku)]; lines[i].item == nil {
			return lines[i].sku
		}
	}
	return nil
}

func (s *snapshot) visible(id []byte) *liveSale {
	live := s.sales[string(id)]
	if live == nil || live.State == sale.StateDraft {
		return nil
	}
	return live
}

// namesFalsePositives is the share of unknown SKUs that pass the filter.
const namesFalsePositives = 0.01

// buildNames makes the filter of all SKUs.
func buildNames(sales map[string]*liveSale) *bloom.BloomFilter {
	count := 0
	for _, live := range sales {
		count += len(live.shown)
	}
	names := bloom.NewWithEstimates(uint(max(count, 1024)), namesFalsePositives)
	for id, live := range sales {
		for _, item := range live.shown {
			names.AddString(id + "/" + itemsSegment + item.SKU)
		}
	}
	return names
}

// next builds the snapshot after the changes.
func (s *snapshot) next(changes sale.Changes) *snapshot {
	out := &snapshot{
		version: changes.Version, grief: s.grief, names: s.names, sales: make(map[string]*liveSale, len(s.sales)+1),
		presses: s.presses,
	}
	if changes.Rules != nil {
		out.grief = changes.Rules.Grief
	}
	for id, live := range s.sales {
		out.sales[id] = live
	}
	rows := map[string][]sale.BucketRow{}
	for _, row := range changes.Buckets {
		rows[row.Sale] = append(rows[row.Sale], row)
	}
	for i := range changes.Sales {
		changed := &changes.Sales[i]
		if changed.State == sale.StateArchived { // buyers find nothing of it any more
			delete(out.sales, changed.ID)
			s.presses.Forget(changed.ID)
			continue
		}
		out.sales[changed.ID] = newLiveSale(*changed, s.sales[changed.ID], rows[changed.ID], s.presses.Sale(changed.ID))
		delete(rows, changed.ID)
	}
	for id, changed := range rows {
		if live := out.sales[id]; live != nil { // nil: the sale is archived; a sale is committed before its rows
			out.sales[id] = live.withRows(changed)
		}
	}
	if s.names == nil || len(changes.Sales) > 0 {
		out.names = buildNames(out.sales)
	}
	return out
}

// newLiveSale builds a sale and takes over from before the latches, the filter of listed buyers and the unchanged rows.
func newLiveSale(s sale.Sale, before *liveSale, rows []sale.BucketRow, presses *series.Sale) *liveSale {
	live := &liveSale{
		Sale: s, starts: s.StartsAt.UnixMilli(), ends: s.EndsAt.UnixMilli(), buckets: make([]sale.BucketRow, max(s.Buckets, 1)),
		list: new(atomic.Pointer[listFilter]), rendered: new(atomic.Pointer[saleView]),
		looked: new(atomic.Int64), viewed: new(atomic.Int64), presses: presses,
	}
	live.early = earlyProblem(&s)
	for number := range live.buckets {
		live.buckets[number] = sale.BucketRow{Bucket: sale.Bucket{Sale: s.ID, Number: number}, State: sale.BucketClosed}
	}
	if before != nil {
		live.list, live.looked, live.viewed = before.list, before.looked, before.viewed
	}
	if before != nil && len(before.buckets) == len(live.buckets) {
		copy(live.buckets, before.buckets)
		live.latches = before.latches
	} else {
		live.latches = newSaleLatches(live.buckets)
		before = nil // a draft with other buckets has sold nothing
	}
	live.addItems(before)
	live.latches.changed(live)
	live.setRows(rows)
	return live
}

// addItems makes the items and takes over their latches from before, which may be nil.
func (s *liveSale) addItems(before *liveSale) {
	items := make([]liveItem, len(s.Items)) // in one piece: a sale may have ten thousand
	s.items, s.numbers = make(map[string]*liveItem, len(items)), make(map[int]*liveItem, len(items))
	s.shown = make([]*liveItem, len(items))
	for i := range items {
		next := &items[i]
		next.Item = s.Items[i]
		if before != nil {
			if old := before.items[next.SKU]; old != nil && old.Number == next.Number {
				next.latch = old.latch
			}
		}
		if next.latch == nil {
			next.latch = &latch{sale: s.latches, sku: next.SKU, number: next.Number}
		}
		next.latch.stock.Store(next.Stock)
		next.unit[0] = next.line(1)
		s.items[next.SKU], s.numbers[next.Number], s.shown[i] = next, next, next
	}
}

// line returns a line of the item.
func (i *liveItem) line(quantity int) sale.Line {
	return sale.Line{SKU: i.SKU, Quantity: quantity, UnitPriceCents: i.PriceCents, Number: i.Number}
}

// withRows returns the sale with changed rows. It shares everything else.
func (s *liveSale) withRows(rows []sale.BucketRow) *liveSale {
	next := *s
	next.buckets = slices.Clone(s.buckets)
	next.setRows(rows)
	return &next
}

// setRows replaces rows, and brings the epochs of the open buckets to the latches.
func (s *liveSale) setRows(rows []sale.BucketRow) {
	for _, row := range rows {
		if row.Number < len(s.buckets) {
			s.buckets[row.Number] = row
		}
	}
	s.open = 0
	for n := range s.buckets {
		epoch := int64(0)
		if s.buckets[n].State == sale.BucketOpen {
			epoch = s.buckets[n].Epoch
			s.open++
		}
		s.latches.buckets[n].epoch.Store(epoch)
	}
}
