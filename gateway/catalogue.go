package gateway

import (
	"sync/atomic"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// snapshot is the catalogue at one version. It is never changed after it was published: an update builds the next one
// from the parts that did not change.
type snapshot struct {
	version int64
	grief   sale.Grief
	sales   map[string]*liveSale
	names   *bloom.BloomFilter // "{sale}/items/{sku}" of every item; nil: ask the maps
}

// liveSale is one sale as this gateway sells it.
type liveSale struct {
	sale.Sale
	starts   int64 // Unix milliseconds
	ends     int64 // Unix milliseconds
	items    map[string]*liveItem
	shown    []*liveItem // in the sale's order
	early    []byte      // the not_started problem up to its server_time
	list     *atomic.Pointer[listFilter]
	rendered *atomic.Pointer[saleView]
	looked   *atomic.Int64 // when the stock was last read on behalf of viewers, Unix milliseconds
}

// liveItem is one SKU of a sale.
type liveItem struct {
	sale.Item
	buckets []sale.BucketRow // by number; a row that has not been seen yet is closed
	open    int              // buckets that are open
	latch   *latch           // outlives the snapshots
}

// phase is where a sale is in its window.
type phase uint8

const (
	phaseUpcoming phase = iota
	phaseOpen
	phasePaused
	phaseEnded
	phaseUnknown // Redis's time is not known yet, and every phase but that of a closed sale depends on it
)

// phaseAt follows the order of the ladder: not opened or before the start, then ended, then paused.
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

// listed reports whether the buyer may be on the list of a listed sale. A filter that is not there yet, or belongs to
// another list, lets every buyer pass to the exact look-up; a listed sale without a list sells no unit.
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

// find returns the sale and the item that a path names, or the refusal; nil is a catalogue that was not read yet. A draft is
// unknown to buyers. The filter answers first: floods of made-up SKUs never reach the maps.
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

// namesFalsePositives is the share of unknown SKUs that the filter lets pass to the maps.
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
		if live := out.sales[id]; live != nil { // always: a sale is committed before its rows
			out.sales[id] = newLiveSale(live.Sale, live, changed)
		}
	}
	if s.names == nil || len(changes.Sales) > 0 {
		out.names = buildNames(out.sales)
	}
	return out
}

// newLiveSale carries over what outlives a change: latches, filters, and the rows that did not change.
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
