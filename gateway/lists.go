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
	maxListRoom        = 50_000_000 // buyers a filter makes room for (90 MB); a longer list lets more strangers pass
)

// listFilter may say of a stranger that he is on the list, and never of a listed buyer that he is not.
type listFilter struct {
	version int64
	buyers  *bloom.BloomFilter
}

// lists builds the filters of listed buyers, off the path and one at a time.
type lists struct {
	source Catalogue
	wanted chan struct{} // holds one: the catalogue has changed
}

func newLists(source Catalogue) *lists {
	return &lists{source: source, wanted: make(chan struct{}, 1)}
}

// changed says that there may be a new list. It never blocks.
func (l *lists) changed() {
	select {
	case l.wanted <- struct{}{}:
	default: // one look is due already and will see this change too
	}
}

// build makes the missing filters of a snapshot and drops those that are of no use any more. Until a filter is there
// every buyer passes to the exact look-up, so a failure costs Redis work and refuses no buyer.
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
	if count != live.ListSize { // replaced while it was read: the change that says so is on its way
		return nil, fmt.Errorf("read the list of sale %s: %d buyers, expected %d", live.ID, count, live.ListSize)
	}
	return &listFilter{version: live.ListVersion, buyers: buyers}, nil
}
