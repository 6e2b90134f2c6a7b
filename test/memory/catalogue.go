package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"flashsale/sale"
)

// Changes returns what changed in the catalogue since a version, everything but archived sales for 0 or for a version higher
// than the present one.
func (d *Database) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	return call(ctx, d, "Changes", func() (sale.Changes, error) {
		changes := sale.Changes{Version: d.t.Version}
		if since == d.t.Version {
			return changes, nil
		}
		if since > d.t.Version {
			since = 0
		}
		for _, s := range d.t.sales() {
			if s.Version > since && (since > 0 || !archived(s)) {
				changes.Sales = append(changes.Sales, s)
			}
		}
		for _, row := range d.t.SortedBuckets() {
			if row.Version > since && (since > 0 || row.State != sale.BucketArchived) {
				changes.Buckets = append(changes.Buckets, row.BucketRow)
			}
		}
		if d.t.rulesVersion > since || since == 0 {
			rules := d.t.Rules
			changes.Rules = &rules
		}
		if d.t.Brake.Version > since {
			present := d.brake()
			changes.Brake = &present
		}
		return changes, nil
	})
}

// sales returns every sale, sorted by id.
func (t *Tables) sales() []sale.Sale {
	all := make([]sale.Sale, 0, len(t.Sales))
	for s := range maps.Values(t.Sales) {
		all = append(all, s.copied())
	}
	slices.SortFunc(all, func(a, b sale.Sale) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *Sale) copied() sale.Sale {
	c := s.Sale
	c.Items = slices.Clone(s.Items)
	return c
}

// CatalogueVersion returns the version of the last change of the catalogue.
func (d *Database) CatalogueVersion(ctx context.Context) (int64, error) {
	return call(ctx, d, "CatalogueVersion", func() (int64, error) { return d.t.Version, nil })
}

// NoteGateway notes that a gateway sells by a version of the catalogue now.
func (d *Database) NoteGateway(ctx context.Context, holder string, version int64) error {
	return d.run(ctx, "NoteGateway", func() error {
		d.t.Gateways[holder] = Gateway{version, d.now()}
		return nil
	})
}

// ForgetGateway removes a gateway that ends.
func (d *Database) ForgetGateway(ctx context.Context, holder string) error {
	return d.run(ctx, "ForgetGateway", func() error {
		delete(d.t.Gateways, holder)
		return nil
	})
}

// GatewaysBehind returns the gateways that were seen within a time and sell by an older version, sorted.
func (d *Database) GatewaysBehind(ctx context.Context, version int64, within time.Duration) ([]string, error) {
	return call(ctx, d, "GatewaysBehind", func() ([]string, error) {
		var behind []string
		for holder, g := range d.t.Gateways {
			if g.Version < version && g.Seen.After(d.now().Add(-within)) {
				behind = append(behind, holder)
			}
		}
		slices.Sort(behind)
		return behind, nil
	})
}

// Rules returns the present rules; version 0 are the default ones.
func (d *Database) Rules(ctx context.Context) (sale.Rules, error) {
	return call(ctx, d, "Rules", func() (sale.Rules, error) { return d.t.Rules, nil })
}

// PutRules replaces the whole set and returns it with its version. With expect the present version must be that one,
// otherwise the error is a *sale.VersionError. Bad rules are a *sale.FieldError.
func (d *Database) PutRules(ctx context.Context, rules sale.Rules, expect *int64) (sale.Rules, error) {
	return call(ctx, d, "PutRules", func() (sale.Rules, error) {
		if err := rules.Validate(); err != nil {
			return sale.Rules{}, err
		}
		if expect != nil && *expect != d.t.Rules.Version {
			return sale.Rules{}, &sale.VersionError{Present: d.t.Rules.Version}
		}
		rules.Normalize()
		rules.Version = d.t.Rules.Version + 1
		d.t.Version++
		d.t.Rules, d.t.rulesVersion = rules, d.t.Version
		return rules, nil
	})
}
