package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// auditPause is the pause before an audit reads again buckets that were being rebuilt.
const auditPause = 50 * time.Millisecond

// audit answers 200 whether or not the equation holds. It answers 503 when the numbers cannot be read, or do not belong
// together because a bucket is being rebuilt.
func (a *API) audit(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	groups, err := a.coherentPositions(ctx, &s)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, auditOf(s.ID, groups))
}

// coherentPositions repeats the reading until every bucket's numbers belong together, for AuditWait at most.
func (a *API) coherentPositions(ctx context.Context, s *sale.Sale) (groups []skuPositions, err error) {
	waiting, cancel := context.WithTimeout(ctx, a.opts.AuditWait)
	defer cancel()
	var doubtful *position
	done := role.Until(waiting, role.Always(auditPause), func() bool {
		var positions []position
		if positions, err = readPositions(ctx, a.deps.Preloads, a.deps.Stock, s.ID); err != nil {
			return true
		}
		groups = bySKU(s, positions)
		doubtful = firstDoubtful(positions)
		return doubtful == nil
	})
	switch {
	case err != nil:
		return nil, err
	case done:
		return groups, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, sale.ProblemOf(sale.OutcomeUnavailable, fmt.Sprintf(
		"bucket %s is %s in epoch %d and Redis has another epoch or state", doubtful.Bucket, doubtful.State, doubtful.Epoch))
}

func firstDoubtful(positions []position) *position {
	for i := range positions {
		if !positions[i].Coherent {
			return &positions[i]
		}
	}
	return nil
}

func auditOf(saleID string, groups []skuPositions) sale.Audit {
	answer := sale.Audit{Items: []sale.AuditItem{}}
	for i := range groups {
		total := groups[i].total()
		answer.Items = append(answer.Items, sale.AuditItem{Sale: saleID, SKU: groups[i].sku, Stock: total,
			Difference: total.Difference()})
	}
	_, answer.Holds = totalOf(groups)
	return answer
}
