package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// Bounds of the filters of listed buyers.
const (
	listFalsePositives = 0.001
	listTimeout        = 2 * time.Minute
	listRetry          = time.Second
	maxListRoom        = 50_000_000 // buyers in the largest filter (90 MB); with a longer list more other buyers pass
)

// listFilter is a filter of listed buyers. It contains every buyer of the list, and some other buyers pass it too.
type listFilter struct {
	version int64
	buyers  *bloom.BloomFilter
}

// lists builds the filters of listed buyers in the background, one at a time.
type lists struct {
	source Catalogue
	wanted chan struct{} // capacity 1: the catalogue has changed
}

func newLists(source Catalogue) *lists {
	return &lists{source: source, wanted: make(chan struct{}, 1)}
}

// changed signals that there may be a new list. It never blocks.
func (l *lists) changed() {
	select {
	case l.wanted <- struct{}{}:
	default: // the pending build includes this change
	}
}

// build makes the missing filters of a snapshot and drops those of drafts and ended sales. While a filter is missing, every
// buyer passes to the look-up in Redis, so a failure costs Redis work and refuses no buyer.
func (l *lists) build(ctx context.Context, s *snapshot, now time.Time) error {
	var faults []error
	for _, live := range s.sales {
		present := live.list.Load()
		switch {
		case live.Eligibility != sale.EligibilityList:
		case live.State == sale.StateDraft || live.phaseAt(now) == phaseEnded:
			live.list.Store(nil)
		case live.ListSize > 0 && (present == nil || present.version != live.ListVersion):
			filter, err := l.read(ctx, live)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			live.list.Store(filter)
		}
	}
	return errors.Join(faults...)
}

func (l *lists) read(ctx context.Context, live *liveSale) (*listFilter, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	buyers := bloom.NewWithEstimates(uint(min(live.ListSize, maxListRoom)), listFalsePositives)
	count := int64(0)
	err := l.source.EachListed(ctx, live.ID, func(buyer string) error {
		buyers.AddString(buyer)
		count++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the list of sale %s: %w", live.ID, err)
	}
	if count != live.ListSize { // an operator replaced it during the reading: the next changes contain the new list
		return nil, fmt.Errorf("read the list of sale %s: %d buyers, expected %d", live.ID, count, live.ListSize)
	}
	return &listFilter{version: live.ListVersion, buyers: buyers}, nil
}
