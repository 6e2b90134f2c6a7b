package gateway

import (
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// snapshot is the catalogue at one version. It does not change after its publication: an update builds the next snapshot
// and reuses the parts that did not change.
type snapshot struct {
	version int64
	grief   sale.Grief
	sales   map[string]*liveSale
	names   *bloom.BloomFilter // "{sale}/items/{sku}" of every item; nil: only the maps decide
}

// liveSale is one sale of a snapshot, with the gateway's own state of it.
type liveSale struct {
	sale.Sale
	starts   int64 // Unix milliseconds
	ends     int64 // Unix milliseconds
	items    map[string]*liveItem
	shown    []*liveItem // in the sale's order
	early    []byte      // the not_started problem up to its server_time
	list     *atomic.Pointer[listFilter]
	rendered *atomic.Pointer[saleView]
	looked   *atomic.Int64 // time of the last look at the stock for viewers, Unix milliseconds
}

// liveItem is one SKU of a sale.
type liveItem struct {
	sale.Item
	buckets []sale.BucketRow // by number; closed until the database reports the row
	open    int              // buckets that are open
	latch   *latch           // shared by the snapshots
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

func (i *liveItem) home(buyer []byte) *sale.BucketRow {
	return &i.buckets[sale.HomeBucket(buyer, len(i.buckets))]
}

// find returns the sale and the item of a path, or the refusal. A nil snapshot is a catalogue that the gateway has not read
// yet. Buyers do not see a draft. find asks the filter first, so that made-up SKUs do not reach the map of items.
func (s *snapshot) find(at location) (*liveSale, *liveItem, sale.Outcome) {
	if s == nil {
		return nil, nil, sale.OutcomeUnavailable
	}
	if s.names == nil || s.names.Test(at.item) {
		if live := s.visible(at.sale); live == nil {
			return nil, nil, sale.OutcomeSaleNotFound
		} else if item := live.items[string(at.sku)]; item != nil {
			return live, item, 0
		}
		return nil, nil, sale.OutcomeSKUNotFound
	}
	if s.visible(at.sale) == nil {
		return nil, nil, sale.OutcomeSaleNotFound
	}
	return nil, nil, sale.OutcomeSKUNotFound
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
		out.sales[changed.ID] = newLiveSale(*changed, s.sales[changed.ID], rows[changed.ID])
		delete(rows, changed.ID)
	}
	for id, changed := range rows {
		if live := out.sales[id]; live != nil { // always true: the database commits a sale before its rows
			out.sales[id] = newLiveSale(live.Sale, live, changed)
		}
	}
	if s.names == nil || len(changes.Sales) > 0 {
		out.names = buildNames(out.sales)
	}
	return out
}

// newLiveSale builds a sale and takes over from before the latches, the filter of listed buyers and the unchanged rows.
func newLiveSale(s sale.Sale, before *liveSale, rows []sale.BucketRow) *liveSale {
	live := &liveSale{
		Sale: s, starts: s.StartsAt.UnixMilli(), ends: s.EndsAt.UnixMilli(),
		items: make(map[string]*liveItem, len(s.Items)), shown: make([]*liveItem, 0, len(s.Items)),
		list: new(atomic.Pointer[listFilter]), rendered: new(atomic.Pointer[saleView]), looked: new(atomic.Int64),
	}
	live.early = earlyProblem(&s)
	if before != nil {
		live.list, live.looked = before.list, before.looked
	}
	for _, item := range s.Items {
		var old *liveItem
		if before != nil {
			old = before.items[item.SKU]
		}
		next := newLiveItem(live.ID, item, old)
		live.items[item.SKU] = next
		live.shown = append(live.shown, next)
	}
	for _, row := range rows {
		if item := live.items[row.SKU]; item != nil && row.Number < len(item.buckets) {
			item.buckets[row.Number] = row
		}
	}
	for _, item := range live.shown {
		item.countOpen()
		item.latch.update(live, item)
	}
	return live
}

func newLiveItem(saleID string, item sale.Item, before *liveItem) *liveItem {
	next := &liveItem{Item: item, buckets: make([]sale.BucketRow, max(item.Buckets, 1))}
	for number := range next.buckets {
		next.buckets[number] = sale.BucketRow{
			Bucket: sale.Bucket{Sale: saleID, SKU: item.SKU, Number: number}, State: sale.BucketClosed,
		}
	}
	if before != nil && len(before.buckets) == len(next.buckets) {
		copy(next.buckets, before.buckets)
		next.latch = before.latch
	} else {
		next.latch = newLatch(next.buckets)
	}
	return next
}

func (i *liveItem) countOpen() {
	i.open = 0
	for n := range i.buckets {
		if i.buckets[n].State == sale.BucketOpen {
			i.open++
		}
	}
}
