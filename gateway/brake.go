package gateway

import (
	"slices"
	"time"

	"flashsale/sale"
)

// brake is the engine's own limit of purchases, beside the operators' rules. Its end is that of the database's clock: the
// answer of the database says how long it lasts, and this process counts that time from the answer on. It ends only after an
// answer of the database: while the database is away, nobody can renew it, and rows cannot settle. Only the role that polls
// the catalogue uses it.
type brake struct {
	perSecond int64 // this gateway's share; 0: there is no brake
	until     time.Time
}

// note takes over what an answer of the catalogue says, nil for no change, and reports whether the limit is another one now.
func (b *brake) note(changed *sale.Brake, now time.Time) bool {
	before := b.perSecond
	switch {
	case changed.On():
		b.perSecond, b.until = max(1, changed.PerGateway), now.Add(changed.Left)
	case changed != nil, !now.Before(b.until):
		b.perSecond = 0
	}
	return b.perSecond != before
}

// over returns the operators' rules with the brake beside them. Of several flow rules of a route the lowest decides.
func (b *brake) over(rules sale.Rules) sale.Rules {
	if b.perSecond > 0 {
		rules.Flow = append(slices.Clip(rules.Flow), sale.FlowRule{Resource: sale.ResourcePurchase, QPS: float64(b.perSecond)})
	}
	return rules
}

// followRules applies changed rules and a changed brake. No other code reloads rules.
func (g *Gateway) followRules(changes *sale.Changes) error {
	before := g.brake.perSecond
	braked := g.brake.note(changes.Brake, time.Now())
	if changes.Rules != nil {
		g.rules = *changes.Rules
		g.limits.load(g.rules)
	}
	switch {
	case before == 0 && braked:
		g.options.Log.Info("purchases are slowed by the engine's brake", "reason", changes.Brake.Reason,
			"per_second", g.brake.perSecond)
	case braked && g.brake.perSecond == 0:
		g.options.Log.Info("purchases are not slowed by the engine's brake any more")
	}
	if changes.Rules == nil && !braked {
		return nil
	}
	return g.breakers.Load(g.brake.over(g.rules))
}
