package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"flashsale/sale"
)

// ReplaceBuyers replaces the list of a sale whose eligibility is list, before it is open, and returns the buyers on it. Next
// returns one id a call and io.EOF after the last; with any other error nothing changes. When two uploads overlap, the one
// that began last wins and the other gets an error.
func (d *Database) ReplaceBuyers(ctx context.Context, id string, next func() (string, error)) (int64, error) {
	version, err := call(ctx, d, "ReplaceBuyers", func() (int64, error) {
		s, err := d.t.listable(id)
		if err != nil {
			return 0, err
		}
		s.started++
		return s.started, nil
	})
	if err != nil {
		return 0, err
	}
	listed, err := readBuyers(next)
	if err != nil {
		return 0, fmt.Errorf("replace buyers of %s: %w", id, err)
	}
	return locked(d, func() (int64, error) {
		s, err := d.t.listable(id)
		switch {
		case err != nil:
			return 0, err
		case s.started != version:
			return 0, &sale.StateError{State: s.State, Detail: "another upload of the list began after this one"}
		}
		s.Listed, s.ListVersion, s.ListSize = listed, version, int64(len(listed))
		d.t.stampSale(s)
		return s.ListSize, nil
	})
}

// listable returns a sale whose list may be replaced.
func (t *Tables) listable(id string) (*Sale, error) {
	s, err := t.sale(id)
	switch {
	case err != nil:
		return nil, err
	case s.Eligibility != sale.EligibilityList:
		return nil, &sale.StateError{State: s.State, Detail: "only a sale with eligibility list has a list of buyers"}
	case s.State != sale.StateDraft && s.State != sale.StatePreloaded:
		return nil, &sale.StateError{State: s.State, Detail: "the list of buyers can be replaced before open only"}
	}
	return s, nil
}

// readBuyers reads ids to their end and returns them sorted, each once.
func readBuyers(next func() (string, error)) ([]string, error) {
	var listed []string
	for line := 1; ; line++ {
		buyer, err := next()
		switch {
		case errors.Is(err, io.EOF):
			slices.Sort(listed)
			return slices.Compact(listed), nil
		case err != nil:
			return nil, err
		case !sale.ValidBuyerID(buyer):
			return nil, sale.Fieldf(fmt.Sprintf("line %d", line), "must be a buyer id")
		}
		listed = append(listed, buyer)
	}
}

// EachListed calls each for every buyer on the present list of a sale, sorted, without the database's lock.
func (d *Database) EachListed(ctx context.Context, id string, each func(buyer string) error) error {
	listed, err := call(ctx, d, "EachListed", func() ([]string, error) {
		s, err := d.t.sale(id)
		if err != nil {
			return nil, err
		}
		return slices.Clone(s.Listed), nil
	})
	for _, buyer := range listed {
		if err == nil {
			err = each(buyer)
		}
	}
	return err
}
